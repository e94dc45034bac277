# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Views register exactly on exact data and alike in every gauge; what is unknown takes no more away than itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import (
    FloatArray,
    rotation_angle,
    rotation_vector_from_matrix,
)
from da3_ros.geometry.sim3 import Sim3
from da3_ros.geometry.view_registration import moved_jacobian, register_views, stepped
from test.geometry.noisy_views import VARIANCES, error_of, joint_prior, views_of
from test.strategies import rotations, seeds, sim3s


def assert_same(ours: Sim3, theirs: Sim3, tolerance: float) -> None:
    assert ours.scale == pytest.approx(theirs.scale, rel=tolerance)
    assert rotation_angle(ours.rotation @ theirs.rotation.T) < tolerance
    reach = 1 + theirs.scale + float(np.linalg.norm(theirs.translation))
    np.testing.assert_allclose(ours.translation, theirs.translation, atol=tolerance * reach)


@given(sim3s(), seeds, st.integers(1, 8), st.sampled_from([0.0, 1e-3, 1.0]))
def test_registration_is_exact_whatever_the_motion_when_views_are(
    truth: Sim3, seed: int, count: int, spread: float
) -> None:
    found = views_of(seed, count, spread, noise=0.0, truth=truth).register()

    assert_same(found.target_from_source, truth, 1e-9)
    np.testing.assert_array_equal(found.weights, np.ones(count))
    np.testing.assert_allclose(found.residual, 0.0, atol=1e-9 * (1 + truth.scale * 30))


@settings(max_examples=50)
@given(sim3s(), seeds, st.integers(1, 6))
def test_registration_does_not_depend_on_the_gauge_of_the_source(gauge: Sim3, seed: int, count: int) -> None:
    views = views_of(seed, count)
    moved = replace(views, source=gauge.apply_to_poses(views.source), log_ratio=views.log_ratio - np.log(gauge.scale))

    plain, found = views.register(), moved.register()

    assert_same(found.target_from_source @ gauge, plain.target_from_source, 1e-8)
    np.testing.assert_allclose(found.covariance, plain.covariance, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(found.residual, plain.residual, atol=1e-8)


@settings(max_examples=50)
@given(rotations(), seeds, st.integers(1, 6))
def test_registration_moves_with_the_target(turn: FloatArray, seed: int, count: int) -> None:
    views = views_of(seed, count)
    motion = Sim3(1.0, turn, np.array([5.0, -2.0, 1.0]))
    turned = np.kron(np.eye(count), np.block([[np.kron(np.eye(2), turn), np.zeros((6, 1))], [np.zeros((1, 6)), 1.0]]))
    moved = replace(
        views, target=motion.apply_to_poses(views.target), prior=turned @ joint_prior(seed, count) @ turned.T
    )

    plain, found = replace(views, prior=joint_prior(seed, count)).register(), moved.register()

    assert_same(found.target_from_source, motion @ plain.target_from_source, 1e-8)
    np.testing.assert_allclose(found.pivot, motion.apply(plain.pivot), atol=1e-12)
    np.testing.assert_allclose(found.weights, plain.weights, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.eigvalsh(found.covariance), np.linalg.eigvalsh(plain.covariance), rtol=1e-6)


def test_start_is_the_trusted_view_when_two_disagree() -> None:
    views = views_of(0, 2, noise=0.0)
    views.target[0, :3, 3] += 0.5

    found = register_views(views.target, views.prior, views.source, views.log_ratio, VARIANCES, [0.1, 0.9])

    assert np.linalg.norm(error_of(found, views.truth)[3:6]) < 0.26  # the pivot itself moved by half of the error
    assert found.deviations[1] < 0.1 * found.deviations[0]


@given(seeds, st.integers(0, 3))
def test_unknown_depth_takes_nothing_but_its_scale_away(seed: int, bad: int) -> None:
    views = views_of(seed, 4, noise=0.0)
    views.log_ratio[bad] = np.nan

    found = views.register()

    assert_same(found.target_from_source, views.truth, 1e-9)
    assert np.isinf(found.expected[bad, 6])
    assert found.residual[bad, 6] == 0.0
    row = 7 * bad + 6
    assert not found.information[row].any()
    assert not found.information[:, row].any()
    known = np.delete(np.arange(28), row)
    product = (found.spread @ found.information)[np.ix_(known, known)]
    np.testing.assert_allclose(product, np.eye(27), atol=1e-9)
    full = views_of(seed, 4, noise=0.0).register()
    np.testing.assert_allclose(found.covariance[6, 6], full.covariance[6, 6] * 4 / 3, rtol=1e-6)
    np.testing.assert_allclose(found.covariance[:6, :6], full.covariance[:6, :6], rtol=1e-6, atol=1e-15)


def test_registration_is_refused_when_no_depth_is_known() -> None:
    views = replace(views_of(0, 3), log_ratio=np.full(3, np.nan))

    with pytest.raises(DegenerateGeometryError, match="no shared view has pixels whose depth is known"):
        views.register()


@given(seeds, st.integers(1, 5), st.booleans())
def test_jacobian_is_the_derivative_of_a_step(seed: int, count: int, stretch: bool) -> None:
    views = views_of(seed, count, noise=0.0)
    pivot = views.target[:, :3, 3].mean(axis=0)
    step = 1e-6 * np.random.default_rng((seed, 5)).normal(size=7)

    moved = stepped(Sim3.identity(), pivot, step).apply_to_poses(views.target)

    change = np.concatenate(
        (
            rotation_vector_from_matrix(moved[:, :3, :3] @ views.target[:, :3, :3].swapaxes(1, 2)),
            moved[:, :3, 3] - views.target[:, :3, 3],
            np.full((count, 1), step[6]),
        ),
        axis=1,
    )
    if not stretch:
        change[:, 3:6] -= step[6] * (views.target[:, :3, 3] - pivot)
    found = moved_jacobian(views.target[:, :3, 3], pivot, stretch) @ step
    np.testing.assert_allclose(found, change, atol=1e-10)


@given(sim3s(), seeds)
def test_step_leaves_the_pivot_but_for_its_shift(transform: Sim3, seed: int) -> None:
    generator = np.random.default_rng(seed)
    at_pivot, step = generator.normal(size=3), generator.normal(size=7)
    pivot = transform.apply(at_pivot)

    moved = stepped(transform, pivot, step)

    np.testing.assert_allclose(moved.apply(at_pivot), pivot + step[3:6], atol=1e-9 * (1 + transform.scale) * 30)
    assert moved.scale == pytest.approx(transform.scale * np.exp(step[6]))
    np.testing.assert_allclose(moved.rotation @ moved.rotation.T, np.eye(3), atol=1e-12)


def test_registration_is_the_same_bit_for_bit() -> None:
    first, second = views_of(1, 5).register(), views_of(1, 5).register()

    np.testing.assert_array_equal(first.target_from_source.translation, second.target_from_source.translation)
    np.testing.assert_array_equal(first.covariance, second.covariance)
