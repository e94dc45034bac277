# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The base starts at the origin with REP-103 axes, moves as its cameras do, and says when it does not go on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.pose_errors import ViewNoise
from da3_ros.geometry.rotation import (
    FloatArray,
    matrix_from_rotation_vector,
    rotation_angle,
    rotation_vector_from_matrix,
)
from da3_ros.geometry.sim3 import rigid
from da3_ros.streaming.odometry import RESET_VARIANCE, Odometry, OdometryState
from test.strategies import rigid_transforms, seeds, unit_vectors
from test.streaming.exact_robot import METRES_PER_UNIT, METRIC, NO_ERRORS, SECOND_NS, Robot, keys
from test.streaming.gaussian_windows import AHEAD, ONE, RELATIVE, TWO, base_from_cameras, fixed, report

BEND = rigid(matrix_from_rotation_vector([0.0, 0.0, 0.2]), [0.5, 0.1, 0.0])


def assert_says_reset(state: OdometryState) -> None:
    assert state.is_reset
    for covariance in (state.pose_covariance, state.twist_covariance):
        np.testing.assert_array_equal(covariance, RESET_VARIANCE * np.eye(6))
    np.testing.assert_array_equal([state.linear_velocity, state.angular_velocity], np.zeros((2, 3)))


@pytest.mark.parametrize("rig", [ONE, AHEAD, TWO], ids=["one", "ahead", "two"])
def test_first_base_pose_is_the_origin_in_metres_and_no_reset(rig: Sequence[FloatArray]) -> None:
    robot = Robot(rig)
    robot.begin()

    state = robot.follow()

    np.testing.assert_allclose(state.odom_from_base, np.eye(4), atol=1e-12)
    assert robot.odometry.odom_from_world.scale == METRES_PER_UNIT
    assert not state.is_reset
    assert state.pose_covariance[0, 0] < 1e-5
    assert state.twist_covariance[0, 0] > 100


@pytest.mark.parametrize("rig", [ONE, AHEAD, TWO], ids=["one", "ahead", "two"])
def test_base_goes_where_the_robot_goes(rig: Sequence[FloatArray]) -> None:
    robot = Robot(rig)
    robot.begin()

    states = [robot.follow(BEND) for _ in range(10)]

    np.testing.assert_allclose(states[-1].odom_from_base, robot.true_from_base, atol=1e-9)


