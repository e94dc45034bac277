# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The network is told what TF holds, world-to-camera, all views or none, and never what it answered itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid
from da3_ros.inference.network_cameras import check_known_poses
from da3_ros.streaming.conditioning import MODES, known_camera_from_world
from da3_ros.streaming.frame import Frame, FrameSet, Window
from test.strategies import rigid_transforms

IMAGE = np.zeros((2, 2, 3), dtype=np.uint8)
CAMERA = PinholeCamera((2, 2), 2.0, 2.0, 0.5, 0.5)
# front looks along base x; left sits 20 cm to the left of it and looks along base y.
PLACES = {
    "front": np.array([[0, 0, 1, 0.1], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]]),
    "left": np.array([[1, 0, 0, 0.1], [0, 0, 1, 0.2], [0, -1, 0, 0], [0, 0, 0, 1.0]]),
}
# World to camera by hand: rows are the camera's right, down and ahead in base axes; the last column is minus these
# times the centre, (0.1, 0, 0) and (0.1, 0.2, 0).
FRONT_FROM_BASE = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, -0.1], [0, 0, 0, 1.0]])
LEFT_FROM_BASE = np.array([[1, 0, 0, -0.1], [0, 0, -1, 0], [0, 1, 0, -0.2], [0, 0, 0, 1.0]])


def frame(camera: str, stamp_ns: int, calibration: PinholeCamera | None = CAMERA) -> Frame:
    return Frame(camera, stamp_ns, f"{camera}_optical_frame", IMAGE, calibration)


def window(sets: Sequence[Sequence[Frame]]) -> Window:
    return Window(0, tuple(FrameSet(index, frames[0].stamp_ns, tuple(frames)) for index, frames in enumerate(sets)))


ONE_SET = window([[frame("front", 5), frame("left", 8)]])
TWO_SETS = window([[frame("front", 0), frame("left", 3)], [frame("front", 100), frame("left", 103)]])


def ahead(stamp_ns: int) -> FloatArray | None:
    """A base that drives 1 cm per nanosecond along x."""
    return rigid(np.eye(3), [0.01 * stamp_ns, 0.0, 0.0])


def test_network_is_told_the_rig_as_computed_by_hand() -> None:
    known = known_camera_from_world(ONE_SET, PLACES, None, "rig")

    assert known.reason == ""
    assert known.camera_from_world is not None
    np.testing.assert_allclose(known.camera_from_world, [FRONT_FROM_BASE, LEFT_FROM_BASE], atol=1e-15)


def test_network_is_told_the_moved_rig_as_computed_by_hand() -> None:
    """At 103 ns the base is at x = 1.03, so left is at (1.13, 0.2, 0)."""
    known = known_camera_from_world(TWO_SETS, PLACES, ahead, "odom")

    left = LEFT_FROM_BASE.copy()
    left[:3, 3] = [-1.13, 0.0, -0.2]
    front = FRONT_FROM_BASE.copy()
    front[:3, 3] = [0.0, 0.0, -1.1]
    assert known.camera_from_world is not None
    np.testing.assert_allclose(known.camera_from_world[2], front, atol=1e-15)
    np.testing.assert_allclose(known.camera_from_world[3], left, atol=1e-15)


def test_told_pose_takes_a_point_of_the_world_into_the_camera() -> None:
    known = known_camera_from_world(TWO_SETS, PLACES, ahead, "odom")

    assert known.camera_from_world is not None
    ahead_of_left = known.camera_from_world[1] @ [0.13, 5.2, 0.0, 1.0]  # five metres to the left of it, at 3 ns
    np.testing.assert_allclose(ahead_of_left, [0.0, 0.0, 5.0, 1.0], atol=1e-12)


@given(rigid_transforms(), rigid_transforms(), rigid_transforms())
def test_told_poses_undo_tf_and_pass_the_network(base: FloatArray, front: FloatArray, left: FloatArray) -> None:
    places = {"front": front, "left": left}
    known = known_camera_from_world(ONE_SET, places, lambda stamp_ns: base, "odom", min_baseline_m=0.0)

    poses = check_known_poses(known.camera_from_world, [CAMERA, CAMERA], 2)

    assert poses is not None
    for pose, place in zip(poses, places.values(), strict=True):
        np.testing.assert_allclose(base @ place @ pose, np.eye(4), atol=1e-9)


