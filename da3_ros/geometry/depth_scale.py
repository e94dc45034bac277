# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The scale between two depth estimates of the same pixels. It needs no motion, so it is always observable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.rotation import FloatArray

# Two depths of a pixel agree when their ratio is this near to the common one (natural logarithm).
AGREEMENT = 0.1
MIN_PIXELS = 30
# Median absolute deviation to standard deviation of a normal distribution.
MAD_TO_SIGMA = 1.4826
# Tukey's biweight at 95 % efficiency for normal errors (Huber and Ronchetti 2009, "Robust statistics").
TUKEY_SIGMAS = 4.685
ITERATIONS = 4


@dataclass(frozen=True, slots=True)
class DepthRatio:
    """Result of `depth_ratio`.

    Attributes:
        log_ratio: logarithm of target units per source unit; NaN when too few pixels are known in both.
        residual: weighted median of the relative disagreement that remains; NaN as above.
        inliers: share of the weight that agrees within AGREEMENT; 0 as above.
    """

    log_ratio: float
    residual: float
    inliers: float


def depth_ratio(target_depth: npt.ArrayLike, source_depth: npt.ArrayLike, weights: npt.ArrayLike) -> DepthRatio:
    """Robust ratio of two depth estimates of one view, pixel by pixel.

    From the weighted median of the log ratio, which half of the weight cannot break, to Tukey's biweight mean of it,
    which uses what agrees about as well as a mean would. Swapping the two depths inverts the answer.

    Args:
        target_depth: (N,) depth of N pixels, target units; NaN or not above zero where unknown.
        source_depth: (N,) the same pixels, source units.
        weights: (N,) not negative.
    """
    target, source = np.asarray(target_depth, dtype=np.float64), np.asarray(source_depth, dtype=np.float64)
    weight = np.asarray(weights, dtype=np.float64)
    known = (target > 0) & (source > 0) & (weight > 0) & np.isfinite(target) & np.isfinite(source) & np.isfinite(weight)
    if np.count_nonzero(known) < MIN_PIXELS:
        return DepthRatio(np.nan, np.nan, 0.0)
    log_ratio, weight = np.log(target[known] / source[known]), weight[known]
    centre = weighted_median(log_ratio, weight)
    error = np.abs(log_ratio - centre)
    residual = weighted_median(error, weight)
    if residual > 0:
        centre = _biweight_mean(log_ratio, weight, centre, MAD_TO_SIGMA * residual)
        error = np.abs(log_ratio - centre)
    return DepthRatio(centre, residual, float(weight[error < AGREEMENT].sum() / weight.sum()))


def weighted_median(values: npt.ArrayLike, weights: npt.ArrayLike) -> float:
    """The smallest value with at least half of the total weight at or below it.

    Args:
        values: (N,) N above zero, finite.
        weights: (N,) not negative, some above zero.
    """
    value, weight = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    order = np.argsort(value)
    cumulative = np.cumsum(weight[order])
    return float(value[order[np.searchsorted(cumulative, cumulative[-1] / 2)]])


def _biweight_mean(values: FloatArray, weights: FloatArray, start: float, sigma: float) -> float:
    centre = start
    for _ in range(ITERATIONS):
        pull = weights * np.maximum(1 - ((values - centre) / (TUKEY_SIGMAS * sigma)) ** 2, 0) ** 2
        centre = float(pull @ values / pull.sum())
    return centre
