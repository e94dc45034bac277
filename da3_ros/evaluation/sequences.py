# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Folders with known poses, told apart by what lies in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2

from da3_ros.evaluation import eth3d, seven_scenes, tum_rgbd
from da3_ros.evaluation.datasets import DatasetError, DatasetFrame, load_dataset
from da3_ros.evaluation.known_frames import KnownSequence
from da3_ros.geometry.camera import PinholeCamera

Intrinsics = tuple[float, float, float, float]
"""fx, fy, cx, cy in pixels of the images as they are, centres at integers."""

KINDS = (
    "meta.json, rgb.txt and groundtruth.txt (TUM RGB-D), frame-*.color.png or seq-* (7-Scenes), or "
    "dslr_calibration_undistorted (ETH3D)"
)

_DISTORTED = "dslr_calibration_jpg"  # all that the DA3 benchmark's copy of ETH3D has


def load_sequences(folder: Path, intrinsics: Intrinsics | None = None) -> tuple[KnownSequence, ...]:
    """All sequences of a folder, one for each camera; images and depth are read when asked for.

    Args:
        folder: in one of the four layouts that its modules describe.
        intrinsics: of TUM RGB-D and 7-Scenes, which do not record them, in the place of what is known of their cameras.

    Raises:
        DatasetError: when the folder has none of the layouts, or is malformed.
    """
    folder = named(folder)
    if (folder / "meta.json").is_file():
        return _by_camera(folder.name, load_dataset(folder))
    if (folder / "rgb.txt").is_file():
        camera = _camera(intrinsics, tum_rgbd.listed_images(folder))
        return (KnownSequence(folder.name, "TUM RGB-D", tum_rgbd.load_tum_rgbd(folder, camera)),)
    if (folder / eth3d.CALIBRATION).is_dir():
        return (KnownSequence(folder.name, "ETH3D", eth3d.load_eth3d(folder)),)
    if (folder / _DISTORTED).is_dir():
        raise DatasetError(f"{folder} has no {eth3d.CALIBRATION}: download the scene's undistorted images too")
    if any(folder.glob("frame-*.color.png")):
        return (_seven_scenes(folder, intrinsics),)
    scenes = sorted(scene for scene in folder.glob("seq-*") if scene.is_dir())  # their archives may lie beside them
    if scenes:
        return tuple(_seven_scenes(scene, intrinsics) for scene in scenes)
    raise DatasetError(f"{folder} is not a data set known here: there must be {KINDS}")


def named(folder: Path) -> Path:
    """The same folder by a path that ends in its name, which `.` and `..` do not."""
    return folder.resolve() if folder.name in ("", "..") else folder


def _seven_scenes(folder: Path, intrinsics: Intrinsics | None) -> KnownSequence:
    camera = _camera(intrinsics, sorted(folder.glob("frame-*.color.png")))
    name = "/".join(folder.resolve().parts[-2:])
    return KnownSequence(name, "7-Scenes", seven_scenes.load_seven_scenes(folder, camera))


def _camera(intrinsics: Intrinsics | None, images: list[Path]) -> PinholeCamera | None:
    if intrinsics is None or not images:
        return None
    image = cv2.imread(str(images[0]), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise DatasetError(f"{images[0]} is not a readable image")
    return PinholeCamera((image.shape[0], image.shape[1]), *intrinsics)


def _by_camera(name: str, frames: Iterable[DatasetFrame]) -> tuple[KnownSequence, ...]:
    cameras: dict[str, list[DatasetFrame]] = {}
    for frame in frames:
        cameras.setdefault(frame.camera, []).append(frame)
    if not cameras:
        raise DatasetError(f"meta.json of {name} lists no frame: there is nothing to evaluate")
    return tuple(
        KnownSequence(name if len(cameras) == 1 else f"{name}/{camera}", "folder", tuple(own))
        for camera, own in cameras.items()
    )
