# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Sequences with known depth and poses, in one simple folder layout.

A folder holds `meta.json` and what it names: `cameras` (name -> K in pixels with centres at integers, width, height,
distortion or null), `frames` (image, camera, pose_c2w = world-from-camera 4x4 in OpenCV axes, metres; optionally depth)
and, if a frame names depth, `depth` (for 16-bit PNG: scale in metres per unit, and the invalid value).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import ViewKey, ViewTruth
from da3_ros.geometry.rotation import FloatArray, nearest_rotation
from da3_ros.geometry.sim3 import rigid

Image = npt.NDArray[np.uint8]

_RIGID_TOLERANCE = 1e-3


class DatasetError(ValueError):
    """A data set folder is missing, incomplete or malformed."""


class DepthSource(Protocol):
    """A depth image that is read when asked for."""

    def read(self) -> npt.NDArray[np.float32]:
        """(H, W) float32 z along the optical axis, metres; NaN where unknown.

        Raises:
            DatasetError: when it cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class DepthFile:
    """A 16-bit depth image on disk.

    Attributes:
        path: the PNG.
        metres_per_unit: metres of one unit, finite and above zero.
        invalid: the value that means unknown; 0 always does.
    """

    path: Path
    metres_per_unit: float
    invalid: int

    def read(self) -> npt.NDArray[np.float32]:
        """See `DepthSource.read`."""
        if not self.path.is_file():
            raise DatasetError(f"the depth image {self.path} is missing: put it there, or do not name it")
        raw = cv2.imread(str(self.path), cv2.IMREAD_UNCHANGED)
        if raw is None or raw.dtype != np.uint16 or raw.ndim != 2:
            raise DatasetError(f"{self.path} is not a 16-bit depth image: it must be a PNG of one channel")
        metres = raw.astype(np.float32) * np.float32(self.metres_per_unit)
        return np.asarray(np.where((raw == self.invalid) | (raw == 0), np.nan, metres), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class DatasetFrame:
    """One image and what is known about it.

    Attributes:
        image_path: the image file.
        camera: name of the camera that took it.
        index: which of this camera's instants it is, from 0; equal in all cameras of a rig.
        calibration: intrinsics of exactly this image.
        world_from_camera: (4, 4) float64 rigid, optical frame, metres.
        depth_file: its true depth on the pixels of the image, or None where the set has none.
    """

    image_path: Path
    camera: str
    index: int
    calibration: PinholeCamera
    world_from_camera: FloatArray
    depth_file: DepthSource | None

    @property
    def name(self) -> str:
        """The image file's own name."""
        return self.image_path.name

    @property
    def has_depth(self) -> bool:
        """Whether there is a depth file."""
        return self.depth_file is not None

    def read_depth(self) -> npt.NDArray[np.float32] | None:
        """(H, W) float32 metres, NaN where unknown; None without a depth file.

        Raises:
            DatasetError: when the file is there, but no depth image.
        """
        return None if self.depth_file is None else self.depth_file.read()

    def read_image(self) -> Image:
        """(H, W, 3) uint8 RGB."""
        bgr = cv2.imread(str(self.image_path), cv2.IMREAD_COLOR)
        if bgr is None:
            raise DatasetError(f"{self.image_path} is not a readable image")
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def checked_pose(pose: npt.ArrayLike, what: str) -> FloatArray:
    """A rigid (4, 4) pose that was written with few digits.

    Args:
        pose: as read.
        what: it is of, and where it stands.

    Raises:
        DatasetError: when it is not finite or not rigid.
    """
    matrix = np.asarray(pose, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise DatasetError(f"{what} is not a finite 4x4 matrix: correct it or leave the frame out")
    turn = matrix[:3, :3]
    if not np.allclose(turn @ turn.T, np.eye(3), atol=_RIGID_TOLERANCE) or np.linalg.det(turn) < 0:
        raise DatasetError(f"{what} is not rigid: its first three columns must be a rotation")
    return rigid(nearest_rotation(turn), matrix[:3, 3])


def load_dataset(folder: Path) -> tuple[DatasetFrame, ...]:
    """The frames of a data set, in the order of its `meta.json`; images and depth are read when asked for.

    Raises:
        DatasetError: when the folder does not have the layout that this module describes.
    """
    path = folder / "meta.json"
    try:
        meta = json.loads(path.read_text())
        calibrations = {name: _calibration(camera) for name, camera in meta["cameras"].items()}
        counts: Counter[str] = Counter()
        frames = []
        for entry in meta["frames"]:
            frames.append(_frame(folder, entry, meta.get("depth"), calibrations, counts[entry["camera"]]))
            counts[entry["camera"]] += 1
    except OSError as error:
        raise DatasetError(f"{folder} is not a data set: {path} cannot be read") from error
    except DatasetError as error:
        raise DatasetError(f"{path} is malformed: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{path} is malformed: {error!r}") from error
    return tuple(frames)


def dataset_truth(folder: Path) -> Callable[[ViewKey, PinholeCamera | None, Image], ViewTruth]:
    """A source of truth for the oracle engine: finds a view by the exact pixels of its image.

    Pixels, not stamps, identify a view, because a player chooses the stamps. So images must reach the engine
    losslessly.

    Raises:
        DatasetError: when the folder is no data set, or a frame has no depth.
    """
    frames: dict[bytes, tuple[DatasetFrame, DepthSource]] = {}
    for frame in load_dataset(folder):
        if frame.depth_file is None:
            raise DatasetError(f"{folder} has no depth image for {frame.image_path.name}: it cannot serve as truth")
        frames[_digest(frame.read_image())] = (frame, frame.depth_file)

    def truth(key: ViewKey, camera: PinholeCamera | None, image: Image) -> ViewTruth:
        """Truth on the pixels of the data set's own camera, whichever camera is asked for."""
        found = frames.get(_digest(image))
        if found is None:
            raise LookupError(f"the image of {key} is not in {folder}")
        frame, depth_file = found
        return ViewTruth(depth_file.read(), frame.calibration, frame.world_from_camera)

    return truth


def _digest(image: Image) -> bytes:
    content = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
    content.update(np.ascontiguousarray(image).data)
    return content.digest()


def _calibration(camera: Mapping[str, Any]) -> PinholeCamera:
    matrix = np.asarray(camera["K"], dtype=np.float64)
    if camera["distortion"] is not None:
        raise ValueError(f"distortion {camera['distortion']} is not supported: only null is")
    fx, fy, cx, cy = (float(matrix[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return PinholeCamera((int(camera["height"]), int(camera["width"])), fx, fy, cx, cy)


def _frame(
    folder: Path,
    entry: Mapping[str, Any],
    depth: Mapping[str, Any] | None,
    calibrations: Mapping[str, PinholeCamera],
    count: int,
) -> DatasetFrame:
    depth_file = _depth_file(folder / entry["depth"], depth) if "depth" in entry else None
    return DatasetFrame(
        image_path=folder / entry["image"],
        camera=entry["camera"],
        index=int(entry.get("time", count)),
        calibration=calibrations[entry["camera"]],
        world_from_camera=checked_pose(entry["pose_c2w"], f"pose_c2w of {entry['image']}"),
        depth_file=depth_file,
    )


def _depth_file(path: Path, depth: Mapping[str, Any] | None) -> DepthFile:
    if depth is None:
        raise DatasetError(f"a frame names {path.name}, and no `depth` says its scale and invalid value: add it")
    scale = float(depth["scale"])
    if not (math.isfinite(scale) and scale > 0):
        raise DatasetError(f"the scale of depth is {scale}: it must be metres per unit, above zero")
    return DepthFile(path, scale, int(depth["invalid"]))
