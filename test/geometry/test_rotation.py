# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Rotations obey the laws of SO(3) and agree with scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import (
    FloatArray,
    matrix_from_quat_xyzw,
    matrix_from_rotation_vector,
    mean_rotation,
    nearest_rotation,
    quat_xyzw_from_matrix,
    rotation_angle,
    rotation_vector_from_matrix,
)
from test.strategies import rotation_vectors, rotations, seeds


@given(rotation_vectors())
def test_exponential_map_agrees_with_scipy(vector: FloatArray) -> None:
    np.testing.assert_allclose(
        matrix_from_rotation_vector(vector), Rotation.from_rotvec(vector).as_matrix(), atol=1e-14
    )


@given(rotation_vectors())
def test_logarithm_undoes_the_exponential_map(vector: FloatArray) -> None:
    found = rotation_vector_from_matrix(matrix_from_rotation_vector(vector))

    # At pi both signs name the same rotation.
    sign = np.sign(found @ vector) if np.linalg.norm(vector) > 3.14159 else 1.0
    np.testing.assert_allclose(sign * found, vector, atol=1e-9)


@given(rotations())
def test_matrix_is_proper_and_orthogonal(rotation: FloatArray) -> None:
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-14)
    assert np.linalg.det(rotation) == pytest.approx(1.0, abs=1e-13)


@given(rotations())
def test_quaternion_and_matrix_are_a_round_trip(rotation: FloatArray) -> None:
    quat = quat_xyzw_from_matrix(rotation)

    np.testing.assert_allclose(matrix_from_quat_xyzw(quat), rotation, atol=1e-14)
    assert np.linalg.norm(quat) == pytest.approx(1.0, abs=1e-14)
    assert quat[3] >= 0


@given(rotations(), st.floats(0.01, 100.0))
def test_quaternion_agrees_with_scipy_whatever_its_length(rotation: FloatArray, length: float) -> None:
    theirs = Rotation.from_matrix(rotation).as_quat()

    np.testing.assert_allclose(matrix_from_quat_xyzw(length * theirs), rotation, atol=1e-12)


@given(rotation_vectors())
def test_angle_is_the_length_of_the_rotation_vector(vector: FloatArray) -> None:
    angle = rotation_angle(matrix_from_rotation_vector(vector))

    assert angle == pytest.approx(np.linalg.norm(vector), abs=1e-9)


@given(rotations(), seeds)
def test_nearest_rotation_is_nearer_than_any_other(rotation: FloatArray, seed: int) -> None:
    generator = np.random.default_rng(seed)
    matrix = rotation @ np.diag(generator.uniform(0.5, 2.0, 3)) + 0.1 * generator.normal(size=(3, 3))

    nearest = nearest_rotation(matrix)

    others = nearest @ matrix_from_rotation_vector(0.1 * generator.normal(size=(20, 3)))
    assert np.linalg.norm(matrix - nearest) <= np.linalg.norm(matrix - others, axis=(1, 2)).min()
    assert np.linalg.det(nearest) == pytest.approx(1.0)


@given(rotations())
def test_nearest_rotation_leaves_rotations_alone(rotation: FloatArray) -> None:
    np.testing.assert_allclose(nearest_rotation(rotation), rotation, atol=1e-13)


@given(rotations(), seeds)
def test_mean_rotation_agrees_with_scipy(rotation: FloatArray, seed: int) -> None:
    generator = np.random.default_rng(seed)
    stack = rotation @ matrix_from_rotation_vector(0.3 * generator.normal(size=(7, 3)))
    weights = generator.uniform(0.1, 1.0, 7)

    theirs = Rotation.from_matrix(stack).mean(weights=weights).as_matrix()
    np.testing.assert_allclose(mean_rotation(stack, weights), theirs, atol=1e-9)


def test_functions_take_leading_axes() -> None:
    vectors = np.random.default_rng(0).normal(size=(3, 1, 2, 3))

    matrices = matrix_from_rotation_vector(vectors)

    assert matrices.shape == (3, 1, 2, 3, 3)
    assert quat_xyzw_from_matrix(matrices).shape == (3, 1, 2, 4)
    np.testing.assert_allclose(matrices[2, 0, 1], matrix_from_rotation_vector(vectors[2, 0, 1]))


@pytest.mark.parametrize("quat", [[0.0, 0.0, 0.0, 0.0], [np.nan, 0.0, 0.0, 1.0]])
def test_quaternion_is_refused_when_it_names_no_rotation(quat: list[float]) -> None:
    with pytest.raises(DegenerateGeometryError, match="length zero or is not finite"):
        matrix_from_quat_xyzw(quat)


def test_nearest_rotation_is_refused_when_the_matrix_has_rank_one() -> None:
    with pytest.raises(DegenerateGeometryError, match="rank below two"):
        nearest_rotation(np.outer([1.0, 2.0, 3.0], [0.0, 1.0, 0.0]))


def test_mean_rotation_is_refused_when_rotations_cancel() -> None:
    half_turns = [np.diag([1.0, -1, -1]), np.diag([-1.0, 1, -1]), np.diag([-1.0, -1, 1]), np.eye(3)]

    with pytest.raises(DegenerateGeometryError):
        mean_rotation(half_turns)
