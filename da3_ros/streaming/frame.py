# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What flows through the stream: frames, sets of frames taken together, and windows of sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import ViewKey


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One image of one camera at one stamp.

    Attributes:
        camera: the camera's name.
        stamp_ns: acquisition time, nanoseconds, copied exactly from the source.
        frame_id: ROS frame of the camera's optical frame.
        image: (H, W, 3) uint8 RGB, as taken (lens distortion included). Becomes read-only: windows share it, and the
            engine remembers what it has seen of it.
        calibration: intrinsics of exactly this image, or None when uncalibrated.
    """

    camera: str
    stamp_ns: int
    frame_id: str
    image: npt.NDArray[np.uint8]
    calibration: PinholeCamera | None

    def __post_init__(self) -> None:
        self.image.setflags(write=False)

    @property
    def key(self) -> ViewKey:
        """Identity of the image."""
        return ViewKey(self.camera, self.stamp_ns)


@dataclass(frozen=True, slots=True, eq=False)
class FrameSet:
    """One frame per camera, taken together.

    Attributes:
        index: counts the sets since the start, without gaps.
        stamp_ns: stamp of the reference camera's frame.
        frames: in the order of the camera list; a camera is absent only under the `partial` policy.
    """

    index: int
    stamp_ns: int
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Frame sets, oldest first, that one call of the engine sees together.

    Attributes:
        index: counts the windows since the start.
        frame_sets: in time order.
    """

    index: int
    frame_sets: tuple[FrameSet, ...]

    @property
    def views(self) -> tuple[Frame, ...]:
        """All frames, set by set, cameras in order within a set: the V axis of the engine."""
        return tuple(frame for frame_set in self.frame_sets for frame in frame_set.frames)
