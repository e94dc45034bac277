# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How a training went, as a picture: each term of the loss, the figures of validations, and the learning rate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

SMOOTHED = 15  # entries of the log in a running mean
COLUMNS = 3


def draw_curves(picture: Path, log: Path) -> None:
    """Draw a log that `training.loop.Log` wrote; nothing while it is empty."""
    entries = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    steps = [entry for entry in entries if "terms" in entry]
    validations = [entry for entry in entries if "validation" in entry]
    if not steps:
        return
    from matplotlib.figure import Figure

    names = sorted({name for entry in steps for name in entry["terms"]})
    figures = sorted({name for entry in validations for name in entry["validation"]})
    rows = -(-(len(names) + len(figures) + 1) // COLUMNS)
    figure = Figure(figsize=(4.2 * COLUMNS, 2.5 * rows), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    curves: list[tuple[str, list[tuple[float, float]], bool]] = [
        *((name, _curve(steps, "terms", name), True) for name in names),
        *((f"validation: {name}", _curve(validations, "validation", name), False) for name in figures),
        ("learning rate", [(entry["step"], entry["rate"]) for entry in steps], False),
    ]
    for axis, (title, points, is_noisy) in zip(axes, curves, strict=False):
        _draw(axis, title, points, is_noisy)
    for axis in axes[len(curves) :]:
        axis.set_axis_off()
    figure.savefig(picture, dpi=110)


def _curve(entries: list[dict[str, Any]], part: str, name: str) -> list[tuple[float, float]]:
    return [(entry["step"], entry[part][name]) for entry in entries if name in entry[part]]


def _draw(axis: Any, title: str, points: list[tuple[float, float]], is_noisy: bool) -> None:
    step, value = np.array(points).T
    axis.set_title(title, fontsize=10)
    axis.set_xlabel("step", fontsize=8)
    axis.grid(alpha=0.3)
    axis.tick_params(labelsize=8)
    if not is_noisy:
        axis.plot(step, value, color="C0", marker="." if len(step) < 60 else None)
        return
    axis.plot(step, value, color="C0", alpha=0.25, linewidth=0.8)
    if len(step) > SMOOTHED:
        mean = np.convolve(value, np.ones(SMOOTHED) / SMOOTHED, mode="valid")
        axis.plot(step[SMOOTHED // 2 :][: len(mean)], mean, color="C0")
        axis.set_ylim(*np.percentile(value[len(value) // 50 :], (0, 99)))
