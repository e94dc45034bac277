# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether published covariances tell the truth: normalised errors over many runs against the chi-square band.

The error of a motion, weighted by its published covariance, has as mean square its degrees of freedom when the
covariance is right (Bar-Shalom et al. 2001, section 5.4): more is overconfidence, less is excessive caution.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from da3_ros.evaluation.scenario_runner import Run
from da3_ros.evaluation.scenes import Scene
from da3_ros.streaming.base_uncertainty import motion_between
from da3_ros.streaming.odometry import OdometryState

_NORMAL_97_5 = 1.959964  # quantile of the normal distribution


@dataclass(frozen=True, slots=True)
class NormalisedError:
    """Mean over runs of a squared error over its published variance.

    Attributes:
        name: what erred.
        mean: of all runs; NaN when nothing was published.
        degrees: what the mean should be.
        band: within which the mean lies in 95 % of all cases when it should.
    """

    name: str
    mean: float
    degrees: int
    band: tuple[float, float]

    @property
    def holds(self) -> bool:
        """Whether the mean is inside the band."""
        return self.band[0] <= self.mean <= self.band[1]


def normalised_errors(runs: Sequence[Run]) -> tuple[NormalisedError, ...]:
    """Motions between published base poses, within windows and across their borders, and the scale.

    The band counts each run once, though a run has many motions: they are not independent of each other.

    Args:
        runs: the same scenario with other seeds; cameras placed on the base.
    """
    within: list[float] = []
    across: list[float] = []
    scales: list[float] = []
    for run in runs:
        errors = list(_motion_errors(run))
        within.append(float(np.mean([error for error, at_border in errors if not at_border])))
        across.append(float(np.mean([error for error, at_border in errors if at_border])))
        metric = [played for played in run.windows if played.result.report.ok and played.result.scale.is_metric]
        if metric:
            scales.append((math.log(metric[-1].published_metres) / metric[-1].result.scale.sigma) ** 2)
    return (
        _summary("motion within a window", within, 6),
        _summary("motion across a window change", across, 6),
        _summary("scale", scales, 1),
    )


def chi_square_band(degrees: int, runs: int) -> tuple[float, float]:
    """95 % band of the mean of so many chi-square variables (Wilson and Hilferty 1931).

    Args:
        degrees: of freedom of each.
        runs: how many; degrees * runs of at least 50 for three digits.
    """
    total = degrees * runs
    spread = 2 / (9 * total)
    low, high = (total * (1 - spread + z * math.sqrt(spread)) ** 3 / runs for z in (-_NORMAL_97_5, _NORMAL_97_5))
    return low, high


def motion_error(before: OdometryState, now: OdometryState, scene: Scene) -> float:
    """Squared error of the motion between two states, over the covariance that the later one's twist tells of it."""
    seconds = (now.stamp_ns - before.stamp_ns) * 1e-9
    ours = motion_between(before.odom_from_base, now.odom_from_base)
    true = motion_between(scene.world_from_base(before.stamp_ns), scene.world_from_base(now.stamp_ns))
    error = ours - true
    return float(error @ np.linalg.solve(now.twist_covariance * seconds**2, error))


def _motion_errors(run: Run) -> Iterator[tuple[float, bool]]:
    """Error of each motion, and whether the two poses come from different windows."""
    before: OdometryState | None = None
    for played in run.windows:
        for index, published in enumerate(played.result.new_sets):
            now = published.odometry
            if now is not None and before is not None and not now.is_reset:
                yield motion_error(before, now, run.scene), index == 0
            before = now


def _summary(name: str, values: Sequence[float], degrees: int) -> NormalisedError:
    mean = float(np.mean(values)) if values else math.nan
    return NormalisedError(name, mean, degrees, chi_square_band(degrees, max(len(values), 1)))
