# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the pipeline hands out: per window, per new frame set, per view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming.aligner import AlignmentReport
from da3_ros.streaming.frame import Frame, FrameSet, Window
from da3_ros.streaming.odometry import OdometryState
from da3_ros.streaming.scale import ScaleState


@dataclass(frozen=True, slots=True, eq=False)
class ViewResult:
    """One image and what was found out about it; all images have the same (H, W).

    Attributes:
        frame: the source, with its exact stamp and frame_id.
        image: (H, W, 3) uint8 RGB, rectified.
        camera: intrinsics of exactly these images, without distortion.
        depth: (H, W) float32 z along the optical axis, world units; NaN where unknown.
        confidence: (H, W) float32, at least 1, larger is surer.
        world_from_camera: (4, 4) float64 rigid, optical frame, world units.
    """

    frame: Frame
    image: npt.NDArray[np.uint8]
    camera: PinholeCamera
    depth: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]
    world_from_camera: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class SetResult:
    """One frame set that is handed out for the first and only time.

    Attributes:
        frame_set: the source.
        views: one per frame, in its order.
        odometry: the base at that instant; None while no camera of the set has a known place on the base.
    """

    frame_set: FrameSet
    views: tuple[ViewResult, ...]
    odometry: OdometryState | None


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Where the time of a window went, nanoseconds.

    Attributes:
        queue_ns: from the making of its newest frame set to the start of processing.
        engine_ns: the network call with its pre-processing.
        alignment_ns: alignment and odometry.
    """

    queue_ns: int
    engine_ns: int
    alignment_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class WindowResult:
    """One processed window.

    Attributes:
        window: as it was given to the engine.
        report: how it lies in the world.
        scale: whether world units are metres.
        times: by stage.
        new_sets: the sets that no earlier window handed out, oldest first; none when the window was rejected.
    """

    window: Window
    report: AlignmentReport
    scale: ScaleState
    times: StageTimes
    new_sets: tuple[SetResult, ...]
