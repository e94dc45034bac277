# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Views register exactly on exact data, alike in every gauge, with an honest covariance, and in spite of a bad view."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import (
    FloatArray,
    matrix_from_rotation_vector,
    rotation_angle,
    rotation_vector_from_matrix,
)
from da3_ros.geometry.sim3 import Sim3, rigid
from da3_ros.geometry.view_registration import ViewRegistration, moved_jacobian, register_views, stepped
from test.strategies import rotations, seeds, sim3s

VARIANCES = np.repeat((3.5e-3, 0.01, 5e-3), (3, 3, 1)) ** 2  # of one view, target unit
SIGMAS = np.sqrt(VARIANCES)
TRUTH = Sim3(0.7, matrix_from_rotation_vector([0.4, -1.0, 2.0]), np.array([3.0, -1.0, 2.0]))


@dataclass(frozen=True)
class Views:
    """What `register_views` takes; `truth` is the transform between what both were made from."""

    target: FloatArray
    prior: FloatArray
    source: FloatArray
    log_ratio: FloatArray
    truth: Sim3

    def register(self) -> ViewRegistration:
        return register_views(
            self.target, self.prior, self.source, self.log_ratio, VARIANCES, np.ones(len(self.target))
        )


def shaken(poses: FloatArray, errors: FloatArray) -> FloatArray:
    """Estimates whose errors (N, 7) these are: true = exp(e) estimate."""
    return rigid(matrix_from_rotation_vector(-errors[:, :3]) @ poses[:, :3, :3], poses[:, :3, 3] - errors[:, 3:6])


def views_of(seed: int, count: int, spread: float = 0.5, noise: float = 1.0, truth: Sim3 = TRUTH) -> Views:
    """Both with independent noise, so many times VARIANCES; the target frame is the true one."""
    generator = np.random.default_rng(seed)
    true = rigid(
        matrix_from_rotation_vector(0.5 * generator.normal(size=(count, 3))), spread * generator.normal(size=(count, 3))
    )
    in_target, in_source = noise * generator.normal(size=(2, count, 7)) * SIGMAS
    return Views(
        target=shaken(true, in_target),
        prior=np.diag(np.tile(VARIANCES, count)),
        source=truth.inverse().apply_to_poses(shaken(true, in_source)),
        log_ratio=np.log(truth.scale) - in_target[:, 6] + in_source[:, 6],
        truth=truth,
    )


def error_of(found: ViewRegistration, truth: Sim3) -> FloatArray:
    """(7,) rotation vector, shift of the pivot, log scale: true minus found."""
    turn = rotation_vector_from_matrix(truth.rotation @ found.target_from_source.rotation.T)
    at_pivot = found.target_from_source.inverse().apply(found.pivot)
    shift = truth.apply(at_pivot) - found.pivot
    return np.concatenate((turn, shift, [np.log(truth.scale / found.target_from_source.scale)]))


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


def joint_prior(seed: int, count: int) -> FloatArray:
    """Correlated errors of the target's views, alike in all directions."""
    mixed = 0.3 * np.random.default_rng((seed, 1)).normal(size=(count, count))
    return np.kron(mixed @ mixed.T, np.diag(VARIANCES)) + np.diag(np.tile(VARIANCES, count))


@settings(max_examples=50)
@given(seeds, st.integers(2, 8), st.floats(1.0, 100.0))
def test_error_that_is_common_to_the_target_does_not_change_the_answer(seed: int, count: int, sigmas: float) -> None:
    views = views_of(seed, count)
    mixed = sigmas * np.random.default_rng((seed, 2)).normal(size=(7, 7))
    common = mixed @ mixed.T * np.outer(SIGMAS, SIGMAS)

    plain, found = views.register(), replace(views, prior=views.prior + by_gauge(views, common)).register()

    # The iterations end at a ten thousandth of the standard deviation.
    allowed = 2e-4 * np.sqrt(np.diagonal(found.covariance))
    assert np.all(np.abs(error_of(found, plain.target_from_source)) < allowed)
    np.testing.assert_allclose(found.expected, plain.expected, rtol=1e-6)
    np.testing.assert_allclose(found.covariance - plain.covariance, common, atol=1e-3 * np.abs(common).max())


def by_gauge(views: Views, covariance: FloatArray) -> FloatArray:
    """(7N, 7N) what errors (7, 7) of the target's own place do to its views."""
    centres = views.target[:, :3, 3]
    jacobian = moved_jacobian(centres, centres.mean(axis=0)).reshape(-1, 7)
    return jacobian @ covariance @ jacobian.T


@pytest.mark.parametrize("sigmas", [1.0, 30.0])
def test_error_that_is_common_to_the_target_does_not_hide_a_bad_view(sigmas: float) -> None:
    views = views_of(3, 4)
    views.source[1, :3, 3] += 1.0

    found = replace(views, prior=views.prior + by_gauge(views, sigmas**2 * np.diag(VARIANCES))).register()

    assert found.weights[1] < 1e-3
    assert np.delete(found.weights, 1).min() > 0.9


