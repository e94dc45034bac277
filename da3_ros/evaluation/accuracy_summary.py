# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The accuracy of many windows, summed up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from da3_ros.evaluation.accuracy import WindowAccuracy
from da3_ros.evaluation.depth_metrics import DepthErrors, ScaledDepthErrors
from da3_ros.evaluation.pose_accuracy import AUC_THRESHOLDS_DEG, RelativePoseErrors, pose_auc
from da3_ros.geometry.rotation import FloatArray


@dataclass(frozen=True, slots=True)
class AccuracySummary:
    """Many windows; NaN where there was nothing to compare.

    Attributes:
        windows: how many.
        pairs: of views.
        undirected_pairs: those whose true cameras stand at one place: they count by rotation alone.
        auc: degrees -> area below the curve, of each sequence's pairs together, mean over the sequences.
        rotation_median_deg: of all pairs.
        translation_median_deg: of all pairs that have a direction.
        depth: scaling -> means over windows: `window`, `view` and `unscaled`.
        accuracy_m: median over windows: where predicted cameras nearly coincide, what aligns them can be huge.
        completeness_m: likewise.
        precision: mean over windows, as all that follow.
        recall: likewise.
        f_score: likewise.
        ate_rmse_m: median over windows.
        focal_error: mean over windows.
        is_metric: whether every answer claims metres.
        seconds: median over windows.
    """

    windows: int
    pairs: int
    undirected_pairs: int
    auc: Mapping[int, float]
    rotation_median_deg: float
    translation_median_deg: float
    depth: Mapping[str, DepthErrors]
    accuracy_m: float
    completeness_m: float
    precision: float
    recall: float
    f_score: float
    ate_rmse_m: float
    focal_error: float
    is_metric: bool
    seconds: float


def summarised(windows: Sequence[tuple[str, WindowAccuracy]]) -> AccuracySummary:
    """Sum up windows, each with the name of its sequence."""
    poses = [(sequence, one.poses) for sequence, one in windows if one.poses is not None]
    clouds = [one.reconstruction for _, one in windows if one.reconstruction is not None]
    means = {name: _mean([getattr(cloud, name) for cloud in clouds]) for name in ("precision", "recall", "f_score")}
    return AccuracySummary(
        windows=len(windows),
        pairs=sum(len(errors.rotation_deg) for _, errors in poses),
        undirected_pairs=sum(errors.undirected for _, errors in poses),
        auc={threshold: _auc_over_sequences(poses, threshold) for threshold in AUC_THRESHOLDS_DEG},
        rotation_median_deg=_median([errors.rotation_deg for _, errors in poses]),
        translation_median_deg=_median([errors.translation_deg for _, errors in poses]),
        depth=_mean_depth_errors([one.depth for _, one in windows if one.depth is not None]),
        accuracy_m=_median([np.array([cloud.accuracy]) for cloud in clouds]),
        completeness_m=_median([np.array([cloud.completeness]) for cloud in clouds]),
        precision=means["precision"],
        recall=means["recall"],
        f_score=means["f_score"],
        ate_rmse_m=_median([np.array([one.ate_rmse_m]) for _, one in windows]),
        focal_error=_mean([one.focal_error for _, one in windows]),
        is_metric=bool(windows) and all(one.is_metric for _, one in windows),
        seconds=_median([np.array([one.seconds]) for _, one in windows]),
    )


def _auc_over_sequences(poses: Sequence[tuple[str, RelativePoseErrors]], threshold_deg: int) -> float:
    by_sequence: dict[str, list[FloatArray]] = {}
    for sequence, errors in poses:
        by_sequence.setdefault(sequence, []).append(errors.worst_deg)
    return _mean([pose_auc(np.concatenate(errors), threshold_deg) for errors in by_sequence.values()])


def _mean_depth_errors(windows: Sequence[ScaledDepthErrors]) -> dict[str, DepthErrors]:
    return {
        scaling: DepthErrors(
            *(_mean([getattr(getattr(one, scaling), name) for one in windows]) for name in DepthErrors.__slots__)
        )
        for scaling in ScaledDepthErrors.__slots__
    }


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _median(values: Sequence[FloatArray]) -> float:
    together = np.concatenate([np.empty(0), *values])
    together = together[np.isfinite(together)]
    return float(np.median(together)) if together.size else float("nan")
