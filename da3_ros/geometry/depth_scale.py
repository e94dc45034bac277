# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The scale between two depth estimates of the same pixels. It needs no motion, so it is always observable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import FloatArray

# Two depths of a pixel agree when their ratio is this near to the common one (natural logarithm).
AGREEMENT = 0.1
MIN_PIXELS = 50
# Depth errors are smooth over about a quarter of an image: a view counts as 4x4 independent measurements.
PATCHES_PER_VIEW = 16
# Median absolute deviation to standard deviation of a normal distribution.
MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True, eq=False)
class DepthScale:
    """Result of `depth_scale`.

    Attributes:
        ratio: target units per source unit.
        sigma: relative standard deviation of the ratio.
        residual: weighted median of the relative disagreement that remains.
        inliers: share of the weight that agrees within AGREEMENT.
        view_inliers: (V,) the same for each view; 0 for a view without a comparable pixel.
    """

    ratio: float
    sigma: float
    residual: float
    inliers: float
    view_inliers: FloatArray


def depth_scale(target_depth: npt.ArrayLike, source_depth: npt.ArrayLike, weights: npt.ArrayLike) -> DepthScale:
    """Robust ratio of two depth estimates, pixel by pixel.

    The weighted median of the log ratio: half of the weight may be wrong, and swapping the two inverts the answer.

    Args:
        target_depth: (V, N) depth of N pixels in V views, target units; NaN or not above zero where unknown.
        source_depth: (V, N) the same pixels, source units.
        weights: (V, N) not negative.

    Raises:
        DegenerateGeometryError: when fewer than MIN_PIXELS pixels are known in both.
    """
    target, source = np.asarray(target_depth, dtype=np.float64), np.asarray(source_depth, dtype=np.float64)
    weight = np.asarray(weights, dtype=np.float64)
    known = (target > 0) & (source > 0) & (weight > 0) & np.isfinite(target) & np.isfinite(source) & np.isfinite(weight)
    if np.count_nonzero(known) < MIN_PIXELS:
        raise DegenerateGeometryError(f"{np.count_nonzero(known)} pixels have a depth in both, {MIN_PIXELS} are needed")
    log_ratio = np.log(target[known] / source[known])
    common = weighted_median(log_ratio, weight[known])
    error = np.abs(log_ratio - common)
    residual = weighted_median(error, weight[known])
    agreeing, total = np.zeros(weight.shape), np.where(known, weight, 0.0)
    agreeing[known] = np.where(error < AGREEMENT, weight[known], 0.0)
    views = np.count_nonzero(known.any(axis=1))
    return DepthScale(
        ratio=float(np.exp(common)),
        sigma=MAD_TO_SIGMA * residual / np.sqrt(PATCHES_PER_VIEW * views),
        residual=residual,
        inliers=float(agreeing.sum() / total.sum()),
        view_inliers=agreeing.sum(axis=1) / np.maximum(total.sum(axis=1), np.finfo(float).tiny),
    )


def weighted_median(values: npt.ArrayLike, weights: npt.ArrayLike) -> float:
    """The smallest value with at least half of the total weight at or below it.

    Args:
        values: (N,) N above zero, finite.
        weights: (N,) not negative, some above zero.
    """
    value, weight = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    order = np.argsort(value, kind="stable")
    cumulative = np.cumsum(weight[order])
    return float(value[order[np.searchsorted(cumulative, cumulative[-1] / 2)]])
