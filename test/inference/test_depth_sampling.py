# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Depth seen on another pixel grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import ViewTruth
from da3_ros.inference.depth_sampling import sample_depth

CAMERA = PinholeCamera((48, 64), 50.0, 52.0, 33.0, 22.0)
BARREL = PinholeCamera((48, 64), 50.0, 52.0, 33.0, 22.0, "plumb_bob", (-0.1, 0.01, 0.0, 0.0))


def truth_of(depth: npt.NDArray[np.float32], camera: PinholeCamera = CAMERA) -> ViewTruth:
    return ViewTruth(depth, camera, np.eye(4))


def plane(camera: PinholeCamera) -> npt.NDArray[np.float32]:
    """Depth of the plane 0.3 x - 0.2 y + z = 2."""
    return (2 / (camera.rays() @ (0.3, -0.2, 1.0))).astype(np.float32)


@pytest.mark.parametrize("wanted", [CAMERA.resized((42, 56)), CAMERA.resized((96, 128)).cropped(10, 20, (50, 60))])
def test_plane_is_exact_when_the_grid_is_another(wanted: PinholeCamera) -> None:
    found = sample_depth(truth_of(plane(CAMERA)), wanted)

    inside = found[1:-1, 1:-1]
    np.testing.assert_allclose(inside, plane(wanted)[1:-1, 1:-1], rtol=1e-6)


def test_plane_is_exact_when_the_truth_is_distorted() -> None:
    rays = BARREL.rays()
    bent = CAMERA.project(rays)  # a pixel of the rectified image
    assert np.allclose(bent, np.stack(np.meshgrid(np.arange(64), np.arange(48)), -1))
    flat = np.full((48, 64), 2.0, dtype=np.float32)

    found = sample_depth(truth_of(flat, BARREL), CAMERA)

    np.testing.assert_allclose(found[~np.isnan(found)], 2.0)


def test_depth_is_returned_as_it_is_when_the_grid_is_the_same() -> None:
    depth = plane(CAMERA)

    assert sample_depth(truth_of(depth), CAMERA) is depth


def test_no_depth_lies_between_two_surfaces_at_an_edge() -> None:
    depth = np.full((48, 64), 1.0, dtype=np.float32)
    depth[:, 30:] = 4.0

    found = sample_depth(truth_of(depth), CAMERA.resized((42, 56)))

    assert set(np.unique(found)) == {1.0, 4.0}


def test_unknown_depth_stays_unknown_and_does_not_spread_beyond_its_pixel() -> None:
    depth = np.full((48, 64), 2.0, dtype=np.float32)
    depth[20, 30] = np.nan

    found = sample_depth(truth_of(depth), CAMERA.resized((96, 128)))

    assert np.isnan(found).sum() == 4
    assert np.isnan(found[40:42, 60:62]).all()


def test_depth_is_unknown_outside_the_truth() -> None:
    wide = PinholeCamera((48, 64), 25.0, 26.0, 33.0, 22.0)

    found = sample_depth(truth_of(np.full((48, 64), 2.0, dtype=np.float32)), wide)

    assert np.isnan(found[0, 0])
    assert found[22, 33] == 2.0
