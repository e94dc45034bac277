# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The ratio of two depth estimates is exact without noise and holds with garbage in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.depth_scale import MIN_PIXELS, depth_ratio, weighted_median
from da3_ros.geometry.rotation import FloatArray
from test.strategies import seeds


def depths(seed: int, pixels: int = 2000) -> FloatArray:
    return np.random.default_rng(seed).uniform(0.5, 8.0, pixels)


@given(seeds, st.floats(0.01, 100.0), st.integers(MIN_PIXELS, 3000))
def test_ratio_is_exact_when_there_is_no_noise(seed: int, ratio: float, pixels: int) -> None:
    source = depths(seed, pixels)

    found = depth_ratio(ratio * source, source, np.random.default_rng(seed).uniform(0.1, 9.0, pixels))

    assert found.log_ratio == pytest.approx(np.log(ratio), abs=1e-12)
    assert found.residual < 1e-12
    assert found.inliers == pytest.approx(1.0)


@given(seeds)
def test_ratio_inverts_when_the_sides_are_swapped(seed: int) -> None:
    # An odd number of equal weights: the median is then one pixel, whichever way one looks.
    target, source = depths(seed, 333), depths(seed + 1, 333)
    weights = np.ones(333)

    there, back = depth_ratio(target, source, weights), depth_ratio(source, target, weights)

    assert there.log_ratio == pytest.approx(-back.log_ratio, abs=1e-12)
    assert there.residual == pytest.approx(back.residual)
    assert there.inliers == pytest.approx(back.inliers)


@given(seeds, st.floats(-5.0, 5.0), st.floats(-5.0, 5.0), st.floats(1e-3, 1e3))
def test_ratio_follows_the_units_and_not_the_unit_of_the_weights(
    seed: int, log_target: float, log_source: float, weight: float
) -> None:
    target, source = depths(seed), depths(seed + 1)
    weights = np.random.default_rng(seed).uniform(0.1, 9.0, 2000)

    plain = depth_ratio(target, source, weights)
    found = depth_ratio(np.exp(log_target) * target, np.exp(log_source) * source, weight * weights)

    assert found.log_ratio == pytest.approx(plain.log_ratio + log_target - log_source, abs=1e-9)
    assert found.residual == pytest.approx(plain.residual)
    assert found.inliers == pytest.approx(plain.inliers, abs=2e-3)


@pytest.mark.parametrize(
    ("factors", "bias"),
    [((10.0,), 0.003), ((0.1, 10.0), 0.003), ((1.3,), 0.003), ((1 / 1.3,), 0.003), ((1.1,), 0.02)],
    ids=["one-sided", "two-sided", "near", "near-below", "nearer"],
)
def test_ratio_holds_when_three_of_ten_pixels_are_garbage(factors: tuple[float, ...], bias: float) -> None:
    for seed in range(20):
        generator = np.random.default_rng(seed)
        source = depths(seed)
        target = 2.0 * source * np.exp(0.01 * generator.normal(size=2000))
        garbage = generator.permutation(2000)[:600]
        target[garbage] *= generator.choice(factors, 600)

        found = depth_ratio(target, source, np.ones(2000))

        assert found.log_ratio == pytest.approx(np.log(2.0), abs=bias)
        if max(factors) > 1.2:
            assert found.inliers == pytest.approx(0.7, abs=1e-9)


def test_ratio_is_nearly_as_good_as_the_mean_when_noise_is_normal() -> None:
    ours, means = [], []
    for seed in range(300):
        noise = 0.03 * np.random.default_rng(seed).normal(size=200)
        ours.append(depth_ratio(np.exp(noise), np.ones(200), np.ones(200)).log_ratio)
        means.append(noise.mean())

    # Efficiency 95 %; that of the median would be 64 %, a standard deviation 1.25 times as large.
    assert np.std(ours) < 1.08 * np.std(means)
    assert abs(np.mean(ours)) < 3 * np.std(ours) / np.sqrt(300)


def test_residual_is_the_median_of_what_remains() -> None:
    noise = 0.03 * np.random.default_rng(0).normal(size=20000)

    found = depth_ratio(np.exp(noise), np.ones(20000), np.ones(20000))

    assert found.residual == pytest.approx(0.03 * 0.6745, rel=0.03)
    assert found.inliers > 0.998


def test_unknown_pixels_do_not_count() -> None:
    source = depths(0)
    target = 3.0 * source
    target[:400] = np.nan
    target[400:500] = 0.0
    source[500:900] = -1.0
    source[900:910] = np.inf
    weights = np.ones(2000)
    weights[910:1000] = (0.0, -1.0, np.nan) * 30
    target[910:1000] = 1e9

    found = depth_ratio(target, source, weights)

    assert found.log_ratio == pytest.approx(np.log(3.0))
    assert found.inliers == pytest.approx(1.0)


@pytest.mark.parametrize(("weight", "ratio", "inliers"), [(0.9, 2.0, 1 / 1.9), (1.1, 5.0, 1.1 / 2.1)])
def test_weight_decides_when_half_of_the_pixels_disagree(weight: float, ratio: float, inliers: float) -> None:
    source = depths(0)
    target = np.where(np.arange(2000) < 1000, 2.0, 5.0) * source

    found = depth_ratio(target, source, np.where(np.arange(2000) < 1000, 1.0, weight))

    assert found.log_ratio == pytest.approx(np.log(ratio))
    assert found.inliers == pytest.approx(inliers)


@pytest.mark.parametrize("known", [0, 1, MIN_PIXELS - 1])
def test_ratio_is_unknown_when_too_few_pixels_are_known(known: int) -> None:
    source = depths(0)
    source[known:] = np.nan

    found = depth_ratio(source, source, np.ones(2000))

    assert np.isnan(found.log_ratio)
    assert np.isnan(found.residual)
    assert found.inliers == 0.0


def test_ratio_is_known_from_as_few_pixels_as_that() -> None:
    source = depths(0)
    source[MIN_PIXELS:] = np.nan

    assert depth_ratio(2 * source, source, np.ones(2000)).log_ratio == pytest.approx(np.log(2))


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=30), seeds)
def test_weighted_median_is_the_median_of_repeated_values(values: list[int], seed: int) -> None:
    weights = np.random.default_rng(seed).integers(1, 5, len(values))

    repeated = np.sort(np.repeat(values, weights))
    assert weighted_median(values, weights) == repeated[(len(repeated) - 1) // 2]