@pytest.mark.parametrize("count", [3, 4, 8])
@pytest.mark.parametrize(
    "part", [slice(0, 3), slice(3, 6), slice(6, 7), slice(0, 7)], ids=["turn", "shift", "depth", "all"]
)
def test_one_garbage_view_of_three_or_more_does_not_move_the_answer(count: int, part: slice) -> None:
    squares = []
    for seed in range(40):
        views, bad = views_of(seed, count), seed % count
        error = np.zeros((count, 7))
        error[bad, part] = np.random.default_rng((seed, 3)).choice([-1.0, 1.0], 7)[part]
        views = replace(views, target=shaken(views.target, error), log_ratio=views.log_ratio - error[:, 6])

        found = views.register()

        assert found.weights[bad] < 1e-3
        error_now = error_of(found, views.truth)
        squares.append(error_now @ np.linalg.solve(found.covariance, error_now))
    # Seven degrees of freedom: the mean of 40 is within 7 +- 1.8 in 997 of 1000 cases.
    assert np.mean(squares) < 9


def test_start_is_the_trusted_view_when_two_disagree() -> None:
    views = views_of(0, 2, noise=0.0)
    views.target[0, :3, 3] += 0.5

    found = register_views(views.target, views.prior, views.source, views.log_ratio, VARIANCES, [0.1, 0.9])

    assert np.linalg.norm(error_of(found, views.truth)[3:6]) < 0.26  # the pivot itself moved by half of the error
    assert found.deviations[1] < 0.1 * found.deviations[0]


@pytest.mark.parametrize(("count", "spread"), [(1, 0.5), (4, 0.0), (4, 0.5), (8, 0.3)])
def test_covariance_is_that_of_the_error(count: int, spread: float) -> None:
    runs = 200
    errors, squares = [], []
    for seed in range(runs):
        views = views_of(seed, count, spread)
        found = views.register()
        errors.append(error_of(found, views.truth))
        squares.append(errors[-1] @ np.linalg.solve(found.covariance, errors[-1]))

    sigma = np.sqrt(2 * 7 / runs)
    assert abs(np.mean(squares) - 7) < 3 * sigma
    np.testing.assert_allclose(np.mean(errors, axis=0) / np.std(errors, axis=0), 0.0, atol=3.5 / np.sqrt(runs))


def test_covariance_is_that_of_the_error_when_views_of_the_target_err_together() -> None:
    squares, gains = [], []
    for seed in range(200):
        prior = joint_prior(7, 4)
        views = views_of(seed, 4, noise=0.0)
        generator = np.random.default_rng((seed, 4))
        in_target = generator.multivariate_normal(np.zeros(28), prior).reshape(4, 7)
        in_source = generator.normal(size=(4, 7)) * SIGMAS
        true = views.target
        views = Views(
            target=shaken(true, in_target),
            prior=prior,
            source=views.truth.inverse().apply_to_poses(shaken(true, in_source)),
            log_ratio=np.log(views.truth.scale) - in_target[:, 6] + in_source[:, 6],
            truth=views.truth,
        )
        found, apart = views.register(), replace(views, prior=np.diag(np.diagonal(prior))).register()
        error = error_of(found, views.truth)
        squares.append(error @ np.linalg.solve(found.covariance, error))
        gains.append(np.sum((error_of(apart, views.truth) / SIGMAS) ** 2) - np.sum((error / SIGMAS) ** 2))

    assert abs(np.mean(squares) - 7) < 3 * np.sqrt(14 / 200)
    # What is known of their correlation is used, too.
    assert np.mean(gains) > 2 * np.std(gains) / np.sqrt(200)


def test_residual_and_weights_are_as_expected_of_normal_noise() -> None:
    found = [views_of(seed, 6).register() for seed in range(100)]

    squares = [np.sum(one.residual**2 / one.expected, axis=0) for one in found]
    np.testing.assert_allclose(np.mean(squares, axis=0), 5.0, rtol=0.15)  # one degree of six goes to the transform
    assert np.mean([one.weights < 1 for one in found]) < 0.02


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


@pytest.mark.parametrize("spread", [0.0, 0.005, 0.02, 0.3])
def test_noisy_baselines_do_not_shrink_the_scale(spread: float) -> None:
    """A baseline with noise is longer than it is, in whichever window it is the source."""
    logs = []
    for seed in range(300):
        views = views_of(seed, 4, spread)
        logs.append(np.log(views.register().target_from_source.scale / views.truth.scale))

    assert abs(np.mean(logs)) < 3 * np.std(logs) / np.sqrt(len(logs))
    assert np.std(logs) < 1.3 * SIGMAS[6] * np.sqrt(2 / 4)


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