def test_twist_is_the_motion_per_second_in_base_axes_at_the_new_pose() -> None:
    robot = Robot(AHEAD)
    robot.begin()
    robot.follow()
    turn = matrix_from_rotation_vector([0.01, 0.02, 0.05])

    state = robot.follow(rigid(turn, [0.1, 0.0, 0.0]), after_ns=50_000_000)

    np.testing.assert_allclose(state.linear_velocity, turn.T @ [2.0, 0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(state.angular_velocity, [0.2, 0.4, 1.0], atol=1e-9)


@pytest.mark.parametrize("after_ns", [0, -5])
def test_twist_is_zero_and_unsure_when_the_stamp_does_not_advance(after_ns: int) -> None:
    robot = Robot()
    robot.begin()
    robot.follow()

    state = robot.follow(BEND, after_ns)

    np.testing.assert_array_equal([state.linear_velocity, state.angular_velocity], np.zeros((2, 3)))
    np.testing.assert_array_equal(state.twist_covariance, 900 * np.eye(6))
    assert not state.is_reset


@given(unit_vectors(), st.floats(0.1, 20.0))
def test_first_pose_is_brought_level_without_turning_about_the_vertical(up: FloatArray, length: float) -> None:
    robot = Robot()
    robot.odometry.set_up(length * up)
    robot.begin()

    rotation = robot.follow().odom_from_base[:3, :3]

    np.testing.assert_allclose(rotation @ up, [0, 0, 1], atol=1e-9)
    assert rotation_angle(rotation) == pytest.approx(np.arccos(np.clip(up[2], -1, 1)), abs=1e-6)  # the smallest
    assert rotation_vector_from_matrix(rotation)[2] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("up", "expected"), [((0, 0, 9.8), np.eye(3)), ((0, 0, -1), np.diag([1.0, -1.0, -1.0]))])
def test_level_base_stays_and_one_upside_down_rolls_over(up: tuple[float, ...], expected: FloatArray) -> None:
    robot = Robot()
    robot.odometry.set_up(up)
    robot.begin()

    np.testing.assert_allclose(robot.follow().odom_from_base[:3, :3], expected, atol=1e-12)


def test_up_counts_from_the_next_origin_on() -> None:
    robot = Robot()
    robot.begin()
    robot.odometry.set_up((0, 1, 1))

    np.testing.assert_allclose(robot.follow().odom_from_base, np.eye(4), atol=1e-12)
    robot.odometry.reset()
    robot.begin()
    assert rotation_angle(robot.follow().odom_from_base[:3, :3]) == pytest.approx(np.pi / 4)
    robot.odometry.set_up(None)
    robot.odometry.reset()
    robot.begin()
    np.testing.assert_allclose(robot.follow().odom_from_base, np.eye(4), atol=1e-12)


@pytest.mark.parametrize("up", [(0, 0, 0), (np.nan, 0, 1), (1, 1)])
def test_up_is_refused_when_it_is_no_direction(up: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="up must be"):
        Odometry().set_up(up)


def test_reset_returns_to_the_origin_and_says_so_once() -> None:
    robot = Robot()
    robot.begin()
    robot.follow(BEND)
    robot.odometry.reset()
    assert robot.odometry.path == ()

    robot.begin()
    states = [robot.follow(), robot.follow()]

    assert_says_reset(states[0])
    np.testing.assert_allclose(states[0].odom_from_base, np.eye(4), atol=1e-12)
    assert not states[1].is_reset


def test_reset_is_not_said_when_nothing_was_published() -> None:
    robot = Robot()
    robot.begin()
    robot.odometry.reset()
    robot.begin()
    robot.begin()

    assert not robot.follow().is_reset


def test_lost_track_goes_on_from_the_last_pose_and_says_so_once_with_little_certainty() -> None:
    robot = Robot(TWO)
    robot.begin()
    robot.follow()
    last = robot.follow(BEND)
    robot.true_from_base = robot.true_from_base @ BEND @ BEND  # unseen

    robot.begin()
    states = [robot.follow(), robot.follow(BEND)]

    assert_says_reset(states[0])
    np.testing.assert_allclose(states[0].odom_from_base, last.odom_from_base, atol=1e-9)
    assert not states[1].is_reset
    assert states[1].pose_covariance[0, 0] >= 100
    assert states[1].twist_covariance[0, 0] < 1
    np.testing.assert_allclose(states[1].odom_from_base, last.odom_from_base @ BEND, atol=1e-9)
    assert len(robot.odometry.path) == 4


def test_pose_is_told_as_a_reset_without_a_jump_when_the_scale_becomes_metric() -> None:
    robot = Robot()
    robot.begin(RELATIVE)
    robot.follow()
    last = robot.follow(BEND)

    robot.advance(METRIC)
    states = [robot.follow(), robot.follow(BEND)]

    assert_says_reset(states[0])
    np.testing.assert_allclose(states[0].odom_from_base, last.odom_from_base, atol=1e-9)
    assert robot.odometry.path == tuple(states)  # lengths before were in another unit
    np.testing.assert_allclose(states[0].odom_from_base @ BEND, states[1].odom_from_base, atol=1e-9)
    assert states[1].pose_covariance[0, 0] < 0.01


@given(
    st.lists(st.floats(0.3, 3.0), min_size=1, max_size=5),
    st.sampled_from([ONE, AHEAD, TWO]),
    st.floats(0.05, 0.95),
    rigid_transforms(),
)
def test_no_published_pose_moves_when_the_scale_changes(
    scales: list[float], rig: Sequence[FloatArray], share: float, motion: FloatArray
) -> None:
    robot = Robot(rig, np.array((share, 1 - share)) if len(rig) == 2 else None)
    robot.begin()
    robot.follow()
    for metres_per_unit in scales:
        last = robot.follow(motion)

        robot.advance(fixed(metres_per_unit, sigma=0.1))

        np.testing.assert_allclose(robot.base_now(), last.odom_from_base, atol=3e-6)


@given(st.lists(st.floats(0.3, 3.0), min_size=1, max_size=5), rigid_transforms())
def test_base_moves_by_the_measured_motion_in_the_new_scale_when_the_window_changes(
    scales: list[float], motion: FloatArray
) -> None:
    robot = Robot(ONE)
    robot.begin()
    before = robot.follow()
    for factor in scales:
        robot.advance(fixed(METRES_PER_UNIT * factor, sigma=0.1))
        after = robot.follow(motion)

        expected = before.odom_from_base @ rigid(motion[:3, :3], factor * motion[:3, 3])
        np.testing.assert_allclose(after.odom_from_base, expected, atol=3e-6)
        before = after


@given(seeds)
def test_consumers_can_take_every_state_whatever_happens(seed: int) -> None:
    rng = np.random.default_rng(seed)
    robot = Robot(TWO)
    robot.begin(METRIC if rng.random() < 0.5 else RELATIVE)
    for step in range(30):
        event, size = rng.random(), 10 ** rng.uniform(-9, 4)
        scale = RELATIVE if rng.random() < 0.1 else fixed(10 ** rng.uniform(-1, 1), sigma=size)
        if event < 0.05:
            robot.odometry.reset()
        if event < 0.15:
            robot.begin(scale)
        elif event < 0.5:
            noise = ViewNoise(size, size, size)
            told = report(NO_ERRORS, noise, size * np.eye(7), rng.normal(size=3), size)
            robot.odometry.advance(told, scale)
        motion = np.eye(4) if rng.random() < 0.5 else BEND
        state = robot.follow(motion, after_ns=int(rng.choice([0, 1, SECOND_NS, 10**13, -SECOND_NS])))

        assert step == 0 or state.is_reset or not np.array_equal(state.odom_from_base, np.eye(4))
        assert np.isfinite([state.linear_velocity, state.angular_velocity]).all()
        for covariance in (state.pose_covariance, state.twist_covariance):
            assert np.linalg.eigvalsh(covariance).min() > 0
            assert (np.diagonal(covariance) != 1.0).all()
            assert state.is_reset or np.abs(covariance).max() <= 900.001


def test_identity_is_never_told_again_when_the_robot_stands() -> None:
    robot = Robot()
    robot.begin()

    states = [robot.follow() for _ in range(5)]

    np.testing.assert_allclose([state.odom_from_base for state in states], np.tile(np.eye(4), (5, 1, 1)), atol=2e-6)
    assert not any(np.array_equal(state.odom_from_base, np.eye(4)) for state in states[1:])


def test_pose_covariance_grows_with_every_window_and_twist_covariance_does_not() -> None:
    robot = Robot(AHEAD)
    robot.begin()
    robot.follow()
    states = []
    for _ in range(50):
        robot.advance()
        states.append(robot.follow(BEND))

    variances = [np.trace(state.pose_covariance[:3, :3]) for state in states]
    assert variances[-1] > 10 * variances[0]
    assert states[-1].twist_covariance[0, 0] == pytest.approx(states[1].twist_covariance[0, 0], rel=0.5)


def test_path_is_bounded() -> None:
    robot = Robot()
    robot.odometry = Odometry(path_length=3)
    robot.begin()

    states = [robot.follow() for _ in range(10)]

    assert robot.odometry.path == tuple(states[-3:])


def test_window_is_refused_when_no_segment_has_begun() -> None:
    with pytest.raises(ValueError, match="begin_segment"):
        Robot().advance()
    with pytest.raises(ValueError, match="begin_segment"):
        Robot().follow()


def test_base_is_refused_when_a_view_has_no_pose() -> None:
    robot = Robot(TWO)
    robot.begin()

    with pytest.raises(ValueError, match="2 views"):
        robot.odometry.follow(base_from_cameras(keys(TWO, 0), np.stack(TWO), TWO), np.stack(TWO)[:1])
