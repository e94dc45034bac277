# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.evaluation.depth_metrics import depth_errors, median_scale, scaled_depth_errors
from da3_ros.geometry.errors import DegenerateGeometryError
from test.strategies import seeds


def test_depth_errors_are_those_worked_out_by_hand() -> None:
    true = np.array([1.0, 2.0, 4.0, np.nan, 5.0])
    predicted = np.array([1.1, 2.0, 6.0, 3.0, np.nan])

    errors = depth_errors(predicted, true)

    assert errors.abs_rel == pytest.approx((0.1 + 0.0 + 0.5) / 3)
    assert errors.rmse == pytest.approx(np.sqrt((0.01 + 0.0 + 4.0) / 3))
    assert errors.delta1 == pytest.approx(2 / 3)
    assert errors.coverage == pytest.approx(3 / 4)


def test_median_scale_brings_a_scaled_depth_back_past_outliers() -> None:
    true = np.linspace(1.0, 5.0, 101)
    predicted = true / 2.5
    predicted[:20] = 100.0

    assert median_scale(predicted, true) == pytest.approx(2.5)


def test_depth_without_common_pixels_is_degenerate() -> None:
    with pytest.raises(DegenerateGeometryError):
        depth_errors(np.array([np.nan, 1.0]), np.array([1.0, np.nan]))
    with pytest.raises(DegenerateGeometryError):
        median_scale(np.array([np.nan]), np.array([1.0]))


def views(seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    true = generator.uniform(1.0, 5.0, size=(3, 6, 8))
    predicted = true * generator.uniform(0.7, 1.4, size=true.shape)
    true[0, :2] = np.nan
    predicted[1, 3:] = np.nan
    return predicted, true


def brute_force(predicted: npt.NDArray[np.float64], true: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """AbsRel, RMSE and delta1, pixel by pixel."""
    relative, squared, near = [], [], []
    for ours, theirs in zip(predicted.ravel(), true.ravel(), strict=True):
        if np.isfinite(ours) and np.isfinite(theirs):
            relative.append(abs(ours - theirs) / theirs)
            squared.append((ours - theirs) ** 2)
            near.append(max(ours / theirs, theirs / ours) < 1.25)
    return float(np.mean(relative)), float(np.sqrt(np.mean(squared))), float(np.mean(near))


@given(seeds)
def test_scaled_errors_are_those_of_brute_force(seed: int) -> None:
    predicted, true = views(seed)
    by_view = np.stack([ours * np.nanmedian(theirs / ours) for ours, theirs in zip(predicted, true, strict=True)])

    errors = scaled_depth_errors(predicted, true)

    for found, expected in (
        (errors.unscaled, brute_force(predicted, true)),
        (errors.window, brute_force(predicted * np.nanmedian(true / predicted), true)),
        (errors.view, brute_force(by_view, true)),
    ):
        assert (found.abs_rel, found.rmse, found.delta1) == pytest.approx(expected)


@given(seeds, st.floats(0.01, 100.0))
def test_unit_of_the_prediction_changes_nothing_once_scaled(seed: int, unit: float) -> None:
    predicted, true = views(seed)

    before, after = scaled_depth_errors(predicted, true), scaled_depth_errors(unit * predicted, true)

    assert after.window.abs_rel == pytest.approx(before.window.abs_rel)
    assert after.view.rmse == pytest.approx(before.view.rmse)


@given(seeds, st.floats(0.01, 100.0))
def test_perfect_depth_has_no_error_and_the_wrong_unit_shows_only_unscaled(seed: int, unit: float) -> None:
    _, true = views(seed)

    errors = scaled_depth_errors(unit * true, true)

    assert errors.window.abs_rel < 1e-12
    assert errors.view.delta1 == 1.0
    assert errors.unscaled.abs_rel == pytest.approx(abs(unit - 1))


def test_views_in_units_of_their_own_are_right_by_view_and_wrong_by_window() -> None:
    _, true = views(1)

    errors = scaled_depth_errors(true * np.array([1.0, 2.0, 4.0])[:, None, None], true)

    assert errors.view.abs_rel < 1e-12
    assert errors.window.abs_rel > 0.3


def test_view_without_truth_takes_no_part() -> None:
    predicted, true = views(2)
    true[0] = np.nan

    assert scaled_depth_errors(predicted, true).view.abs_rel == pytest.approx(
        scaled_depth_errors(predicted[1:], true[1:]).view.abs_rel
    )
