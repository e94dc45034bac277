# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Registration of points: exact on exact data, steady with garbage, refused when undetermined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.registration import umeyama
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_angle
from da3_ros.geometry.sim3 import Sim3
from test.strategies import seeds, sim3s


def assert_same(ours: Sim3, theirs: Sim3, tolerance: float) -> None:
    assert ours.scale == pytest.approx(theirs.scale, rel=tolerance)
    assert rotation_angle(ours.rotation @ theirs.rotation.T) < tolerance
    np.testing.assert_allclose(ours.translation, theirs.translation, atol=tolerance * (1 + theirs.scale))


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
