# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Figures of many windows are means and medians of the right numbers; values are binary fractions, so exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from da3_ros.evaluation.accuracy import WindowAccuracy
from da3_ros.evaluation.accuracy_summary import AccuracySummary, summarised
from da3_ros.evaluation.depth_metrics import DepthErrors, ScaledDepthErrors
from da3_ros.evaluation.pose_accuracy import RelativePoseErrors
from da3_ros.evaluation.reconstruction_metrics import ReconstructionErrors

UNKNOWN = float("nan")


def with_turns(*errors_deg: float) -> WindowAccuracy:
    errors = np.array(errors_deg)
    return WindowAccuracy(poses=RelativePoseErrors(errors, np.full_like(errors, np.nan)))


def test_auc_is_the_mean_over_sequences_of_their_pairs_together() -> None:
    windows = [("a", with_turns(0.5)), ("a", with_turns(0.5, 90.0)), ("b", with_turns(90.0))]

    summary = summarised(windows)

    assert summary.auc[3] == pytest.approx((2 / 3 + 0) / 2)
    assert (summary.windows, summary.pairs, summary.undirected_pairs) == (3, 4, 4)
    assert summary.rotation_median_deg == pytest.approx(45.25)
    assert np.isnan(summary.translation_median_deg)
    assert np.isnan(summary.depth["window"].abs_rel)


def window(times: float, turn_deg: float, direction_deg: float) -> WindowAccuracy:
    """No two figures are alike; all but those of the pair in proportion to `times`."""
    first, second, third = (
        DepthErrors(part * times, (part + 1) * times, (part + 2) * times, (part + 3) * times) for part in (8, 16, 32)
    )
    return WindowAccuracy(
        poses=RelativePoseErrors(np.array([turn_deg]), np.array([direction_deg])),
        depth=ScaledDepthErrors(window=first, view=second, unscaled=third),
        reconstruction=ReconstructionErrors(1 * times, 2 * times, 3 * times, 4 * times, 5 * times),
        ate_rmse_m=6 * times,
        focal_error=7 * times,
        is_metric=True,
        seconds=48 * times,
    )


def test_every_figure_is_the_mean_or_median_that_it_says() -> None:
    # Of 1, 2 and 6 the median is 2 and the mean 3.
    windows = [("a", window(1, 0.5, 0.25)), ("a", window(2, 2.5, 1.5)), ("b", window(6, 1.25, UNKNOWN))]

    summary = summarised(windows)

    assert replace(summary, auc={}) == AccuracySummary(
        windows=3,
        pairs=3,
        undirected_pairs=1,
        auc={},
        rotation_median_deg=1.25,
        translation_median_deg=0.875,
        depth={
            "window": DepthErrors(24, 27, 30, 33),
            "view": DepthErrors(48, 51, 54, 57),
            "unscaled": DepthErrors(96, 99, 102, 105),
        },
        accuracy_m=2,
        completeness_m=4,
        precision=9,
        recall=12,
        f_score=15,
        ate_rmse_m=12,
        focal_error=21,
        is_metric=True,
        seconds=96,
    )
    # Below 1, 2 and 3 degrees: of a's pairs 1, 1 and 2 of two, of b's 0, 1 and 1 of one.
    assert summary.auc[3] == pytest.approx(((1 + 1 + 2) / 2 / 3 + (0 + 1 + 1) / 3) / 2)
    assert summary.auc[30] == pytest.approx(((1 + 1 + 28 * 2) / 2 / 30 + 29 / 30) / 2)


def test_windows_are_metric_only_when_every_answer_is() -> None:
    metric = window(1, 0.5, 0.5)

    assert summarised([("a", metric), ("a", metric)]).is_metric
    assert not summarised([("a", metric), ("a", replace(metric, is_metric=False))]).is_metric
    assert not summarised([]).is_metric
