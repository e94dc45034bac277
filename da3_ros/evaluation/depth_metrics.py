# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How far predicted depth is from the truth, by the measures of the depth literature (Eigen et al. 2014, section 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.errors import DegenerateGeometryError


@dataclass(frozen=True, slots=True)
class DepthErrors:
    """Errors over all pixels where both depths are known.

    Attributes:
        abs_rel: mean of |predicted - true| / true.
        rmse: root mean square of predicted - true, in the unit of the truth.
        delta1: share of pixels with max(predicted / true, true / predicted) < 1.25.
        coverage: share of the pixels with truth that have a prediction.
    """

    abs_rel: float
    rmse: float
    delta1: float
    coverage: float


def depth_errors(predicted: npt.ArrayLike, true: npt.ArrayLike) -> DepthErrors:
    """Compare depths as they are; bring them to one scale before, by `median_scale` if need be.

    Args:
        predicted: any shape, NaN where unknown.
        true: the same shape, NaN where unknown.

    Raises:
        DegenerateGeometryError: when there is no pixel where both are known.
    """
    ours, truth = np.asarray(predicted, dtype=np.float64).ravel(), np.asarray(true, dtype=np.float64).ravel()
    known = np.isfinite(truth)
    both = known & np.isfinite(ours)
    if not both.any():
        raise DegenerateGeometryError("no pixel has both a predicted and a true depth")
    ours, truth = ours[both], truth[both]
    ratio = np.maximum(ours / truth, truth / ours)
    return DepthErrors(
        abs_rel=float(np.mean(np.abs(ours - truth) / truth)),
        rmse=float(np.sqrt(np.mean((ours - truth) ** 2))),
        delta1=float(np.mean(ratio < 1.25)),
        coverage=float(both.sum() / known.sum()),
    )


def median_scale(predicted: npt.ArrayLike, true: npt.ArrayLike) -> float:
    """True units per predicted unit: the median of the pixels' ratios.

    Raises:
        DegenerateGeometryError: when there is no pixel where both are known.
    """
    ratio = np.asarray(true, dtype=np.float64) / np.asarray(predicted, dtype=np.float64)
    ratio = ratio[np.isfinite(ratio)]
    if not ratio.size:
        raise DegenerateGeometryError("no pixel has both a predicted and a true depth")
    return float(np.median(ratio))


@dataclass(frozen=True, slots=True)
class ScaledDepthErrors:
    """Errors of the views of one window, under three ways to bring the prediction to the unit of the truth.

    Attributes:
        window: after one median scale for all views: shape, and whether the views agree on one unit.
        view: after a median scale for each view: shape alone.
        unscaled: as predicted: means something only for a network that claims metres.
    """

    window: DepthErrors
    view: DepthErrors
    unscaled: DepthErrors


def scaled_depth_errors(predicted: npt.ArrayLike, true: npt.ArrayLike) -> ScaledDepthErrors:
    """Compare the depth of V views; all pixels of all views weigh alike.

    Args:
        predicted: (V, H, W) z along the optical axis, NaN where unknown.
        true: (V, H, W) NaN where unknown. A view without any truth takes no part.

    Raises:
        DegenerateGeometryError: when there is no pixel where both are known.
    """
    ours, truth = np.asarray(predicted, dtype=np.float64), np.asarray(true, dtype=np.float64)
    return ScaledDepthErrors(
        window=depth_errors(median_scale(ours, truth) * ours, truth),
        view=depth_errors(_scaled_by_view(ours, truth), truth),
        unscaled=depth_errors(ours, truth),
    )


def _scaled_by_view(ours: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    scaled = ours.copy()
    for view, (depth, target) in enumerate(zip(ours, truth, strict=True)):
        if np.isfinite(depth * target).any():
            scaled[view] *= median_scale(depth, target)
    return scaled
