# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from da3_ros.simulation.rig import Rig, base_from_optical, ring_rig, stereo_rig, three_camera_rig


def test_an_upright_camera_ahead_follows_rep_103() -> None:
    base_from_camera = base_from_optical((0.1, 0.2, 0.3), 0.0)

    np.testing.assert_allclose(base_from_camera[:3, 2], (1, 0, 0), atol=1e-15)  # optical z is forward
    np.testing.assert_allclose(base_from_camera[:3, 0], (0, -1, 0), atol=1e-15)  # optical x is right
    np.testing.assert_allclose(base_from_camera[:3, 1], (0, 0, -1), atol=1e-15)  # optical y is down
    np.testing.assert_array_equal(base_from_camera[:3, 3], (0.1, 0.2, 0.3))


@pytest.mark.parametrize("yaw", [-2.0, 0.3, 3.0])
@pytest.mark.parametrize("down", [-0.2, 0.0, 0.5])
def test_mounts_are_rotations_that_look_down_by_the_tilt(yaw: float, down: float) -> None:
    turn = base_from_optical((0, 0, 1), yaw, down)[:3, :3]

    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-15)
    assert np.linalg.det(turn) == pytest.approx(1)
    assert turn[2, 2] == pytest.approx(-np.sin(down))
    assert turn[2, 0] == pytest.approx(0)  # no roll


def test_three_cameras_look_outwards_and_overlap() -> None:
    rig = three_camera_rig((48, 64))
    headings = {c.name: np.arctan2(c.base_from_camera[1, 2], c.base_from_camera[0, 2]) for c in rig.cameras}
    half_view = np.arctan(32 / rig.named("front").camera.fx_px)

    assert [c.name for c in rig.cameras] == ["front", "left", "right"]
    assert rig.named("left").frame_id == "left_optical_frame"
    assert headings["left"] > headings["front"] > headings["right"]
    assert headings["left"] - headings["front"] < 2 * half_view
    for camera in rig.cameras:
        outward = camera.base_from_camera[:2, 3] @ camera.base_from_camera[:2, 2]
        assert outward > 0
        assert camera.camera.size == (48, 64)


def test_a_rig_refuses_unknown_and_double_names() -> None:
    rig = three_camera_rig()

    with pytest.raises(LookupError, match="no camera 'rear', only front, left, right"):
        rig.named("rear")
    with pytest.raises(ValueError, match="names that differ"):
        Rig((rig.cameras[0], rig.cameras[0]))


def test_stereo_cameras_stand_side_by_side_and_look_the_same_way() -> None:
    rig = stereo_rig(0.1, (48, 64))
    left, right = (rig.named(name).base_from_camera for name in ("left", "right"))

    np.testing.assert_allclose(left[:3, 3] - right[:3, 3], (0, 0.1, 0), atol=1e-15)
    np.testing.assert_array_equal(left[:3, :3], right[:3, :3])


@pytest.mark.parametrize("cameras", [4, 6])
def test_ring_of_cameras_looks_all_round(cameras: int) -> None:
    rig = ring_rig(cameras, (48, 64))
    headings = [np.arctan2(c.base_from_camera[1, 2], c.base_from_camera[0, 2]) for c in rig.cameras]

    steps = np.diff(np.unwrap(headings))
    np.testing.assert_allclose(steps, 2 * np.pi / cameras, atol=1e-12)
    assert rig.cameras[0].name == "camera0"
    assert headings[0] == 0
