# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Images whose camera pose, and perhaps depth, is known, wherever they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from da3_ros.evaluation.datasets import DatasetError
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import ViewTruth
from da3_ros.geometry.rotation import FloatArray
from da3_ros.inference.depth_sampling import sample_depth

Image = npt.NDArray[np.uint8]
_ASPECT_TOLERANCE = 0.01


class KnownFrame(Protocol):
    """One image and what is known about it; `datasets.DatasetFrame` is one."""

    @property
    def name(self) -> str:
        """Says which image it is, for people."""
        ...

    @property
    def calibration(self) -> PinholeCamera:
        """Intrinsics of exactly this image, lens distortion included."""
        ...

    @property
    def world_from_camera(self) -> FloatArray:
        """(4, 4) float64 rigid, optical frame, metres."""
        ...

    @property
    def has_depth(self) -> bool:
        """Whether `read_depth` has something to read."""
        ...

    def read_image(self) -> Image:
        """(H, W, 3) uint8 RGB.

        Raises:
            DatasetError: when it cannot be read.
        """
        ...

    def read_depth(self) -> npt.NDArray[np.float32] | None:
        """(h, w) z along the optical axis of this image's camera, metres, NaN where unknown; None without depth.

        Raises:
            DatasetError: when it cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class KnownSequence:
    """Frames of one camera in the order of time.

    Attributes:
        name: for people.
        kind: which data set it is of: `folder`, `TUM RGB-D`, `7-Scenes`, `ETH3D`, `bag` or `room`.
        frames: at least one.
    """

    name: str
    kind: str
    frames: tuple[KnownFrame, ...]


@dataclass(frozen=True, slots=True, eq=False)
class KnownRig:
    """Cameras that are carried together: frame i of each was taken at one moment.

    Attributes:
        name: for people.
        cameras: at least one; all with as many frames.
    """

    name: str
    cameras: tuple[KnownSequence, ...]

    def __post_init__(self) -> None:
        if len({len(camera.frames) for camera in self.cameras}) != 1:
            counts = ", ".join(f"{camera.name}: {len(camera.frames)}" for camera in self.cameras)
            raise ValueError(f"cameras of the rig {self.name} have unlike numbers of frames ({counts})")


@dataclass(frozen=True, slots=True, eq=False)
class HeldFrame:
    """A KnownFrame that lies in memory."""

    name: str
    calibration: PinholeCamera
    world_from_camera: FloatArray
    image: Image
    depth: npt.NDArray[np.float32]

    @property
    def has_depth(self) -> bool:
        """Always."""
        return True

    def read_image(self) -> Image:
        """See `KnownFrame.read_image`."""
        return self.image

    def read_depth(self) -> npt.NDArray[np.float32]:
        """See `KnownFrame.read_depth`."""
        return self.depth


def checked_image(frame: KnownFrame) -> Image:
    """The image of a frame.

    Raises:
        DatasetError: when it cannot be read, or its size is not that of the calibration.
    """
    image = frame.read_image()
    if image.shape[:2] != frame.calibration.size:
        (height, width), (h, w) = image.shape[:2], frame.calibration.size
        raise DatasetError(
            f"{frame.name} has {width}x{height} pixels, its calibration is for {w}x{h}: correct the intrinsics"
        )
    return image


def frame_truth(frame: KnownFrame) -> ViewTruth | None:
    """Depth with its camera and pose; None without depth.

    Depth of another resolution than the image is taken to span the same field of view.

    Raises:
        DatasetError: when depth cannot be read, or does not have the shape of the image.
    """
    depth = frame.read_depth()
    if depth is None:
        return None
    camera = frame.calibration
    if depth.shape != camera.size:
        if depth.ndim != 2 or abs(depth.shape[0] * camera.size[1] / (depth.shape[1] * camera.size[0]) - 1) > (
            _ASPECT_TOLERANCE
        ):
            raise DatasetError(
                f"depth of {frame.name} has the shape {depth.shape}, its image {camera.size}: "
                "give depth that is registered to the image"
            )
        camera = camera.resized((depth.shape[0], depth.shape[1]))
    return ViewTruth(depth, camera, frame.world_from_camera)


def depth_on(frame: KnownFrame, camera: PinholeCamera) -> npt.NDArray[np.float32]:
    """True depth on the pixels of another camera at the same place.

    Args:
        frame: with depth or without.
        camera: distortion-free.

    Returns:
        (H, W) float32 of `camera.size`; NaN where unknown.

    Raises:
        DatasetError: see `frame_truth`.
    """
    truth = frame_truth(frame)
    return np.full(camera.size, np.nan, dtype=np.float32) if truth is None else sample_depth(truth, camera)
