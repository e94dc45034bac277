# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the odometry says about its errors is what they are, over many runs whose noise is known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.streaming.odometry import OdometryState
from test.streaming.exact_robot import METRES_PER_UNIT, METRIC, NO_ERRORS, Robot
from test.streaming.gaussian_windows import (
    AHEAD,
    ONE,
    PERIOD_NS,
    RELATIVE,
    TWO,
    WORLD_FROM_TRUE,
    GaussianRun,
    Step,
    fixed,
    report,
)

RUNS = 100
SIDEWAYS = rigid(np.eye(3), [0.0, 0.5, 0.0])
IN_PLACE = rigid(matrix_from_rotation_vector([0.0, 0.0, 1.0]), np.zeros(3))
BAND = chi2.ppf((0.025, 0.975), 6 * RUNS) / RUNS


@dataclass(frozen=True, slots=True, eq=False)
class Consistency:
    """Normalised errors squared of 6 numbers, (runs, steps), and which steps lie between two windows."""

    increments: FloatArray
    poses: FloatArray
    is_window_change: npt.NDArray[np.bool_]


def normalised(error: FloatArray, covariance: FloatArray) -> float:
    return float(error @ np.linalg.solve(covariance, error))


def increment_error(before: Step, after: Step) -> FloatArray:
    """Velocity that was told, less the true one found with another library."""
    turn = Rotation.from_matrix(after.odom_from_base[:3, :3])
    turned = Rotation.from_matrix(before.odom_from_base[:3, :3]).inv() * turn
    shift = turn.inv().apply(after.odom_from_base[:3, 3] - before.odom_from_base[:3, 3])
    velocity = np.concatenate((after.state.linear_velocity, after.state.angular_velocity))
    return velocity - np.concatenate((shift, turned.as_rotvec())) / (PERIOD_NS * 1e-9)


def pose_error(step: Step) -> FloatArray:
    said = step.state.odom_from_base
    turn = Rotation.from_matrix(step.odom_from_base[:3, :3]) * Rotation.from_matrix(said[:3, :3]).inv()
    return np.concatenate((step.odom_from_base[:3, 3] - said[:3, 3], turn.as_rotvec()))


@lru_cache
def consistency(
    rig: str, windows: int, runs: int = RUNS, stride: int = 4, scale_sigma: float | None = 0.02
) -> Consistency:
    places: Sequence[FloatArray] = {"one": ONE, "ahead": AHEAD, "two": TWO}[rig]
    increments, poses = [], []
    for seed in range(runs):
        steps = list(GaussianRun(places, seed, stride=stride, scale_sigma=scale_sigma).steps(windows))
        pairs = list(pairwise(steps))
        increments.append([normalised(increment_error(*pair), pair[1].state.twist_covariance) for pair in pairs])
        poses.append([normalised(pose_error(step), step.state.pose_covariance) for step in steps[1:]])
    is_change = np.array([before.window != after.window for before, after in pairs])
    return Consistency(np.array(increments), np.array(poses), is_change)


@pytest.mark.parametrize("rig", ["ahead", "two"])
def test_normalised_error_of_increments_is_inside_the_chi_square_band_when_averaged_over_100_runs(rig: str) -> None:
    found = consistency(rig, windows=4)

    for kind in (found.is_window_change, ~found.is_window_change):
        assert BAND[0] < found.increments[:, kind].mean() < BAND[1]
    # Not only the mean: the tail is where a filter's gate is.
    assert 0.93 < np.mean(found.increments < chi2.ppf(0.95, 6)) < 0.97


def test_normalised_error_of_increments_is_inside_the_band_when_the_scale_is_relative() -> None:
    found = consistency("one", windows=4, scale_sigma=None)

    assert BAND[0] < found.increments.mean() < BAND[1]


def test_no_window_change_jumps_beyond_what_was_said() -> None:
    for rig in ("ahead", "two"):
        found = consistency(rig, windows=4)

        jumps = found.increments[:, found.is_window_change]
        assert jumps.max() < chi2.ppf(1 - 0.01 / jumps.size, 6)


