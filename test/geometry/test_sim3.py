# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Sim(3) is a group that acts on points, and rigid transforms are 4x4 matrices of it."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import Sim3, rigid, rigid_inverse
from test.strategies import rigid_transforms, sim3s

POINTS = np.random.default_rng(0).normal(size=(2, 5, 3))


def as_matrix(transform: Sim3) -> FloatArray:
    matrix = np.eye(4)
    matrix[:3, :3] = transform.scale * transform.rotation
    matrix[:3, 3] = transform.translation
    return matrix


def assert_same(ours: Sim3, theirs: Sim3) -> None:
    size = np.abs(as_matrix(theirs)).max()
    np.testing.assert_allclose(as_matrix(ours), as_matrix(theirs), atol=1e-12 * size)


@given(sim3s(), sim3s(), sim3s())
def test_composition_is_associative(a_from_b: Sim3, b_from_c: Sim3, c_from_d: Sim3) -> None:
    left, right = (a_from_b @ b_from_c) @ c_from_d, a_from_b @ (b_from_c @ c_from_d)

    size = 1 + np.abs(as_matrix(a_from_b)).max() * np.abs(as_matrix(b_from_c)).max() * np.abs(as_matrix(c_from_d)).max()
    np.testing.assert_allclose(as_matrix(left), as_matrix(right), atol=1e-12 * size)


@given(sim3s())
def test_identity_changes_nothing(a_from_b: Sim3) -> None:
    assert_same(a_from_b @ Sim3.identity(), a_from_b)
    assert_same(Sim3.identity() @ a_from_b, a_from_b)


@given(sim3s())
def test_inverse_undoes_a_transform(a_from_b: Sim3) -> None:
    size = 1 + np.abs(a_from_b.inverse().translation).max()
    np.testing.assert_allclose(as_matrix(a_from_b.inverse() @ a_from_b), np.eye(4), atol=1e-12 * size)
    np.testing.assert_allclose(a_from_b.inverse().apply(a_from_b.apply(POINTS)), POINTS, atol=1e-12 * size)


@given(sim3s(), sim3s())
def test_composition_and_action_agree_with_4x4_matrices(a_from_b: Sim3, b_from_c: Sim3) -> None:
    matrix = as_matrix(a_from_b) @ as_matrix(b_from_c)
    theirs = POINTS @ matrix[:3, :3].T + matrix[:3, 3]

    size = np.abs(matrix).max()
    np.testing.assert_allclose(as_matrix(a_from_b @ b_from_c), matrix, atol=1e-12 * size)
    np.testing.assert_allclose((a_from_b @ b_from_c).apply(POINTS), theirs, atol=1e-11 * size)


@given(sim3s(), rigid_transforms())
def test_moved_poses_stay_rigid_and_carry_scaled_points_along(a_from_b: Sim3, b_from_camera: FloatArray) -> None:
    a_from_camera = a_from_b.apply_to_poses(b_from_camera)

    np.testing.assert_allclose(a_from_camera[:3, :3] @ a_from_camera[:3, :3].T, np.eye(3), atol=1e-12)
    in_b = POINTS @ b_from_camera[:3, :3].T + b_from_camera[:3, 3]
    in_a = a_from_b.scale * POINTS @ a_from_camera[:3, :3].T + a_from_camera[:3, 3]
    np.testing.assert_allclose(a_from_b.apply(in_b), in_a, atol=1e-12 * np.abs(in_a).max())


@given(rigid_transforms())
def test_rigid_inverse_is_the_matrix_inverse(a_from_b: FloatArray) -> None:
    np.testing.assert_allclose(rigid_inverse(a_from_b), np.linalg.inv(a_from_b), atol=1e-12)


@given(rigid_transforms())
def test_rigid_transform_acts_the_same_as_a_sim3(a_from_b: FloatArray) -> None:
    np.testing.assert_array_equal(as_matrix(Sim3.from_rigid(a_from_b)), a_from_b)


def test_rigid_combines_leading_axes() -> None:
    matrices = rigid(np.eye(3), np.arange(6.0).reshape(2, 3))

    assert matrices.shape == (2, 4, 4)
    np.testing.assert_array_equal(rigid_inverse(matrices)[:, :3, 3], -np.arange(6.0).reshape(2, 3))
