# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Metric depth against a window's own: the ratio, how sure it is, and what may not change it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da3_ros.streaming.model_scale import IMAGE_SIGMA, ModelScale, metric_ratio

Maps = npt.NDArray[np.float32]
SIZE = (42, 56)
seeds = st.integers(0, 2**31)


def scene(generator: np.random.Generator, views: int, size: tuple[int, int] = SIZE) -> Maps:
    """(views, H, W) slanted planes of 1 to 6 m, finer than any pixel."""
    rows, columns = (np.linspace(-1, 1, side) for side in size)
    slopes = generator.uniform(-0.4, 0.4, (views, 2, 1, 1))
    planes = slopes[:, 0] * rows[:, None] + slopes[:, 1] * columns
    return np.asarray(3 * np.exp(planes), dtype=np.float32)


def noisy(generator: np.random.Generator, depth: Maps, sigma: float) -> Maps:
    return np.asarray(depth * np.exp(sigma * generator.normal(size=depth.shape)), dtype=np.float32)


@given(seed=seeds, factor=st.floats(1e-3, 1e3), views=st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_ratio_follows_the_unit_of_the_window(seed: int, factor: float, views: int) -> None:
    generator = np.random.default_rng(seed)
    metres = noisy(generator, scene(generator, views), 0.02)
    depth = noisy(generator, metres, 0.02)
    confidence = np.asarray(1 + generator.random(depth.shape), dtype=np.float32)

    before = metric_ratio(metres, depth, confidence)
    after = metric_ratio(metres, depth * np.float32(factor), confidence)

    assert before is not None
    assert after is not None
    difference = before.log_metres_per_unit - after.log_metres_per_unit
    assert difference == pytest.approx(math.log(np.float32(factor)), abs=1e-4)
    assert after.sigma == pytest.approx(before.sigma, rel=1e-2)


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_ratio_does_not_depend_on_the_order_of_views(seed: int) -> None:
    generator = np.random.default_rng(seed)
    metres = noisy(generator, scene(generator, 4), 0.02)
    depth = metres * np.exp(0.1 * generator.normal(size=(4, 1, 1))).astype(np.float32)
    confidence = np.ones_like(depth)
    order = generator.permutation(4)

    found = metric_ratio(metres, depth, confidence)
    permuted = metric_ratio(metres[order], depth[order], confidence[order])

    assert found is not None
    assert permuted is not None
    assert permuted.log_metres_per_unit == pytest.approx(found.log_metres_per_unit, abs=1e-12)
    assert permuted.sigma == pytest.approx(found.sigma, rel=1e-9)


@pytest.mark.parametrize("blind", ["metres", "depth", "both by halves"])
def test_nothing_is_said_where_nothing_is_known_twice(blind: str) -> None:
    metres, depth = (scene(np.random.default_rng(0), 2) for _ in range(2))
    if blind != "depth":
        metres[:, : SIZE[0] // 2 if blind == "both by halves" else None] = np.nan
    if blind != "metres":
        depth[:, SIZE[0] // 2 if blind == "both by halves" else 0 :] = np.nan

    assert metric_ratio(metres, depth, np.ones_like(depth)) is None


def test_depth_of_another_shape_says_nothing() -> None:
    generator = np.random.default_rng(1)
    depth = scene(generator, 1)
    garbage = np.exp(generator.uniform(-2, 2, depth.shape)).astype(np.float32)

    assert metric_ratio(garbage, depth, np.ones_like(depth)) is None


@pytest.mark.parametrize("size", [(21, 28), (84, 112), (42, 42), (294, 392)])
def test_ratio_is_found_between_images_of_different_sizes(size: tuple[int, int]) -> None:
    metres = scene(np.random.default_rng(2), 3, size)
    depth = scene(np.random.default_rng(2), 3) / np.float32(2.5)

    found = metric_ratio(metres, depth, np.ones_like(depth))

    assert found is not None
    assert found.log_metres_per_unit == pytest.approx(math.log(2.5), abs=0.005)


def test_edges_do_not_count() -> None:
    """A thing in the foreground that the metric network sees one pixel off, and smeared."""
    depth = scene(np.random.default_rng(3), 1)
    depth[0, 10:30, 10:30] /= 3
    metres = 2 * depth
    metres[0, 9, 10:30] = metres[0, 30, 10:30] = 2.0
    metres[0, 10:30, 9] = metres[0, 10:30, 30] = 2.0

    found = metric_ratio(metres, depth, np.ones_like(depth))

    assert found is not None
    assert found.log_metres_per_unit == pytest.approx(math.log(2), abs=1e-6)
    assert found.sigma == pytest.approx(IMAGE_SIGMA, rel=1e-6)


def test_unsure_pixels_weigh_little() -> None:
    depth = scene(np.random.default_rng(4), 1)
    metres, confidence = 2 * depth, np.full_like(depth, 20)
    metres[:, :, : SIZE[1] * 6 // 10] *= 1.3
    confidence[:, :, : SIZE[1] * 6 // 10] = 1

    found = metric_ratio(metres, depth, confidence)

    assert found is not None
    assert found.log_metres_per_unit == pytest.approx(math.log(2), abs=1e-3)


def test_one_view_of_three_does_not_move_the_ratio_but_the_sigma() -> None:
    depth = scene(np.random.default_rng(5), 3)
    metres = 2 * depth
    metres[1] *= 1.3

    agreed = metric_ratio(2 * depth, depth, np.ones_like(depth))
    found = metric_ratio(metres, depth, np.ones_like(depth))

    assert agreed is not None
    assert found is not None
    assert found.log_metres_per_unit == pytest.approx(math.log(2), abs=1e-6)
    assert found.sigma > 2 * agreed.sigma


@pytest.mark.parametrize("views", [1, 3])
def test_sigma_covers_what_images_err_by(views: int) -> None:
    """Errors of a whole image, of ninths of it, and of single pixels; 200 windows."""
    squares = []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        metres = scene(generator, views)
        parts = np.repeat(np.repeat(generator.normal(size=(views, 3, 3)), 14, axis=1), 20, axis=2)[:, :, : SIZE[1]]
        errors = IMAGE_SIGMA * generator.normal(size=(views, 1, 1)) + 0.03 * parts
        depth = noisy(generator, (metres * np.exp(errors)).astype(np.float32), 0.01)
        found = metric_ratio(metres, depth, np.ones_like(depth))
        assert found is not None
        squares.append((found.log_metres_per_unit / found.sigma) ** 2)

    # Images of one scene may err alike, so the mean of three is not believed to be better than one.
    assert (0.8 if views == 1 else 0.2) < np.mean(squares) < 1.25


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    depth = scene(np.random.default_rng(6), 2)

    with pytest.raises(ValueError, match="does not belong to depth"):
        metric_ratio(depth[:1], depth, np.ones_like(depth))


@pytest.mark.parametrize(("every", "views"), [(0, 1), (1, 0)])
def test_schedule_that_asks_nothing_is_refused(every: int, views: int) -> None:
    with pytest.raises(ValueError, match="must be above zero"):
        ModelScale(None, every, views)
