# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Depth of an ETH3D image of real width, seen through its lens."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from da3_ros.evaluation.datasets import DatasetFrame
from da3_ros.evaluation.eth3d import FisheyeLens, RawDepthFile
from da3_ros.evaluation.known_frames import depth_on
from da3_ros.geometry.camera import PinholeCamera

LENS = FisheyeLens((36, 6000), (3400.0, 3400.0, 3000.0, 18.0, 0.02, -0.01, 0.001, 0.0, 0.005, 0.0, 0.0, 0.001))
CAMERA = PinholeCamera((40, 6400), 3400.0, 3400.0, 3199.5, 19.5)


def test_depth_of_a_large_image_is_given_for_a_smaller_one_of_the_same_view(tmp_path: Path) -> None:
    columns = np.tile(np.arange(1.0, 6001.0, dtype=np.float32), (36, 1))
    columns[:, 0] = np.inf
    columns.tofile(tmp_path / "a.JPG")
    file = RawDepthFile(tmp_path / "a.JPG", CAMERA, LENS)

    depth = file.read()

    assert depth.shape == (10, 1600)  # not the 256 000 rays of the image
    frame = DatasetFrame(Path("a.JPG"), "camera", 0, CAMERA, np.eye(4), file)
    wanted = CAMERA.resized((4, 640))
    columns_seen = LENS.project(wanted.rays()[..., :2])[..., 0] + 1  # depth is the column, counted from one
    found = depth_on(frame, wanted)
    known = np.isfinite(found)
    assert known[:, 100:-100].all()
    np.testing.assert_allclose(found[known], columns_seen[known], atol=4)  # four columns are a pixel of the smaller
