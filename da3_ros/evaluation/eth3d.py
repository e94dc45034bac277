# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Scenes of the ETH3D high-resolution multi-view benchmark (Schoeps et al. 2017).

A folder holds `dslr_calibration_undistorted/{cameras,images}.txt` (COLMAP's text: PINHOLE cameras, camera-from-world
poses), `images/` and perhaps `ground_truth_depth/`: for each image a raw file of float32 rows in metres, infinity or 0
where unknown. The official depth lies on the pixels of the *distorted* images; where its size says so, it is read
through the THIN_PRISM_FISHEYE camera of `dslr_calibration_jpg`, which shares centre and axes with the undistorted one.
Images have 24 million pixels, so this gives depth for a smaller image of the same view.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from da3_ros.evaluation.datasets import DatasetError, DatasetFrame, DepthSource, checked_pose
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import FloatArray, matrix_from_quat_xyzw
from da3_ros.geometry.sim3 import rigid, rigid_inverse

CALIBRATION = "dslr_calibration_undistorted"
_DISTORTED = "dslr_calibration_jpg"
_FISHEYE = "THIN_PRISM_FISHEYE"
_LONGEST_PX = 1600  # three times the usual process resolution
_RAW, _BYTES = "<f4", 4
_HALF_PX = 0.5  # COLMAP's origin is the outer corner of the first pixel


@dataclass(frozen=True, slots=True)
class FisheyeLens:
    """COLMAP's THIN_PRISM_FISHEYE camera.

    Attributes:
        size: (H, W) pixels.
        parameters: fx fy cx cy k1 k2 p1 p2 k3 k4 sx1 sy1, origin at the corner as COLMAP writes them.
    """

    size: tuple[int, int]
    parameters: tuple[float, ...]

    def project(self, normalised: FloatArray) -> FloatArray:
        """(..., 2) pixels, centres at integers, of (..., 2) x/z and y/z."""
        fx, fy, cx, cy, k1, k2, p1, p2, k3, k4, sx, sy = self.parameters
        radius = np.linalg.norm(normalised, axis=-1, keepdims=True)
        u, v = np.moveaxis(normalised * np.arctan(radius) / np.maximum(radius, 1e-12), -1, 0)
        r2 = u * u + v * v
        radial = r2 * (k1 + r2 * (k2 + r2 * (k3 + r2 * k4)))
        bent_u = u + u * radial + 2 * p1 * u * v + p2 * (r2 + 2 * u * u) + sx * r2
        bent_v = v + v * radial + 2 * p2 * u * v + p1 * (r2 + 2 * v * v) + sy * r2
        return np.stack((fx * bent_u + cx - _HALF_PX, fy * bent_v + cy - _HALF_PX), axis=-1)


@dataclass(frozen=True, slots=True)
class RawDepthFile:
    """Depth as rows of float32.

    Attributes:
        path: the file.
        camera: of the image that it belongs to.
        lens: the camera of the distorted image; None when the scene does not tell it.
    """

    path: Path
    camera: PinholeCamera
    lens: FisheyeLens | None

    def read(self) -> npt.NDArray[np.float32]:
        """See `DepthSource.read`: on the pixels of `camera`; through a lens, of at most 1600 along the longer side.

        Raises:
            DatasetError: when the file has the size of neither image.
        """
        lens = self.lens
        try:
            count, rest = divmod(self.path.stat().st_size, _BYTES)
            if rest == 0 and count == math.prod(self.camera.size):
                return _metres(np.fromfile(self.path, dtype=_RAW)).reshape(self.camera.size)
            if rest == 0 and lens is not None and count == math.prod(lens.size):
                return _through_lens(np.memmap(self.path, dtype=_RAW, mode="r"), _bounded(self.camera), lens)
        except OSError as error:
            raise DatasetError(f"{self.path} cannot be read: {error}") from error
        raise DatasetError(
            f"{self.path} holds {count} values, its image has {self.camera.size} pixels: depth of the "
            f"distorted images needs {_DISTORTED}/cameras.txt beside {CALIBRATION}"
        )