@pytest.mark.parametrize("rig", ["ahead", "two"])
def test_pose_covariance_tells_the_accumulated_error_when_windows_share_no_noise(rig: str) -> None:
    poses = consistency(rig, windows=4).poses

    assert 5.0 < poses[:, -4:].mean() < 7.0


def test_pose_covariance_is_too_large_rather_than_too_small_when_views_are_shared_by_three_windows() -> None:
    poses = consistency("ahead", windows=6, runs=50, stride=2).poses

    assert 3.5 < poses[:, -4:].mean() < 6.5


def test_pose_covariance_tells_the_error_when_the_scale_is_measured_badly_at_first() -> None:
    poses = consistency("ahead", windows=4, scale_sigma=0.15).poses

    assert 5.0 < poses[:, -4:].mean() < 7.0


def exact_states(scale_sigma: float, motion: FloatArray, rig: Sequence[FloatArray] = AHEAD) -> list[OdometryState]:
    robot = Robot(rig)
    robot.begin(fixed(METRES_PER_UNIT, scale_sigma))
    return [robot.follow(), robot.follow(motion)]


def test_twist_covariance_has_the_scale_in_it_along_the_way_of_the_cameras() -> None:
    for motion, way in ((SIDEWAYS, SIDEWAYS[:3, 3]), (IN_PLACE, IN_PLACE[:3, :3].T @ cameras_way(IN_PLACE))):
        sure, unsure = exact_states(0.0, motion)[1], exact_states(0.3, motion)[1]

        gained = unsure.twist_covariance - sure.twist_covariance
        np.testing.assert_allclose(gained[:3, :3], 0.3**2 * np.outer(way, way), atol=1e-9)


def cameras_way(motion: FloatArray) -> FloatArray:
    return (motion @ AHEAD[0] - AHEAD[0])[:3, 3]


def test_pose_covariance_does_not_depend_on_the_scale_when_the_robot_stands() -> None:
    sure, unsure = exact_states(0.0, np.eye(4))[1], exact_states(0.3, np.eye(4))[1]

    np.testing.assert_allclose(unsure.pose_covariance, sure.pose_covariance, atol=1e-12)


def test_pose_covariance_has_a_turn_of_the_world_in_it_times_the_way_from_its_pivot() -> None:
    far = WORLD_FROM_TRUE.apply([30.0, 0.0, 0.0])
    yaw = np.zeros((7, 7))
    yaw[:3, :3] = 1e-4 * np.outer(WORLD_FROM_TRUE.rotation[:, 2], WORLD_FROM_TRUE.rotation[:, 2])
    variances = []
    for step in (np.zeros((7, 7)), yaw):
        robot = Robot(ONE)
        robot.begin()
        robot.follow()
        robot.odometry.advance(report(NO_ERRORS, step_covariance=step, pivot=far), METRIC)
        robot.follow()  # from the window's own joint errors
        robot.odometry.advance(report(NO_ERRORS, step_covariance=np.zeros((7, 7)), pivot=far), METRIC)
        variances.append(robot.follow().pose_covariance)

    gained = variances[1] - variances[0]
    np.testing.assert_allclose(np.diagonal(gained), [0, 0.01**2 * 30**2, 0, 0, 0, 1e-4], atol=1e-9)


def test_twist_covariance_has_the_drift_of_a_relative_unit_in_it() -> None:
    covariances = []
    for drift in (0.0, 0.01):
        robot = Robot(ONE)
        robot.begin(RELATIVE)
        robot.follow()
        for _ in range(2):
            robot.odometry.advance(report(NO_ERRORS, step_covariance=np.zeros((7, 7)), scale_drift=drift), RELATIVE)
            state = robot.follow(SIDEWAYS)
        covariances.append(state.twist_covariance)

    way = SIDEWAYS[:3, 3] / METRES_PER_UNIT
    np.testing.assert_allclose((covariances[1] - covariances[0])[:3, :3], 0.01 * np.outer(way, way), atol=1e-9)
