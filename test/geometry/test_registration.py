# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Registration of points and of cameras: exact on exact data, steady with garbage, honest when undetermined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.registration import CameraNoise, register_cameras, robust_umeyama, umeyama
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_angle
from da3_ros.geometry.sim3 import Sim3, rigid
from test.strategies import rotations, seeds, sim3s

NOISE = CameraNoise(rotation_rad=3e-3, centre=0.01, log_scale=0.01)


def assert_same(ours: Sim3, theirs: Sim3, tolerance: float) -> None:
    assert ours.scale == pytest.approx(theirs.scale, rel=tolerance)
    assert rotation_angle(ours.rotation @ theirs.rotation.T) < tolerance
    np.testing.assert_allclose(ours.translation, theirs.translation, atol=tolerance * (1 + theirs.scale))


def cameras_in(generator: np.random.Generator, count: int, spread: float) -> FloatArray:
    turns = matrix_from_rotation_vector(generator.normal(size=(count, 3)))
    return rigid(turns, spread * generator.normal(size=(count, 3)))


@given(sim3s(), seeds, st.integers(3, 20))
def test_umeyama_finds_the_exact_transform(target_from_source: Sim3, seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    source = generator.normal(size=(count, 3))

    found = umeyama(target_from_source.apply(source), source, generator.uniform(0.1, 1.0, count))

    assert_same(found, target_from_source, 1e-8)


@given(sim3s(), seeds)
def test_umeyama_finds_the_exact_transform_when_points_lie_in_a_plane(target_from_source: Sim3, seed: int) -> None:
    source = np.random.default_rng(seed).normal(size=(10, 3)) * (1.0, 1.0, 0.0)

    assert_same(umeyama(target_from_source.apply(source), source), target_from_source, 1e-8)


@given(seeds)
def test_umeyama_is_the_least_squares_answer(seed: int) -> None:
    generator = np.random.default_rng(seed)
    source, target = generator.normal(size=(2, 12, 3))
    weights = generator.uniform(0.1, 1.0, 12)

    found = umeyama(target, source, weights)

    def cost(transform: Sim3) -> float:
        return float(weights @ np.sum((target - transform.apply(source)) ** 2, axis=1))

    for step in 1e-3 * generator.normal(size=(20, 7)):
        turn = matrix_from_rotation_vector(step[:3]) @ found.rotation
        assert cost(found) <= cost(Sim3(found.scale * np.exp(step[6]), turn, found.translation + step[3:6]))


def test_umeyama_does_not_mirror_when_points_are_mirrored() -> None:
    source = np.random.default_rng(1).normal(size=(10, 3))

    found = umeyama(source * (1.0, 1.0, -1.0), source)

    assert np.linalg.det(found.rotation) == pytest.approx(1.0)


def test_weight_zero_takes_a_point_out() -> None:
    source = np.random.default_rng(1).normal(size=(10, 3))
    target = 2.0 * source
    target[0] += 100.0

    assert_same(umeyama(target, source, [0.0] + [1.0] * 9), Sim3(2.0, np.eye(3), np.zeros(3)), 1e-9)


@pytest.mark.parametrize(
    "points",
    [
        np.ones((5, 3)),
        np.outer(np.arange(5.0), [1.0, 2.0, 3.0]) + 1e6,
        np.array([[0.0, 0, 0], [1, 0, 0]]),
        np.array([[1.0, 2.0, 3.0]]),
    ],
)
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_umeyama_is_refused_when_the_rotation_is_free(points: FloatArray, unit: float) -> None:
    source = np.random.default_rng(0).normal(size=points.shape)

    with pytest.raises(DegenerateGeometryError, match="coincide or lie on a line"):
        umeyama(source, unit * points)


def test_umeyama_is_refused_when_all_weights_are_zero() -> None:
    with pytest.raises(DegenerateGeometryError, match="no point has a weight"):
        umeyama(np.eye(3), np.eye(3), np.zeros(3))


@given(sim3s(), seeds)
def test_robust_umeyama_holds_when_a_third_of_the_points_is_garbage(target_from_source: Sim3, seed: int) -> None:
    generator = np.random.default_rng(seed)
    source = generator.normal(size=(60, 3))
    target = target_from_source.apply(source)
    target[::3] += target_from_source.scale * generator.uniform(-3, 3, (20, 3))

    found = robust_umeyama(target, source, inlier_distance=1e-3 * target_from_source.scale)

    assert_same(found, target_from_source, 2e-2)


@given(sim3s(), seeds, st.integers(1, 6), st.sampled_from([0.0, 1e-3, 1.0]))
def test_cameras_register_exactly_whatever_their_motion(
    target_from_source: Sim3, seed: int, count: int, spread: float
) -> None:
    source = cameras_in(np.random.default_rng(seed), count, spread)

    found = register_cameras(
        target_from_source.apply_to_poses(source), source, target_from_source.scale, NOISE
    ).target_from_source

    assert_same(found, target_from_source, 1e-9)


@given(rotations(), seeds)
def test_cameras_register_exactly_when_they_stand_on_a_line(rotation: FloatArray, seed: int) -> None:
    generator = np.random.default_rng(seed)
    source = rigid(np.eye(3), np.outer(np.arange(5.0), generator.normal(size=3)))
    truth = Sim3(0.7, rotation, generator.normal(size=3))

    found = register_cameras(truth.apply_to_poses(source), source, truth.scale, NOISE)

    assert_same(found.target_from_source, truth, 1e-9)


@given(seeds)
def test_registration_is_the_weighted_least_squares_answer_when_noise_is_small(seed: int) -> None:
    generator = np.random.default_rng(seed)
    source = cameras_in(generator, 5, 1.0)
    target = source.copy()
    target[:, :3, :3] = matrix_from_rotation_vector(1e-3 * generator.normal(size=(5, 3))) @ target[:, :3, :3]
    target[:, :3, 3] += 3e-3 * generator.normal(size=(5, 3))

    found = register_cameras(target, source, 1.0, NOISE).target_from_source

    def cost(transform: Sim3) -> float:
        moved = transform.apply_to_poses(source)
        turns = rotation_angle(np.swapaxes(moved[:, :3, :3], -1, -2) @ target[:, :3, :3]) / NOISE.rotation_rad
        shifts = (target[:, :3, 3] - moved[:, :3, 3]) / NOISE.centre
        return float(np.sum(turns**2) + np.sum(shifts**2) + (np.log(transform.scale) / NOISE.log_scale) ** 2)

    for step in 1e-5 * np.concatenate((np.eye(7), -np.eye(7))):
        turn = matrix_from_rotation_vector(step[:3]) @ found.rotation
        assert cost(found) < cost(Sim3(found.scale * np.exp(step[6]), turn, found.translation + step[3:6]))


@given(seeds)
def test_one_garbage_camera_of_four_does_not_move_the_answer(seed: int) -> None:
    generator = np.random.default_rng(seed)
    source = cameras_in(generator, 4, 0.5)
    target = source.copy()
    target[1] = cameras_in(generator, 1, 3.0)[0]

    found = register_cameras(target, source, 1.0, NOISE)

    assert rotation_angle(found.target_from_source.rotation) < 3 * NOISE.rotation_rad
    assert np.linalg.norm(found.target_from_source.apply(source[0, :3, 3]) - source[0, :3, 3]) < 3 * NOISE.centre
    assert found.deviations[1] > 5 * np.median(found.deviations)


def test_long_baselines_improve_a_wrong_scale() -> None:
    source = cameras_in(np.random.default_rng(0), 6, spread=5.0)
    target = Sim3(2.0, np.eye(3), np.zeros(3)).apply_to_poses(source)

    found = register_cameras(target, source, 2.0 * 1.05, CameraNoise(3e-3, 0.01, log_scale=0.05))

    assert found.target_from_source.scale == pytest.approx(2.0, rel=1e-3)


def test_short_baselines_leave_the_scale_alone() -> None:
    source = cameras_in(np.random.default_rng(0), 6, spread=1e-4)

    found = register_cameras(source, source, 1.02, NOISE)

    assert found.target_from_source.scale == pytest.approx(1.02, rel=1e-3)


def test_covariance_covers_the_error_when_noise_is_as_assumed() -> None:
    squares = []
    for seed in range(300):
        generator = np.random.default_rng(seed)
        source = cameras_in(generator, 5, spread=0.5)
        target = source.copy()
        target[:, :3, :3] = matrix_from_rotation_vector(3e-3 * generator.normal(size=(5, 3))) @ target[:, :3, :3]
        target[:, :3, 3] += 0.01 * generator.normal(size=(5, 3))
        found = register_cameras(target, source, float(np.exp(0.01 * generator.normal())), NOISE)
        middle = source[:, :3, 3].mean(axis=0)
        moved = found.target_from_source.apply(middle) - middle
        squares.append(moved @ np.linalg.solve(found.covariance[3:6, 3:6], moved))

    assert 2.2 < np.mean(squares) < 4.0  # three degrees of freedom


def test_cameras_are_refused_when_none_has_a_weight() -> None:
    with pytest.raises(DegenerateGeometryError, match="no camera has a weight"):
        register_cameras(np.eye(4)[None], np.eye(4)[None], 1.0, NOISE, [0.0])