def test_odometry_is_asked_at_the_stamp_of_every_view() -> None:
    asked: list[int] = []

    def odometry_at(stamp_ns: int) -> FloatArray | None:
        asked.append(stamp_ns)
        return ahead(stamp_ns)

    known_camera_from_world(TWO_SETS, PLACES, odometry_at, "odom")

    assert set(asked) == {0, 3, 100, 103}


def test_nothing_is_told_when_odometry_misses_one_view() -> None:
    known = known_camera_from_world(TWO_SETS, PLACES, lambda ns: None if ns == 103 else ahead(ns), "odom")

    assert known.camera_from_world is None
    assert "103" in known.reason
    assert "left" in known.reason


def test_nothing_is_told_when_odometry_is_no_number() -> None:
    known = known_camera_from_world(TWO_SETS, PLACES, lambda ns: np.full((4, 4), np.nan), "odom")

    assert known.camera_from_world is None
    assert "odometry" in known.reason


@pytest.mark.parametrize(
    ("given_window", "mode", "word"),
    [
        (ONE_SET, "none", "off"),
        (TWO_SETS, "rig", "motion"),
        (window([[frame("front", 0)]]), "rig", "alone"),
        (window([[frame("front", 0), frame("other", 0)]]), "rig", "other"),
        (window([[frame("front", 0), frame("left", 0, None)]]), "odom", "left"),
        (window([[frame("front", 0)], [frame("front", 1)]]), "odom", "0.010 m"),
    ],
    ids=["off", "several sets", "one view", "no place", "no calibration", "no baseline"],
)
def test_nothing_is_told_and_the_reason_is_said(given_window: Window, mode: str, word: str) -> None:
    known = known_camera_from_world(given_window, PLACES, ahead, mode)

    assert known.camera_from_world is None
    assert word in known.reason


def test_cameras_in_one_place_are_not_told_however_they_are_turned() -> None:
    left = PLACES["left"].copy()
    left[:3, 3] = PLACES["front"][:3, 3] + [0.0, 0.019, 0.0]

    assert known_camera_from_world(ONE_SET, {**PLACES, "left": left}, None, "rig").camera_from_world is None


def test_standing_base_is_told_when_the_rig_itself_is_wide() -> None:
    known = known_camera_from_world(TWO_SETS, PLACES, lambda ns: np.eye(4), "odom")

    assert known.camera_from_world is not None
    np.testing.assert_allclose(known.camera_from_world[2:], [FRONT_FROM_BASE, LEFT_FROM_BASE], atol=1e-15)


def test_nothing_is_told_when_no_odometry_is_connected() -> None:
    known = known_camera_from_world(ONE_SET, PLACES, None, "odom")

    assert known.camera_from_world is None
    assert "no external odometry" in known.reason


def test_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="one of none, rig, odom"):
        known_camera_from_world(ONE_SET, PLACES, ahead, "both")


@pytest.mark.parametrize("mode", MODES)
def test_inputs_are_left_as_they_were(mode: str) -> None:
    places = {camera: place.copy() for camera, place in PLACES.items()}

    known_camera_from_world(ONE_SET, places, ahead, mode)

    np.testing.assert_array_equal(np.stack(list(places.values())), np.stack(list(PLACES.values())))


def test_frames_of_one_set_may_come_in_any_order() -> None:
    swapped = replace(ONE_SET, frame_sets=(replace(ONE_SET.frame_sets[0], frames=ONE_SET.views[::-1]),))

    known = known_camera_from_world(swapped, PLACES, None, "rig")

    assert known.camera_from_world is not None
    np.testing.assert_allclose(known.camera_from_world, [LEFT_FROM_BASE, FRONT_FROM_BASE], atol=1e-15)