def _metres(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.where(np.isfinite(values) & (values > 0), values, np.float32(np.nan))


def _bounded(camera: PinholeCamera) -> PinholeCamera:
    """The camera of an image that is no larger than any network sees: 24 million rays take a lens many seconds."""
    scale = min(_LONGEST_PX / max(camera.size), 1.0)
    return camera.resized((max(round(camera.size[0] * scale), 1), max(round(camera.size[1] * scale), 1)))


def _through_lens(values: npt.NDArray[np.float32], camera: PinholeCamera, lens: FisheyeLens) -> npt.NDArray[np.float32]:
    """(H, W) metres on the pixels of `camera`, each the nearest of the raw values of the distorted image."""
    places = _places(camera, lens)
    return np.where(places >= 0, _metres(values[places]), np.float32(np.nan))


@lru_cache(maxsize=4)
def _places(camera: PinholeCamera, lens: FisheyeLens) -> npt.NDArray[np.intp]:
    """(H, W) which value of the distorted image each pixel sees, row by row; -1 where it is outside. Not to be changed.

    All images of a camera share it.
    """
    pixels = np.rint(lens.project(camera.rays()[..., :2])).astype(np.intp)
    height, width = lens.size
    inside = ((pixels >= 0) & (pixels < (width, height))).all(axis=-1)
    return np.where(inside, pixels[..., 1] * width + pixels[..., 0], -1)


def load_eth3d(folder: Path) -> tuple[DatasetFrame, ...]:
    """The images of a scene in the order of their names.

    Raises:
        DatasetError: when files are missing or malformed, or there is no image.
    """
    cameras = {key: _pinhole(model, size, numbers) for key, model, size, numbers in _cameras(folder / CALIBRATION)}
    lenses = _lenses(folder)
    frames: list[DatasetFrame] = []
    for key, pose, name in sorted(_images(folder / CALIBRATION / "images.txt"), key=lambda row: row[2]):
        if key not in cameras:
            raise DatasetError(f"{folder / CALIBRATION}: the camera {key} of {name} is not in cameras.txt")
        depth_file = _depth_file(folder, name, cameras[key], lenses.get(key))
        frames.append(
            DatasetFrame(folder / "images" / name, "camera", len(frames), cameras[key], pose, depth_file)
        )  # fmt: skip
    if not frames:
        raise DatasetError(f"{folder / CALIBRATION / 'images.txt'} lists no image")
    return tuple(frames)


def _text(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text().splitlines() if not line.startswith("#")]
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: download the scene's undistorted images again") from error


def _cameras(calibration: Path) -> Iterator[tuple[str, str, tuple[int, int], tuple[float, ...]]]:
    """Number, model, (H, W) and parameters of each camera."""
    for line in _text(calibration / "cameras.txt"):
        words = line.split()
        if not words:
            continue
        try:
            yield words[0], words[1], (int(words[3]), int(words[2])), tuple(map(float, words[4:]))
        except (IndexError, ValueError) as error:
            raise DatasetError(f"{calibration / 'cameras.txt'} is malformed at '{line}'") from error


def _pinhole(model: str, size: tuple[int, int], numbers: tuple[float, ...]) -> PinholeCamera:
    if model != "PINHOLE" or len(numbers) != 4:
        raise DatasetError(f"a camera of {CALIBRATION} is {model}, not PINHOLE: give the undistorted images")
    fx, fy, cx, cy = numbers
    return PinholeCamera(size, fx, fy, cx - _HALF_PX, cy - _HALF_PX)


def _lenses(folder: Path) -> dict[str, FisheyeLens]:
    if not (folder / _DISTORTED / "cameras.txt").is_file():
        return {}
    found = _cameras(folder / _DISTORTED)
    return {key: FisheyeLens(size, numbers) for key, model, size, numbers in found if model == _FISHEYE}


def _images(path: Path) -> Iterator[tuple[str, FloatArray, str]]:
    """Camera number, world_from_camera and name; every second line holds points, and may be empty."""
    lines = _text(path)
    for line in lines[::2]:
        words = line.split(maxsplit=9)
        if not words:
            continue
        try:
            qw, qx, qy, qz, *shift = (float(word) for word in words[1:8])
            camera_from_world = rigid(matrix_from_quat_xyzw((qx, qy, qz, qw)), shift)
            yield words[8], checked_pose(rigid_inverse(camera_from_world), f"{path}: the pose of {words[9]}"), words[9]
        except DegenerateGeometryError as error:
            raise DatasetError(f"{path}: the pose of {words[9]}: {error}") from error
        except (IndexError, ValueError) as error:
            raise (
                error if isinstance(error, DatasetError) else DatasetError(f"{path} is malformed at '{line}'")
            ) from error


def _depth_file(folder: Path, name: str, camera: PinholeCamera, lens: FisheyeLens | None) -> DepthSource | None:
    """Depth of an image, by its own name or as .raw, in any folder below ground_truth_depth."""
    image = Path(name)
    for place in sorted((folder / "ground_truth_depth").glob("*/")) or []:
        for file in (place / image.name, place / f"{image.stem}.raw"):
            if file.is_file():
                return RawDepthFile(file, camera, lens)
    return None
