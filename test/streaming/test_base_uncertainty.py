# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""First-order errors are the derivatives of what they describe, and covariances are such as consumers accept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.pose_errors import PoseErrors
from da3_ros.geometry.prediction import ViewKey
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_vector_from_matrix
from da3_ros.geometry.sim3 import Sim3, rigid
from da3_ros.streaming.base_uncertainty import (
    FLOOR,
    VARIANCE_LIMIT,
    GaugeErrors,
    PlacedBase,
    joint_covariance,
    motion_between,
    motion_jacobian,
    publishable,
)
from test.strategies import rigid_transforms, seeds, sim3s, translations
from test.streaming.gaussian_windows import NOISE, TWO, base_from_cameras

KEYS = (ViewKey("left", 0), ViewKey("right", 0))


def derivative(function: Callable[[FloatArray], FloatArray], size: int, step: float = 1e-5) -> FloatArray:
    columns = [(function(step * axis) - function(-step * axis)) / (2 * step) for axis in np.eye(size)]
    return np.stack(columns, axis=-1)


def erred(odom_from_base: FloatArray, error: FloatArray) -> FloatArray:
    """The true pose of one that lacks this error of shift and rotation vector."""
    turn = matrix_from_rotation_vector(error[3:])
    return rigid(turn @ odom_from_base[:3, :3], odom_from_base[:3, 3] + error[:3])


def random_covariance(seed: int, size: int, spread: float = 1.0) -> FloatArray:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size)) * 10 ** rng.uniform(-spread, spread, size=(size, 1))
    return root @ root.T


@given(sim3s(), rigid_transforms(), st.floats(0.05, 0.95))
def test_base_errors_follow_from_camera_errors_as_the_base_does(world: Sim3, true: FloatArray, share: float) -> None:
    odom_from_world = Sim3(2.0, world.rotation, world.translation)  # other scales only cost digits of the quotient
    weights = np.array((share, 1 - share))
    odom_from_camera = true @ np.stack(TWO)
    world_from_camera = odom_from_world.inverse().apply_to_poses(odom_from_camera)
    estimate = base_from_cameras(KEYS, odom_from_camera, TWO, weights).odom_from_base

    def base_error(errors: FloatArray) -> FloatArray:
        per_view = errors.reshape(2, 7)
        shaken = rigid(
            matrix_from_rotation_vector(per_view[:, :3]) @ world_from_camera[:, :3, :3],
            world_from_camera[:, :3, 3] + per_view[:, 3:6],
        )
        moved = base_from_cameras(KEYS, odom_from_world.apply_to_poses(shaken), TWO, weights).odom_from_base
        turn = rotation_vector_from_matrix(moved[:3, :3] @ estimate[:3, :3].T)
        return np.concatenate((moved[:3, 3] - estimate[:3, 3], turn))

    base = PlacedBase(base_from_cameras(KEYS, odom_from_camera, TWO, weights), weights @ odom_from_camera[:, :3, 3])

    jacobian = base.jacobian(odom_from_world)

    np.testing.assert_allclose(jacobian, derivative(base_error, 14), atol=1e-5)


@given(
    rigid_transforms(),
    st.sampled_from([0.0, 1e-6, 0.009, 0.011, 0.3, 2.0, 3.0]),
    seeds,
    translations().map(lambda t: t / 10),
)
def test_motion_errors_follow_from_pose_errors_as_the_motion_does(
    before: FloatArray, angle: float, seed: int, shift: FloatArray
) -> None:
    axis = np.random.default_rng(seed).normal(size=3)
    now = before @ rigid(matrix_from_rotation_vector(angle * axis / np.linalg.norm(axis)), shift)

    jacobian = motion_jacobian(before, now)

    expected = derivative(lambda e: motion_between(erred(before, e[:6]), erred(now, e[6:])), 12)
    np.testing.assert_allclose(jacobian, expected, atol=1e-5)


def test_motion_is_the_shift_and_the_turn_in_the_axes_of_the_second_pose() -> None:
    left = rigid(matrix_from_rotation_vector([0.0, 0.0, np.pi / 2]), [1.0, 0.0, 0.0])

    np.testing.assert_allclose(motion_between(np.eye(4), left), [0.0, -1.0, 0.0, 0.0, 0.0, np.pi / 2], atol=1e-12)


