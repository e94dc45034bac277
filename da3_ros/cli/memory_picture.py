# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Resident memory over time as a picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # before pyplot: there may be no screen
from matplotlib import pyplot as plt

from da3_ros.cli.memory_curve import MemoryCurve


def draw_memory(file: Path, curve: MemoryCurve, warm_up_s: float, band: float) -> None:
    """The curve, with a band of this share of the mean about the middle of what follows the warm-up."""
    figure, axis = plt.subplots(figsize=(7.0, 3.0), layout="constrained")
    minutes = [sample.seconds / 60 for sample in curve.samples]
    axis.plot(minutes, [sample.megabytes for sample in curve.samples], color="#d62728", linewidth=1.4)
    steady = curve.after(warm_up_s)
    if steady.samples:
        middle, half = (steady.smallest_mb + steady.largest_mb) / 2, band * steady.mean_mb / 2
        axis.axhspan(middle - half, middle + half, color="#1f77b4", alpha=0.15, label=f"{band:.0%} of the mean")
        axis.axvline(warm_up_s / 60, color="#111111", linewidth=0.8, linestyle=":", label="end of the warm-up")
        axis.legend(loc="lower right", fontsize=8)
    axis.set(xlabel="minutes", ylabel="resident memory, MB")
    axis.grid(alpha=0.3)
    figure.savefig(file, dpi=110)
    plt.close(figure)
