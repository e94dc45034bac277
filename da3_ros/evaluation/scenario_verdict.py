# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""All runs of a scenario together: what they measured, and whether every one of them kept the limits."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from da3_ros.evaluation.scenario_figures import Figures, broken_limits
from da3_ros.evaluation.scenarios import Scenario


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """A scenario with the figures of its seeds, in their order."""

    scenario: Scenario
    runs: tuple[Figures, ...]

    @property
    def broken(self) -> list[str]:
        """What did not hold, with the seeds; empty when all does.

        A 95th percentile of some hundred windows that are not independent is rough: its median over the seeds counts.
        """
        seeds: dict[str, list[int]] = {}
        scale_p95 = float(np.median([figures.scale_p95 for figures in self.runs]))
        for seed, figures in enumerate(self.runs):
            for line in broken_limits(replace(figures, scale_p95=scale_p95), self.scenario.limits):
                seeds.setdefault(line, []).append(seed)
        return [f"{line} (seed {', '.join(map(str, hit))})" for line, hit in seeds.items()]

    @property
    def median(self) -> dict[str, float]:
        """Median over the seeds of every figure, by name; NaN where it has no meaning."""
        return {
            field.name: float(np.median([getattr(figures, field.name) for figures in self.runs]))
            for field in fields(Figures)
        }

    def as_json(self) -> dict[str, Any]:
        """Plain values; None where a figure has no meaning."""
        return {
            "title": self.scenario.title,
            "holds": not self.broken,
            "broken": self.broken,
            "limits": asdict(self.scenario.limits),
            "noise": asdict(self.scenario.noise),
            "median": _plain(self.median),
            "seeds": [_plain(asdict(figures)) for figures in self.runs],
        }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: None if math.isnan(value) else value for name, value in values.items()}