@given(seeds, translations(), translations(), translations())
def test_gauge_errors_at_a_place_do_not_depend_on_the_pivot_they_are_told_of(
    seed: int, first: FloatArray, second: FloatArray, place: FloatArray
) -> None:
    gauge = GaugeErrors(first, random_covariance(seed, 7))

    moved = gauge.moved(second).at(place, place)

    expected = gauge.at(place, place)
    np.testing.assert_allclose(moved, expected, atol=1e-9 * np.abs(gauge.moved(second).covariance).max())
    np.testing.assert_allclose(gauge.at(first, first), gauge.covariance[:6, :6])


def test_rotation_of_the_gauge_moves_what_is_far_from_the_pivot() -> None:
    yaw = np.zeros((7, 7))
    yaw[5, 5] = 0.01**2

    at = GaugeErrors(np.zeros(3), yaw).at(np.array([10.0, 0.0, 0.0]), np.zeros(3))

    assert at[1, 1] == pytest.approx(0.1**2)
    assert at[1, 5] == pytest.approx(0.1 * 0.01)
    assert at[0, 0] == at[2, 2] == 0.0


def test_scale_of_the_gauge_stretches_from_the_pivot_to_the_cameras() -> None:
    scale = np.zeros((7, 7))
    scale[6, 6] = 0.02**2

    at = GaugeErrors(np.zeros(3), scale).at(np.zeros(3), np.array([10.0, 0.0, 0.0]))

    np.testing.assert_allclose(at, np.diag([0.2**2, 0, 0, 0, 0, 0]), atol=1e-15)


@pytest.mark.parametrize("variance", [1e-8, 1e-4, 4e-4, 1.0])
def test_gauge_errors_stay_a_covariance_when_the_scale_is_measured_or_drifts(variance: float) -> None:
    gauge = GaugeErrors(np.zeros(3), np.diag([0, 0, 0, 0, 0, 0, 4e-4])).moved(np.array([5.0, 0.0, 0.0]))

    measured = gauge.with_scale_variance(variance)

    assert np.linalg.eigvalsh(measured.covariance).min() > -1e-12
    assert measured.covariance[6, 6] == variance
    assert measured.covariance[0, 0] == gauge.covariance[0, 0]  # what was published is as wrong as before


def test_views_without_joint_errors_have_their_own_noise_and_no_part_in_the_others() -> None:
    errors = PoseErrors(KEYS, random_covariance(1, 14))

    joint = joint_covariance(errors, NOISE, [KEYS[1], ViewKey("other", 5), KEYS[0]])

    np.testing.assert_array_equal(joint[:7, :7], errors.covariance[7:, 7:])
    np.testing.assert_array_equal(joint[:7, 14:], errors.covariance[7:, :7])
    np.testing.assert_array_equal(joint[7:14, 7:14], np.diag(NOISE.variances))
    assert not joint[7:14, :7].any()
    assert not joint[7:14, 14:].any()


@given(seeds, st.floats(-14, 14), st.sampled_from([1.0, 1e9, 1e-3]))
def test_published_covariance_is_finite_positive_and_bounded_whatever_it_was(
    seed: int, size: float, per: float
) -> None:
    published = publishable(10**size * random_covariance(seed, 6, spread=2.0), FLOOR * per)

    np.testing.assert_array_equal(published, published.T)
    assert np.linalg.eigvalsh(published / np.sqrt(np.outer(np.diagonal(published), np.diagonal(published)))).min() > 0
    assert (np.diagonal(published) <= VARIANCE_LIMIT * (1 + 1e-9)).all()
    assert (np.diagonal(published) != 1.0).all()


def test_published_covariance_is_the_given_one_when_it_is_ordinary() -> None:
    covariance = random_covariance(3, 6, spread=0.1)

    np.testing.assert_allclose(publishable(covariance, FLOOR), covariance, rtol=1e-6)


def test_published_covariance_has_a_floor_when_there_is_no_noise() -> None:
    np.testing.assert_allclose(publishable(np.zeros((6, 6)), FLOOR), np.diag(FLOOR**2), atol=1e-20)


def test_published_covariance_is_never_exactly_one() -> None:
    published = publishable(np.eye(6), FLOOR)

    assert (np.diagonal(published) != 1.0).all()
    np.testing.assert_allclose(published, np.eye(6), atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_published_covariance_says_that_nothing_is_known_when_it_is_not_finite(bad: float) -> None:
    np.testing.assert_array_equal(publishable(np.full((6, 6), bad), FLOOR), VARIANCE_LIMIT * np.eye(6))
