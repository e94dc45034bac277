# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What is known about metres: an up-to-scale world is never dressed as a metric one."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScaleState:
    """The factor to metres and where it comes from.

    Attributes:
        source: "relative" (the world's unit is arbitrary, but constant) or "fixed" (the user's constant).
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


def relative_scale() -> ScaleState:
    """Nothing is known: the unit is that of the first window."""
    return ScaleState("relative", 1.0, math.inf, 0)


def fixed_scale(metres_per_unit: float) -> ScaleState:
    """The user says how many metres the unit of the first window has, and is believed.

    Raises:
        ValueError: when the factor is not a finite number above zero.
    """
    if not (math.isfinite(metres_per_unit) and metres_per_unit > 0):
        raise ValueError(f"metres_per_unit must be a finite number above zero, not {metres_per_unit}")
    return ScaleState("fixed", metres_per_unit, 0.0, 0)
