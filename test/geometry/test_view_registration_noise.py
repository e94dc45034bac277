# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Registration of noisy views: an honest covariance, no bias, and no regard to what is common or garbage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.view_registration import moved_jacobian
from test.geometry.noisy_views import SIGMAS, VARIANCES, Views, error_of, joint_prior, shaken, views_of
from test.strategies import seeds


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


@pytest.mark.parametrize("spread", [0.0, 0.005, 0.02, 0.3])
def test_noisy_baselines_do_not_shrink_the_scale(spread: float) -> None:
    """A baseline with noise is longer than it is, in whichever window it is the source."""
    logs = []
    for seed in range(300):
        views = views_of(seed, 4, spread)
        logs.append(np.log(views.register().target_from_source.scale / views.truth.scale))

    assert abs(np.mean(logs)) < 3 * np.std(logs) / np.sqrt(len(logs))
    assert np.std(logs) < 1.3 * SIGMAS[6] * np.sqrt(2 / 4)
