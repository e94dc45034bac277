# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Sequences of the TUM RGB-D benchmark (Sturm et al. 2012), and whatever is written in its layout.

A folder holds `rgb.txt` and `depth.txt` (seconds and a file), `groundtruth.txt` (seconds tx ty tz qx qy qz qw, which is
world-from-camera of the colour camera in optical axes) and the files. Depth is registered to colour, 5000 units a
metre. What belongs together is found by stamp. The folder does not say its intrinsics; the name says which of the three
cameras it was (`freiburg1`, `fr1`, ...).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from da3_ros.evaluation.datasets import DatasetError, DatasetFrame, DepthFile
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import FloatArray, matrix_from_quat_xyzw
from da3_ros.geometry.sim3 import rigid

UNITS_PER_METRE = 5000.0
MAX_DIFFERENCE_S = 0.02
_SIZE = (480, 640)
# From the benchmark's page "file formats", colour cameras; images of the third are already free of distortion.
CAMERAS = {
    "1": PinholeCamera(
        _SIZE, 517.3, 516.5, 318.6, 255.3, "plumb_bob", (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)
    ),
    "2": PinholeCamera(
        _SIZE, 520.9, 521.0, 325.1, 249.7, "plumb_bob", (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)
    ),
    "3": PinholeCamera(_SIZE, 535.4, 539.2, 320.1, 247.6),
}  # fmt: skip


def listed_images(folder: Path) -> list[Path]:
    """The colour images that rgb.txt names, by their stamps; whether they are there is not asked.

    Raises:
        DatasetError: when rgb.txt is missing, malformed or empty.
    """
    images = [folder / row[1] for row in _rows(folder / "rgb.txt", 2)]
    if not images:
        raise DatasetError(f"{folder / 'rgb.txt'} lists no image: there is nothing to evaluate")
    return images


def load_tum_rgbd(folder: Path, camera: PinholeCamera | None = None) -> tuple[DatasetFrame, ...]:
    """The colour images that have a pose, in order; depth where there is a depth image within 20 ms.

    Args:
        folder: with rgb.txt.
        camera: intrinsics; those of the benchmark's camera that the folder is named after when None.

    Raises:
        DatasetError: when files are missing or malformed, no image has a pose, or no camera is known.
    """
    images = _rows(folder / "rgb.txt", 2)
    depths = _rows(folder / "depth.txt", 2) if (folder / "depth.txt").is_file() else []
    truth = _rows(folder / "groundtruth.txt", 8)
    stamps, poses = _poses(truth, folder / "groundtruth.txt")
    depth_stamps = np.array([float(row[0]) for row in depths])
    calibration = camera or _named_camera(folder)
    frames: list[DatasetFrame] = []
    for row in images:
        pose_at, depth_at = _nearest(stamps, float(row[0])), _nearest(depth_stamps, float(row[0]))
        if pose_at is None:
            continue
        depth_file = None
        if depth_at is not None:
            depth_file = DepthFile(folder / depths[depth_at][1], 1 / UNITS_PER_METRE, 0)
        frames.append(
            DatasetFrame(folder / row[1], "camera", len(frames), calibration, poses[pose_at], depth_file)
        )  # fmt: skip
    if not frames:
        raise DatasetError(
            f"no image of {folder} has a pose within {MAX_DIFFERENCE_S} s: rgb.txt and groundtruth.txt need one clock"
        )
    return tuple(frames)


def _rows(path: Path, columns: int) -> list[list[str]]:
    """Words of the lines that are no comments, sorted by their stamp."""
    try:
        lines = [line.split() for line in path.read_text().splitlines() if line.strip() and line.lstrip()[0] != "#"]
        if any(len(line) < columns for line in lines):
            raise DatasetError(f"{path} is malformed: its lines must have {columns} columns")
        return sorted(lines, key=lambda line: float(line[0]))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: a TUM RGB-D sequence has rgb.txt and groundtruth.txt") from error
    except ValueError as error:
        raise error if isinstance(error, DatasetError) else DatasetError(f"{path} is malformed: {error}") from error


def _poses(rows: list[list[str]], path: Path) -> tuple[npt.NDArray[np.float64], FloatArray]:
    """(N,) seconds and (N, 4, 4) world_from_camera."""
    try:
        numbers = np.array([[float(word) for word in row[:8]] for row in rows]).reshape(-1, 8)
        if not np.isfinite(numbers).all():
            bad = int(np.argmin(np.isfinite(numbers).all(axis=1)))
            raise DatasetError(f"{path} holds a NaN or infinity at {rows[bad][0]} s: leave that line out")
        return numbers[:, 0], rigid(matrix_from_quat_xyzw(numbers[:, 4:]), numbers[:, 1:4])
    except DegenerateGeometryError as error:
        raise DatasetError(f"{path}: {error}") from error
    except ValueError as error:
        raise error if isinstance(error, DatasetError) else DatasetError(f"{path} is malformed: {error}") from error


def _nearest(stamps: npt.NDArray[np.float64], stamp: float) -> int | None:
    """Index of the nearest of ascending stamps, None when it is too far."""
    if not len(stamps):
        return None
    at = int(np.argmin(np.abs(stamps - stamp)))
    return at if abs(stamps[at] - stamp) <= MAX_DIFFERENCE_S else None


def _named_camera(folder: Path) -> PinholeCamera:
    found = re.search(r"(?:freiburg|fr)([123])(?!\d)", folder.resolve().name.lower())
    if not found:
        raise DatasetError(
            f"the intrinsics of {folder} are not known: name it after its camera (fr1, fr2, fr3) or give --intrinsics"
        )
    return CAMERAS[found[1]]
