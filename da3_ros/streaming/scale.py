# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What is known about metres: an up-to-scale world is never dressed as a metric one.

The state is the logarithm of metres per world unit with its variance. Every source has a belief of its own (a scalar
Kalman filter) and they are never averaged: sources have biases, so the mean of two that disagree would only look sure.
One of them is followed; what the others contradict widens the sigma that is told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

SOURCES = ("rig", "odom", "model")
MODES = ("auto", *SOURCES, "fixed", "relative")
# How far a source may be off for ever, relative: what no number of observations takes away. A metric network's depth
# is off by 7 to 10 % on average (AbsRel of DA3-METRIC on NYU, KITTI and ETH3D as published), most of it by one factor
# for a whole scene: a mean absolute error of 6.4 % is a standard deviation of 8 %.
BIAS = {"rig": 1e-3, "odom": 1e-2, "model": 0.08}
# A world is metric from the moment when one source knows its unit this well, its bias aside.
MAX_METRIC_SIGMA = 0.05
# An observation this many sigmas away is refused; chance does that once in 2000.
GATE = 3.5
# So many refused in a row, all on the same side: it is the belief that is wrong.
MAX_REFUSED = 3
# Another source must be this much surer than the one followed, and have agreed with itself so often: changes are rare.
CHANGE_RATIO = 0.7
CHANGE_AFTER = 3
# Two beliefs contradict each other when they are more than this many sigmas apart.
AGREEMENT = 2.0


@dataclass(frozen=True, slots=True)
class ScaleState:
    """The factor to metres and where it comes from.

    Attributes:
        source: "relative" (the world's unit is arbitrary, but constant), "fixed" (the user's constant), or the source
            that is followed: "rig", "odom" or "model".
        metres_per_unit: factor from the units of a segment's first window to what is published; 1 when relative.
        sigma: relative standard deviation of the factor; infinite when relative.
        age_ns: since the source last spoke; 0 for a constant.
    """

    source: str
    metres_per_unit: float
    sigma: float
    age_ns: int

    @property
    def is_metric(self) -> bool:
        """Whether what is published is in metres."""
        return math.isfinite(self.sigma)


@dataclass(frozen=True, slots=True)
class ScaleObservation:
    """One measurement of metres per world unit, independent of all others.

    Attributes:
        source: "rig", "odom" or "model".
        log_metres_per_unit: natural logarithm, without bias.
        sigma: its standard deviation, above zero. It must not depend on the measurement's own noise: an observation
            that happens to be high must not weigh more for that.
        stamp_ns: of the newest image in it.
    """

    source: str
    log_metres_per_unit: float
    sigma: float
    stamp_ns: int

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ValueError(f"a scale observation comes from one of {', '.join(SOURCES)}, not '{self.source}'")
        if not (math.isfinite(self.log_metres_per_unit) and math.isfinite(self.sigma) and self.sigma > 0):
            raise ValueError(
                f"a scale observation of '{self.source}' must be finite with a sigma above zero, "
                f"not {self.log_metres_per_unit} +- {self.sigma}"
            )


