# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The half pixel, the inverse and the checks at the border to the network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid, rigid_inverse
from da3_ros.inference.network_cameras import (
    camera_from_network_intrinsics,
    check_known_poses,
    network_intrinsics_from_camera,
    window_from_camera_of_network,
)

CAMERA = PinholeCamera((28, 42), 30.0, 31.0, 20.5, 13.5)
sizes = st.floats(1.0, 2000.0)


@given(sizes, sizes, sizes, sizes)
def test_intrinsics_survive_the_round_trip(fx: float, fy: float, cx: float, cy: float) -> None:
    camera = PinholeCamera((480, 640), fx, fy, cx, cy)

    back = camera_from_network_intrinsics(network_intrinsics_from_camera(camera), camera.size)

    np.testing.assert_allclose(back.matrix, camera.matrix, rtol=1e-12)


def test_middle_of_the_image_is_half_its_size_for_the_network_only() -> None:
    predicted = camera_from_network_intrinsics([[30, 0, 21], [0, 30, 14], [0, 0, 1]], (28, 42))

    assert (predicted.cx_px, predicted.cy_px) == (20.5, 13.5)


def test_window_from_camera_is_the_inverse_and_rigid_in_double_precision() -> None:
    world_from_camera = rigid(matrix_from_rotation_vector([0.1, -2.0, 0.3]), [1.0, 2.0, 3.0])

    found = window_from_camera_of_network(rigid_inverse(world_from_camera)[None].astype(np.float32))

    np.testing.assert_allclose(found[0], world_from_camera, atol=1e-6)
    np.testing.assert_allclose(found[0, :3, :3] @ found[0, :3, :3].T, np.eye(3), atol=1e-14)


def test_known_poses_are_none_when_none_are_given() -> None:
    assert check_known_poses(None, None, 3) is None


@pytest.mark.parametrize(
    "broken",
    [
        np.diag([2.0, 2.0, 2.0, 1.0]),
        np.diag([1.0, 1.0, -1.0, 1.0]),
        np.full((4, 4), np.nan),
        np.eye(4) + np.eye(4)[[3, 0, 1, 2]],
    ],
)
def test_known_pose_is_named_when_it_is_not_rigid(broken: np.ndarray) -> None:
    with pytest.raises(ValueError, match="view 1: its known pose is not a rigid transform"):
        check_known_poses(np.stack((np.eye(4), broken)), [CAMERA, CAMERA], 2)


def test_known_poses_are_refused_when_a_view_has_no_calibration() -> None:
    with pytest.raises(ValueError, match="view 1 has a known pose but no calibration"):
        check_known_poses(np.tile(np.eye(4), (2, 1, 1)), [CAMERA, None], 2)


def test_known_poses_are_refused_when_their_number_is_not_that_of_the_views() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4, 4\).*\(2, 4, 4\)"):
        check_known_poses(np.tile(np.eye(4), (2, 1, 1)), [CAMERA] * 3, 3)
