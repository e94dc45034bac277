# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How noisy the engine's cameras and depths are, learnt from how well windows agree on what they share."""

from __future__ import annotations

import numpy as np

from da3_ros.geometry.pose_errors import ViewNoise
from da3_ros.geometry.rotation import FloatArray

# What is expected before the data have spoken: 0.2 degrees, 1 cm at 3 m scene depth, half a percent of depth.
EXPECTED = np.array([3.5e-3, 3.3e-3, 5e-3]) ** 2
# That expectation counts as so many degrees of freedom, and the past as so many at most.
EXPECTATION_FREEDOM = 12.0
MEMORY_FREEDOM = 400.0
# Noise is never believed to be below this share of the expectation, and never above this multiple.
BOUNDS = (0.02, 30.0)
# Where each kind's errors are, and how many times the middle view's square counts at most.
_KINDS = ((0, 3, 5.0), (3, 6, 5.0), (6, 7, 10.0))


class NoiseTracker:
    """Running variances of one view's rotation, centre (relative to scene depth) and log depth."""

    def __init__(self) -> None:
        self._variance = EXPECTED.copy()
        self._freedom = np.full(3, EXPECTATION_FREEDOM)

    def noise(self, scene_depth: float) -> ViewNoise:
        """The noise of a view of a scene of that median depth, in its unit."""
        rotation, centre, log_depth = np.sqrt(self._variance)
        return ViewNoise(float(rotation), float(centre) * scene_depth, float(log_depth))

    def add(self, residual: FloatArray, spread: FloatArray) -> None:
        """Learn from one registration.

        Args:
            residual: (N, 7) of the shared views, after the best transform.
            spread: (N, 7) variances that were expected of it; infinite where nothing was measured.
        """
        squares = residual**2 / spread
        for kind, (first, last, most) in enumerate(_KINDS):
            measured = np.isfinite(spread[:, first])
            freedom = (last - first) * (np.count_nonzero(measured) - 1)
            if freedom <= 0:
                continue
            per_view = squares[measured, first:last].sum(axis=1)
            # A garbage view must not teach.
            total = np.minimum(per_view, most * np.median(per_view)).sum()
            past = self._freedom[kind]
            found = self._variance[kind] * (past + total) / (past + freedom)
            self._variance[kind] = np.clip(found, BOUNDS[0] ** 2 * EXPECTED[kind], BOUNDS[1] ** 2 * EXPECTED[kind])
            self._freedom[kind] = min(past + freedom, MEMORY_FREEDOM)