class ScaleTracker:
    """Follows the best observed source of scale, and holds while nothing is observed.

    Args:
        mode: one of MODES; `auto` takes whichever source is surest.
        fixed_metres_per_unit: the user's constant for mode `fixed`: metres per unit of a segment's first window.

    Raises:
        ValueError: on an unknown mode, or a constant that is not a finite number above zero.
    """

    def __init__(self, mode: str, fixed_metres_per_unit: float = 1.0) -> None:
        if mode not in MODES:
            raise ValueError(f"scale mode '{mode}' is unknown; it is one of {', '.join(MODES)}")
        if not (math.isfinite(fixed_metres_per_unit) and fixed_metres_per_unit > 0):
            raise ValueError(f"metres_per_unit must be a finite number above zero, not {fixed_metres_per_unit}")
        self._fixed = fixed_metres_per_unit if mode == "fixed" else None
        self._heard = SOURCES if mode == "auto" else (mode,)
        self.forget()

    def forget(self) -> None:
        """A new segment has another unit: nothing is known of it until it is observed."""
        self._beliefs: dict[str, _Belief] = {}
        self._followed: str | None = None
        self._log_scale = 0.0  # what is told
        self._offset = 0.0  # of what is told from the belief that is followed, while gliding to it
        self._doubt = 0.0  # variance: what other sources say against it
        self._fixed_variance = 0.0

    def state(self, stamp_ns: int) -> ScaleState:
        """What is known at a time."""
        if self._fixed is not None:
            return ScaleState("fixed", self._fixed, math.sqrt(self._fixed_variance), 0)
        if self._followed is None:
            return ScaleState("relative", 1.0, math.inf, 0)
        age_ns = max(0, stamp_ns - self._beliefs[self._followed].stamp_ns)
        return ScaleState(self._followed, math.exp(self._log_scale), self._sigma(), age_ns)

    def hears(self, source: str) -> bool:
        """Whether what this source says is of any use."""
        return source in self._heard

    def believed(self, source: str) -> float | None:
        """Metres per unit to expect of a source's next observation, known or only suspected; None without a clue."""
        if source in self._beliefs:
            return math.exp(self._beliefs[source].mean)
        return None if self._followed is None else math.exp(self._log_scale)

    def advance(self, drift_variance: float) -> None:
        """Grow less sure: the world's unit itself drifts from window to window.

        Args:
            drift_variance: what the variance of the unit's logarithm gained, not negative.

        Raises:
            ValueError: when it is negative or not finite.
        """
        if not (math.isfinite(drift_variance) and drift_variance >= 0):
            raise ValueError(f"drift_variance must be a finite number not below zero, not {drift_variance}")
        self._fixed_variance += drift_variance
        for belief in self._beliefs.values():
            belief.variance += drift_variance

    def observe(self, observations: Sequence[ScaleObservation], stamp_ns: int) -> ScaleState:
        """Take in all observations of one window. Without one, the value stays what it is, bit for bit."""
        told, told_sigma, before = self._log_scale, self._sigma(), self._followed
        for belief in self._beliefs.values():
            belief.restarted = False
        taken = {one.source for one in observations if one.source in self._heard and self._take(one)}
        if not taken:
            return self.state(stamp_ns)
        self._choose(taken)
        if self._followed is None:
            return self.state(stamp_ns)
        belief = self._beliefs[self._followed]
        if self._followed in taken:
            if before is not None and (self._followed != before or belief.restarted):
                self._offset = told - belief.mean
            self._glide(min(told_sigma, math.sqrt(belief.variance)))
            self._log_scale = belief.mean + self._offset
        self._doubt = self._contradiction(self._followed)
        return self.state(stamp_ns)

    def _take(self, observation: ScaleObservation) -> bool:
        belief = self._beliefs.get(observation.source)
        if belief is not None:
            return belief.take(observation)
        self._beliefs[observation.source] = _Belief(
            observation.log_metres_per_unit, observation.sigma**2, observation.stamp_ns
        )
        return True

    def _sigma(self) -> float:
        if self._followed is None:
            return math.inf
        return math.sqrt(self._spread(self._followed) + max(self._offset**2, self._doubt))

    def _spread(self, source: str) -> float:
        """Variance of what a source says against the truth."""
        return self._beliefs[source].variance + BIAS[source] ** 2

    def _choose(self, taken: set[str]) -> None:
        """Follow the surest source, but only one that has just spoken, and not for a small gain."""
        limit, agreed = math.inf, 0
        if self._followed is not None:
            limit, agreed = CHANGE_RATIO * math.sqrt(self._spread(self._followed)), CHANGE_AFTER
        known = [one for one in SOURCES if one in taken and self._beliefs[one].variance <= MAX_METRIC_SIGMA**2]
        sure = [one for one in known if self._beliefs[one].agreed >= agreed]
        best = min(sure, key=self._spread, default=None)
        if best is not None and math.sqrt(self._spread(best)) <= limit:
            self._followed = best

    def _glide(self, step: float) -> None:
        """Close in on the belief that is followed; what is left of the way counts as uncertainty."""
        self._offset = math.copysign(max(0.0, abs(self._offset) - step), self._offset)

    def _contradiction(self, followed: str) -> float:
        """The variance that it takes to explain what the other sources say, as far as they know what they say."""
        mean, spread = self._beliefs[followed].mean, self._spread(followed)
        unexplained = (
            (mean - other.mean) ** 2 - AGREEMENT**2 * (spread + self._spread(source))
            for source, other in self._beliefs.items()
            if source != followed and other.variance <= MAX_METRIC_SIGMA**2
        )
        return max(0.0, max(unexplained, default=0.0))


@dataclass(slots=True)
class _Belief:
    """What one source says: mean and variance of the logarithm of metres per unit, and when it was last heard."""

    mean: float
    variance: float
    stamp_ns: int
    agreed: int = 1  # observations taken since the belief began
    refused: int = 0  # observations in a row, counted down when they lie below
    restarted: bool = False  # whether one was taken against the belief in this window

    def take(self, observation: ScaleObservation) -> bool:
        """Kalman update; False when the observation is refused as an outlier."""
        innovation = observation.log_metres_per_unit - self.mean
        noise = observation.sigma**2
        if innovation**2 > GATE**2 * (self.variance + noise):
            side = 1 if innovation > 0 else -1
            self.refused = side + (self.refused if self.refused * side > 0 else 0)
            if abs(self.refused) < MAX_REFUSED:
                return False
            self.variance += innovation**2
            self.agreed, self.restarted = 0, True
        gain = self.variance / (self.variance + noise)
        self.mean += gain * innovation
        self.variance *= 1 - gain
        self.stamp_ns = observation.stamp_ns
        self.agreed, self.refused = self.agreed + 1, 0
        return True
