# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Data sets as people have them on disk, in miniature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from da3_ros.geometry.sim3 import rigid

TURN = Rotation.from_rotvec([0.1, -0.4, 0.2])


def write_png(file: Path, image: npt.NDArray[Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), image)


def colour(level: int, size: tuple[int, int] = (480, 640)) -> npt.NDArray[np.uint8]:
    return np.full((*size, 3), (10, 20, level), dtype=np.uint8)  # B G R


def tum(folder: Path) -> Path:
    """Three colour images; the second has no depth near it, the third no pose."""
    scene = folder / "rgbd_dataset_freiburg3_desk"
    for number in range(3):
        write_png(scene / "rgb" / f"{number}.png", colour(number))
    write_png(scene / "depth" / "0.png", np.full((480, 640), 10_000, np.uint16))
    (scene / "rgb.txt").write_text("# stamp file\n100.00 rgb/0.png\n100.10 rgb/1.png\n105.0 rgb/2.png\n")
    (scene / "depth.txt").write_text("100.01 depth/0.png\n")
    quat = " ".join(map(str, TURN.as_quat()))
    (scene / "groundtruth.txt").write_text(f"# truth\n100.005 1 2 3 {quat}\n100.10 4 5 6 {quat}\n")
    return scene


def seven_scenes(folder: Path) -> Path:
    scene = folder / "chess" / "seq-01"
    pose = rigid(TURN.as_matrix(), [1.0, 2.0, 3.0])
    for number in range(2):
        stem = scene / f"frame-{number:06d}"
        write_png(Path(f"{stem}.color.png"), colour(number))
        depth = np.full((480, 640), 1500, np.uint16)
        depth[0, :2] = 65535, 0
        write_png(Path(f"{stem}.depth.png"), depth)
        np.savetxt(f"{stem}.pose.txt", pose, fmt="%.7e")
    return scene


def eth3d(folder: Path) -> Path:
    scene = folder / "courtyard"
    write_png(scene / "images" / "dslr_images_undistorted" / "DSC_1.JPG", colour(1, (40, 60)))
    write_png(scene / "images" / "dslr_images_undistorted" / "DSC_0.JPG", colour(0, (40, 60)))
    calibration = scene / "dslr_calibration_undistorted"
    calibration.mkdir()
    (calibration / "cameras.txt").write_text("# cameras\n0 PINHOLE 60 40 50.0 51.0 30.5 20.5\n")
    x, y, z, w = TURN.as_quat()
    (calibration / "images.txt").write_text(
        f"# two lines each\n3 {w} {x} {y} {z} 1 2 3 0 dslr_images_undistorted/DSC_1.JPG\n\n"
        "2 1 0 0 0 0 0 0 0 dslr_images_undistorted/DSC_0.JPG\n12.5 7.5 -1\n"
    )
    depth = np.full((40, 60), 4.0, np.float32)
    depth[0, 0] = np.inf
    (scene / "ground_truth_depth" / "dslr_images").mkdir(parents=True)
    depth.tofile(scene / "ground_truth_depth" / "dslr_images" / "DSC_1.JPG")
    return scene


def meta(folder: Path) -> Path:
    scene = folder / "rig"
    camera = {"K": [[30.0, 0, 19.5], [0, 31.0, 9.5], [0, 0, 1]], "width": 40, "height": 20, "distortion": None}
    for name in ("a", "b"):
        write_png(scene / f"{name}.png", colour(1, (20, 40)))
    frames = [{"image": f"{n}.png", "camera": c, "pose_c2w": np.eye(4).tolist()} for n, c in (("a", "x"), ("b", "y"))]
    depth = {"scale": 0.001, "invalid": 0}
    (scene / "meta.json").write_text(
        json.dumps({"depth": depth, "cameras": {"x": camera, "y": camera}, "frames": frames})
    )
    return scene
