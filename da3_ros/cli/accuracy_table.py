# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Figures of `da3_ros eval accuracy` as rows of text and as plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from da3_ros.evaluation.accuracy import WindowAccuracy
    from da3_ros.evaluation.accuracy_run import EvaluatedWindow
    from da3_ros.evaluation.accuracy_summary import AccuracySummary
    from da3_ros.evaluation.streamed import StreamedTrajectory

COLUMNS = (
    "what answers", "views", "windows", "AUC@3", "AUC@5", "AUC@15", "AUC@30", "turn", "direction",
    "AbsRel", "delta1", "RMSE", "by view", "delta1 by view", "unscaled", "F-score", "acc / comp", "ATE", "focal",
    "time",
)  # fmt: skip
TRAJECTORY_COLUMNS = ("stream", "images placed", "path", "ATE", "of the path", "turn")
TRAJECTORIES_EXPLAINED = (
    "Whole sequences as streams: ATE, the RMS distance of camera centres after one Sim(3), and the median turn; empty "
    "where the places, as on a line, determine no alignment."
)
EXPLAINED = (
    "AUC in %, of the worse of turn and baseline direction of every pair of views, mean over sequences. AbsRel, "
    "delta1, RMSE: depth after one median scale per window; by view: after one per view; unscaled: as predicted, for "
    "networks that claim metres. F-score, accuracy and completeness: of clouds, after alignment by the cameras. ATE: "
    "after Sim(3), from three views on. Turn, direction, accuracy, completeness, ATE are medians, all others means."
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All windows of one size.

    Attributes:
        views: of each window.
        windows: what was found, in order.
        rows: name of what answered -> sum of all its windows.
        left_out: places where too few frames overlap for a window.
    """

    views: str
    windows: Sequence[EvaluatedWindow]
    rows: Mapping[str, AccuracySummary]
    left_out: int


@dataclass(frozen=True, slots=True)
class AccuracyFigures:
    """What was found.

    Attributes:
        answering: what was evaluated, in words: model and weights.
        network: what its rows are called; empty without one.
        rows: of the table.
        trajectories: rows of the table of streams; none without streams.
        sentences: what they are about.
        content: the same figures for a file.
        evaluations: what they are of.
        failure: why something is missing, in one sentence; empty when all was evaluated.
    """

    answering: str
    network: str
    rows: Sequence[Sequence[str]]
    trajectories: Sequence[Sequence[str]]
    sentences: Sequence[str]
    content: Mapping[str, Any]
    evaluations: Sequence[Evaluation]
    failure: str


def cells(name: str, views: str, row: AccuracySummary) -> list[str]:
    """One row of the table; empty where there is nothing to say."""
    by_window, by_view, unscaled = (row.depth[scaling] for scaling in ("window", "view", "unscaled"))
    return [
        name,
        views,
        str(row.windows),
        *(_form(100 * row.auc[threshold], "{:.1f}") for threshold in sorted(row.auc)),
        _form(row.rotation_median_deg, "{:.2f}°"),
        _form(row.translation_median_deg, "{:.1f}°"),
        _form(by_window.abs_rel, "{:.3f}"),
        _form(by_window.delta1, "{:.1%}"),
        _form(by_window.rmse, "{:.2f} m"),
        _form(by_view.abs_rel, "{:.3f}"),
        _form(by_view.delta1, "{:.1%}"),
        _form(unscaled.abs_rel if row.is_metric else math.nan, "{:.3f}"),
        _form(row.f_score, "{:.1%}"),
        _form(row.accuracy_m, "{:.3f} / ") + _form(row.completeness_m, "{:.3f} m"),
        _form(row.ate_rmse_m, "{:.3f} m"),
        _form(row.focal_error, "{:.1%}"),
        _form(row.seconds, "{:.2f} s"),
    ]


def trajectory_cells(found: StreamedTrajectory) -> list[str]:
    """One row of the table of streams; empty where there is nothing to say."""
    return [
        found.sequence,
        f"{found.placed} of {found.frames}",
        f"{found.length_m:.2f} m",
        _form(found.ate_rmse_m, "{:.3f} m"),
        _form(found.ate_share, "{:.1%}"),
        _form(found.rotation_median_deg, "{:.2f}°"),
    ]


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Unrounded figures, of every window too; NaN or None where there is nothing to say."""
    return {
        "views": evaluation.views,
        "left_out": evaluation.left_out,
        "rows": {name: asdict(row) for name, row in evaluation.rows.items()},
        "windows": [
            {
                "name": found.window.name,
                "rows": {name: window_figures(row) for name, row in found.rows.items()},
            }
            for found in evaluation.windows
        ],
    }


def window_figures(row: WindowAccuracy) -> dict[str, Any]:
    """One window's unrounded figures."""
    return {
        "rotation_deg": [] if row.poses is None else row.poses.rotation_deg,
        "translation_deg": [] if row.poses is None else row.poses.translation_deg,
        "depth": None if row.depth is None else asdict(row.depth),
        "reconstruction": None if row.reconstruction is None else asdict(row.reconstruction),
        "ate_rmse_m": row.ate_rmse_m,
        "focal_error": row.focal_error,
        "is_metric": row.is_metric,
        "seconds": row.seconds,
    }


def _form(value: float, form: str) -> str:
    return form.format(value) if math.isfinite(value) else ""
