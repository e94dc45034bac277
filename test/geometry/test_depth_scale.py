# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The ratio of two depth estimates is exact without noise and holds with garbage in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.depth_scale import depth_scale, weighted_median
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import FloatArray
from test.strategies import seeds


def depths(seed: int, views: int = 3, pixels: int = 2000) -> FloatArray:
    return np.random.default_rng(seed).uniform(0.5, 8.0, (views, pixels))


@given(seeds, st.floats(0.01, 100.0))
def test_ratio_is_exact_when_there_is_no_noise(seed: int, ratio: float) -> None:
    source = depths(seed)

    found = depth_scale(ratio * source, source, np.ones(source.shape))

    assert found.ratio == pytest.approx(ratio, rel=1e-12)
    assert found.sigma < 1e-12
    assert found.inliers == pytest.approx(1.0)


@given(seeds)
def test_ratio_inverts_when_the_sides_are_swapped(seed: int) -> None:
    # An odd number of equal weights: the median is then one pixel, whichever way one looks.
    target, source = depths(seed, pixels=333), depths(seed + 1, pixels=333)
    weights = np.ones(source.shape)

    there, back = depth_scale(target, source, weights), depth_scale(source, target, weights)

    assert there.ratio * back.ratio == pytest.approx(1.0)


@given(seeds)
def test_ratio_holds_when_a_third_of_the_pixels_is_garbage(seed: int) -> None:
    generator = np.random.default_rng(seed)
    source = depths(seed)
    target = 2.0 * source * np.exp(0.01 * generator.normal(size=source.shape))
    garbage = generator.random(source.shape) < 0.3
    target[garbage] *= 10

    found = depth_scale(target, source, np.ones(source.shape))

    assert found.ratio == pytest.approx(2.0, rel=0.015)
    assert found.inliers == pytest.approx(0.7, abs=0.04)


def test_unknown_pixels_do_not_count() -> None:
    source = depths(0)
    target = 3.0 * source
    target[0] = np.nan
    target[1, :500] = 0.0
    source[1, 500:900] = -1.0
    source[2, :10] = np.inf

    found = depth_scale(target, source, np.ones(source.shape))

    assert found.ratio == pytest.approx(3.0)
    np.testing.assert_allclose(found.view_inliers, [0.0, 1.0, 1.0])


def test_weight_decides_when_half_of_the_pixels_disagree() -> None:
    source = depths(0, views=2)
    target = np.stack((2.0 * source[0], 5.0 * source[1]))

    found = depth_scale(target, source, np.stack((np.ones(2000), np.full(2000, 0.9))))

    assert found.ratio == pytest.approx(2.0)
    np.testing.assert_allclose(found.view_inliers, [1.0, 0.0])


def test_sigma_covers_the_error_when_noise_is_smooth_over_patches() -> None:
    errors = []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        noise = 0.03 * np.repeat(generator.normal(size=(2, 16)), 50, axis=1)
        found = depth_scale(np.exp(noise), np.ones(noise.shape), np.ones(noise.shape))
        errors.append(np.log(found.ratio) / found.sigma)

    assert 0.7 < np.std(errors) < 2.0


def test_depths_are_refused_when_too_few_pixels_are_known() -> None:
    source = depths(0)
    source[:, 10:] = np.nan

    with pytest.raises(DegenerateGeometryError, match="30 pixels have a depth in both, 50 are needed"):
        depth_scale(source, source, np.ones(source.shape))


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=30), seeds)
def test_weighted_median_is_the_median_of_repeated_values(values: list[int], seed: int) -> None:
    weights = np.random.default_rng(seed).integers(1, 5, len(values))

    repeated = np.sort(np.repeat(values, weights))
    assert weighted_median(values, weights) == repeated[(len(repeated) - 1) // 2]
