# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest

from da3_ros.cli.accuracy_table import COLUMNS, cells
from da3_ros.evaluation.accuracy_summary import AccuracySummary
from da3_ros.evaluation.depth_metrics import DepthErrors

ROW = AccuracySummary(
    windows=12,
    pairs=3,
    undirected_pairs=1,
    auc={3: 0.011, 5: 0.022, 15: 0.033, 30: 0.044},
    rotation_median_deg=1.25,
    translation_median_deg=2.5,
    depth={
        "window": DepthErrors(0.101, 1.02, 0.303, 0.9),
        "view": DepthErrors(0.202, 2.02, 0.404, 0.9),
        "unscaled": DepthErrors(0.505, 3.03, 0.606, 0.9),
    },
    accuracy_m=0.701,
    completeness_m=0.802,
    precision=0.1,
    recall=0.2,
    f_score=0.61,
    ate_rmse_m=0.909,
    focal_error=0.071,
    is_metric=True,
    seconds=7.75,
)


def test_every_cell_stands_below_its_head() -> None:
    assert dict(zip(COLUMNS, cells("ours", "2", ROW), strict=True)) == {
        "what answers": "ours", "views": "2", "windows": "12",
        "AUC@3": "1.1", "AUC@5": "2.2", "AUC@15": "3.3", "AUC@30": "4.4", "turn": "1.25°", "direction": "2.5°",
        "AbsRel": "0.101", "delta1": "30.3%", "RMSE": "1.02 m", "by view": "0.202", "delta1 by view": "40.4%",
        "unscaled": "0.505", "F-score": "61.0%", "acc / comp": "0.701 / 0.802 m", "ATE": "0.909 m", "focal": "7.1%",
        "time": "7.75 s",
    }  # fmt: skip


@pytest.mark.parametrize("is_metric", [True, False])
def test_depth_as_predicted_is_shown_of_metric_answers_alone(is_metric: bool) -> None:
    row = cells("ours", "2", replace(ROW, is_metric=is_metric))

    assert bool(row[COLUMNS.index("unscaled")]) == is_metric
