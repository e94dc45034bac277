# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which way is up, from what an accelerometer feels while nearly still."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.rotation import FloatArray

STANDARD_GRAVITY = 9.80665  # m/s^2
# The mean over a second of ordinary driving leans by less than 3 degrees within these bounds.
GRAVITY_TOLERANCE = 0.5
MAX_FORCE_DEVIATION = 0.6  # m/s^2, standard deviation along each axis
MAX_TURN_RATE = 0.15  # rad/s


class StillForce:
    """The mean specific force over the newest stretch of time.

    Args:
        span_ns: length of that stretch.
        min_samples: fewer say nothing.
    """

    def __init__(self, span_ns: int = 1_000_000_000, min_samples: int = 10) -> None:
        self._span_ns = span_ns
        self._min_samples = min_samples
        self._samples: deque[tuple[int, FloatArray]] = deque(maxlen=10_000)

    def clear(self) -> None:
        """Forget all samples."""
        self._samples.clear()

    def add(self, stamp_ns: int, specific_force: npt.ArrayLike, turn_rate: npt.ArrayLike) -> None:
        """Take one measurement; after a jump back in time only newer ones count.

        Args:
            stamp_ns: when.
            specific_force: (3,) m/s^2; at rest it points up and is as long as gravity.
            turn_rate: (3,) rad/s in the same axes.
        """
        if self._samples and stamp_ns < self._samples[-1][0]:
            self._samples.clear()
        row: FloatArray = np.concatenate((np.asarray(specific_force), np.asarray(turn_rate)), dtype=np.float64)
        if not np.isfinite(row).all():
            return
        self._samples.append((stamp_ns, row))
        # One sample at or before the beginning of the stretch stays: it shows that the stretch is full.
        while len(self._samples) > 1 and self._samples[1][0] <= stamp_ns - self._span_ns:
            self._samples.popleft()

    def up(self) -> tuple[FloatArray | None, str]:
        """(3,) unit vector in the sensor's axes, or None and why not."""
        samples = self._samples
        is_full = len(samples) >= self._min_samples and samples[-1][0] - samples[0][0] >= self._span_ns
        if not is_full:
            return None, "too few measurements yet"
        rows = np.stack([row for _, row in samples])
        mean, deviation = rows.mean(axis=0), rows.std(axis=0)
        length = float(np.linalg.norm(mean[:3]))
        if deviation[:3].max() > MAX_FORCE_DEVIATION or np.linalg.norm(mean[3:]) > MAX_TURN_RATE:
            return None, "it moves: which way is up can only be felt while nearly still"
        if abs(length - STANDARD_GRAVITY) > GRAVITY_TOLERANCE:
            return None, f"it feels {length:.2f} m/s^2 while still, not gravity: is its unit g, or gravity taken out?"
        return mean[:3] / length, ""
