# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Resident memory over time, and how flat it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory at one time.

    Attributes:
        seconds: since the start.
        megabytes: resident, 2^20 bytes.
        windows: processed since the start.
    """

    seconds: float
    megabytes: float
    windows: int


@dataclass(frozen=True, slots=True)
class MemoryCurve:
    """Samples in the order of time; the figures need at least two of them, at different times."""

    samples: tuple[Sample, ...]

    def after(self, seconds: float) -> MemoryCurve:
        """The samples from this time on."""
        return MemoryCurve(tuple(sample for sample in self.samples if sample.seconds >= seconds))

    @property
    def mean_mb(self) -> float:
        """Mean of all samples."""
        return float(np.mean([sample.megabytes for sample in self.samples]))

    @property
    def smallest_mb(self) -> float:
        """Smallest sample."""
        return min(sample.megabytes for sample in self.samples)

    @property
    def largest_mb(self) -> float:
        """Largest sample."""
        return max(sample.megabytes for sample in self.samples)

    @property
    def spread(self) -> float:
        """Largest less smallest, as a share of the mean."""
        return (self.largest_mb - self.smallest_mb) / self.mean_mb

    @property
    def slope_per_hour(self) -> float:
        """Slope of the line of least squares, as a share of the mean per hour."""
        hours = [sample.seconds / 3600 for sample in self.samples]
        megabytes = [sample.megabytes for sample in self.samples]
        return float(np.polyfit(hours, megabytes, 1)[0] / self.mean_mb)

    @property
    def windows(self) -> int:
        """That were processed from the first sample to the last."""
        return self.samples[-1].windows - self.samples[0].windows
