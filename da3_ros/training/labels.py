# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Depth to learn from where truth is poor: a teacher's, laid over what little is known.

Scale and shift of a label are found by RANSAC among sparse and partly wrong depths (Depth Anything 3, section 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from da3_ros.training.config import TrainingConfig
from da3_ros.training.targets import Windows
from da3_ros.training.teacher import TrainedTeacher

TRIALS = 64
PAIR = 2  # points that fix a scale and a shift
INLIER = 0.1  # largest error of a point that agrees, as a share of its depth
LEAST_POINTS = 8
LEAST_RISE = 1e-4  # between the labels of a pair that is tried


class Labeller:
    """Lets a teacher make poor truth whole, from a set step on.

    Args:
        config: of the student's training.
        teacher: trained, on any device.
    """

    def __init__(self, config: TrainingConfig, teacher: TrainedTeacher) -> None:
        self._config, self._teacher = config, teacher
        self._device = next(teacher.parameters()).device

    def __call__(self, windows: Windows, step: int, numbers: Sequence[int]) -> Windows:
        """The windows of a step, by their numbers in it, as they are to be learnt from."""
        if step < self._config.teacher_from:
            return windows
        with torch.inference_mode():
            labels = self._teacher(windows.images.to(self._device), fine=True).float().to(windows.depth.device)
        depth = [
            laid_over(label, known, torch.Generator().manual_seed(hash((self._config.seed, step, number)) % 2**31))
            for label, known, number in zip(labels, windows.depth, numbers, strict=True)
        ]
        return replace(windows, depth=torch.stack(depth).clone())


def laid_over(label: Tensor, known: Tensor, generator: torch.Generator) -> Tensor:
    """Labels with the scale and shift under which most of what is known agrees with them.

    Args:
        label: (N, H, W) a teacher's depth.
        known: (N, H, W) sparse and partly wrong depth, NaN where unknown.
        generator: of the trials.

    Returns:
        (N, H, W) depth in the unit of `known`; NaN in whole for an image of which too little is known, or that agrees
        with its label under no scale above zero; NaN where it would not be in front of the camera.
    """
    placed = [_laid_over_one(one, there, generator) for one, there in zip(label, known, strict=True)]
    return torch.stack(placed)


def _laid_over_one(label: Tensor, known: Tensor, generator: torch.Generator) -> Tensor:
    is_known = ~known.isnan()
    x, y = label[is_known], known[is_known]
    nothing = torch.full_like(label, torch.nan)
    if len(x) < LEAST_POINTS:
        return nothing
    chosen = torch.randint(len(x), (TRIALS, PAIR), generator=generator)
    across, up = x[chosen].diff(dim=1)[:, 0], y[chosen].diff(dim=1)[:, 0]
    scale = torch.where(across.abs() > LEAST_RISE, up / across, torch.nan)
    shift = y[chosen[:, 0]] - scale * x[chosen[:, 0]]
    agrees = (scale[:, None] * x + shift[:, None] - y).abs() < INLIER * y
    votes = (agrees & (scale > 0)[:, None]).sum(1)
    best = int(votes.argmax())
    if votes[best] < LEAST_POINTS:
        return nothing
    slope, offset = _line(x[agrees[best]].double(), y[agrees[best]].double())
    placed = slope * label + offset
    return placed.where(placed > 0, torch.nan) if slope > 0 else nothing


def _line(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Slope and offset of y over x with the least relative error."""
    weight = (1 / y.square()) / (1 / y.square()).sum()
    x_mean, y_mean = (weight * x).sum(), (weight * y).sum()
    spread = (weight * (x - x_mean).square()).sum()
    slope = (weight * (x - x_mean) * (y - y_mean)).sum() / spread.clamp(min=LEAST_RISE**2)
    return float(slope), float(y_mean - slope * x_mean)
