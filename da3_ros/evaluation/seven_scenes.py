# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Sequences of the 7-Scenes data set (Shotton et al. 2013).

A folder `seq-XX` holds `frame-000000.color.png`, `.depth.png` (millimetres, 65535 where unknown) and `.pose.txt`
(world-from-camera 4x4 of the depth camera, metres). The data set gives no calibration; 585 px and the middle of the
image are what it recommends. Depth is not registered to colour: both cameras stand some centimetres apart and have
somewhat different focal lengths, so that depth edges are off by a few pixels in every figure.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from da3_ros.evaluation.datasets import DatasetError, DatasetFrame, DepthFile, checked_pose
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray

CAMERA = PinholeCamera((480, 640), 585.0, 585.0, 320.0, 240.0)
UNKNOWN_DEPTH = 65535


def load_seven_scenes(folder: Path, camera: PinholeCamera | None = None) -> tuple[DatasetFrame, ...]:
    """The frames of one `seq-XX`, in order.

    Args:
        folder: with frame-*.color.png.
        camera: intrinsics; the recommended ones when None.

    Raises:
        DatasetError: when there is no frame, a frame lacks its depth or pose, or a pose is not rigid.
    """
    frames: list[DatasetFrame] = []
    for image in sorted(folder.glob("frame-*.color.png")):
        stem = image.name.removesuffix(".color.png")
        depth = folder / f"{stem}.depth.png"
        if not depth.is_file():
            raise DatasetError(f"{depth} is missing: unpack the sequence again, or leave {image.name} out")
        pose = _pose(folder / f"{stem}.pose.txt")
        depth_file = DepthFile(depth, 0.001, UNKNOWN_DEPTH)
        frames.append(DatasetFrame(image, "camera", len(frames), camera or CAMERA, pose, depth_file))
    if not frames:
        raise DatasetError(f"{folder} has no frame-*.color.png: give a seq-XX of 7-Scenes, unpacked")
    return tuple(frames)


def _pose(path: Path) -> FloatArray:
    try:
        matrix = np.array([[float(word) for word in line.split()] for line in path.read_text().splitlines() if line])
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: every frame of 7-Scenes has a pose") from error
    except ValueError as error:
        raise DatasetError(f"{path} is not a 4x4 matrix of numbers: {error}") from error
    return checked_pose(matrix, str(path))
