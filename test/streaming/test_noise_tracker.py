# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How noisy an engine is comes out of its windows' disagreement, slowly, and not from garbage."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.pose_errors import ViewNoise
from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming.noise_tracker import NoiseTracker
from test.strategies import seeds

EXPECTED = ViewNoise(rotation_rad=3.5e-3, centre=3.3e-3, log_depth=5e-3)  # at a scene depth of one


def shares(tracker: NoiseTracker) -> FloatArray:
    """(3,) of what is expected in the beginning: rotation, centre, depth."""
    return np.divide(astuple(tracker.noise(1.0)), astuple(EXPECTED))


def teach(tracker: NoiseTracker, seed: int, factors: tuple[float, float, float], views: int = 4) -> None:
    """One registration of two noisy windows; the noise is so many times the expectation."""
    sigmas = np.sqrt(2 * EXPECTED.variances) * np.repeat(factors, (3, 3, 1))
    drawn = np.random.default_rng(seed).normal(size=(views, 7)) * sigmas
    # What the best transform leaves of it.
    tracker.add(drawn - drawn.mean(axis=0), np.tile(2 * tracker.noise(1.0).variances, (views, 1)))


def test_noise_is_as_expected_before_anything_is_known() -> None:
    noise = NoiseTracker().noise(3.0)

    assert np.degrees(noise.rotation_rad) == pytest.approx(0.2, rel=0.01)
    assert noise.centre == pytest.approx(0.01, rel=0.02)
    assert noise.log_depth == pytest.approx(0.005)


@given(st.floats(1e-3, 1e3))
def test_noise_of_centres_grows_with_the_scene_and_no_other(depth: float) -> None:
    near, far = NoiseTracker().noise(1.0), NoiseTracker().noise(depth)

    assert far.centre == pytest.approx(near.centre * depth)
    assert (far.rotation_rad, far.log_depth) == (near.rotation_rad, near.log_depth)


@pytest.mark.parametrize("views", [3, 4, 12])
@pytest.mark.parametrize("factors", [(3.0, 1.0, 1 / 3), (1 / 3, 3.0, 1.0), (1.0, 1 / 3, 3.0), (1.0, 1.0, 1.0)])
def test_each_kind_of_noise_is_learnt_by_itself(factors: tuple[float, float, float], views: int) -> None:
    found = []
    for seed in range(8):
        tracker = NoiseTracker()
        for window in range(150):
            teach(tracker, 1000 * seed + window, factors, views)
        found.append(shares(tracker))

    np.testing.assert_allclose(np.mean(found, axis=0), factors, rtol=0.2)


def test_noise_is_learnt_anew_when_it_changes_after_a_long_time() -> None:
    tracker = NoiseTracker()
    for window in range(1000):
        teach(tracker, window, (1.0, 1.0, 1.0))
    for window in range(1000, 1250):
        teach(tracker, window, (3.0, 3.0, 3.0))

    np.testing.assert_allclose(shares(tracker), 3.0, rtol=0.2)


def test_first_windows_do_not_throw_the_expectation_over() -> None:
    tracker = NoiseTracker()

    tracker.add(np.zeros((4, 7)), np.tile(2 * EXPECTED.variances, (4, 1)))

    # Three views' worth of nothing against twelve degrees of freedom of expectation.
    np.testing.assert_allclose(shares(tracker) ** 2, [12 / 21, 12 / 21, 12 / 15])


def test_one_view_alone_teaches_nothing() -> None:
    tracker = NoiseTracker()

    tracker.add(np.zeros((1, 7)), np.ones((1, 7)))

    np.testing.assert_array_equal(shares(tracker), 1.0)


def test_unknown_depth_teaches_nothing_of_depth() -> None:
    tracker, whole = NoiseTracker(), NoiseTracker()
    residual = np.random.default_rng(0).normal(size=(4, 7)) * np.sqrt(2 * EXPECTED.variances)
    spread = np.tile(2 * EXPECTED.variances, (4, 1))
    unknown = spread.copy()
    unknown[:3, 6] = np.inf
    whole.add(residual, spread)

    tracker.add(np.where(np.isinf(unknown), 0.0, residual), unknown)

    np.testing.assert_array_equal(shares(tracker)[:2], shares(whole)[:2])
    assert shares(tracker)[2] == 1.0
    assert shares(whole)[2] != 1.0


@given(seeds, st.floats(10.0, 1e6))
def test_one_garbage_view_does_not_teach(seed: int, size: float) -> None:
    tracker = NoiseTracker()
    for window in range(60):
        generator = np.random.default_rng((seed, window))
        drawn = generator.normal(size=(5, 7)) * np.sqrt(2 * EXPECTED.variances)
        residual = drawn - drawn.mean(axis=0)
        residual[window % 5] *= size
        tracker.add(residual, np.tile(2 * tracker.noise(1.0).variances, (5, 1)))

    assert shares(tracker).max() < 2.5  # of 400 draws the largest was 1.96; a mean would be in the millions


@pytest.mark.parametrize(("size", "bound"), [(0.0, 0.02), (1e9, 30.0)])
def test_noise_stays_within_bounds_whatever_comes(size: float, bound: float) -> None:
    tracker = NoiseTracker()

    for _ in range(1000):
        tracker.add(np.full((4, 7), size), np.tile(2 * tracker.noise(1.0).variances, (4, 1)))

    np.testing.assert_allclose(shares(tracker), bound)
