# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Depth to learn from where truth is poor: a teacher's, laid over what little is known.

Scale and shift of a label are found by RANSAC among sparse and partly wrong depths (Depth Anything 3, section 3.3).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from da3_ros.training.config import TrainingConfig
from da3_ros.training.targets import Windows
from da3_ros.training.teacher import TrainedTeacher

NOISE, WRONG_SHARE = 0.03, 0.1  # of what a poor sensor says
WRONG_FACTORS = (0.3, 2.3)
TRIALS = 64
PAIR = 2  # points that fix a scale and a shift
INLIER = 0.1  # largest error of a point that agrees, as a share of its depth
LEAST_POINTS = 8
LEAST_RISE = 1e-4  # between the labels of a pair that is tried


class Labeller:
    """Makes the truth of windows poor as the config says, and from a set step on lets a teacher make it whole.

    Args:
        config: of the student's training.
        teacher: trained; None when there is none.
    """

    def __init__(self, config: TrainingConfig, teacher: TrainedTeacher | None) -> None:
        self._config, self._teacher = config, teacher

    def __call__(self, windows: Windows, step: int, number: int) -> Windows:
        """The windows as they are to be learnt from; `number` is that of the first one in its step."""
        config = self._config
        if config.known_share >= 1:
            return windows
        generator = torch.Generator().manual_seed(hash((config.seed, step, number)) % 2**31)
        depth = spoiled(windows.depth, config.known_share, generator)
        if self._teacher is not None and step >= config.teacher_from:
            with torch.inference_mode():
                label = self._teacher(windows.images, fine=True).float()
            flat = laid_over(label.flatten(0, 1), depth.flatten(0, 1), generator)
            depth = flat.clone().view_as(depth)
        return replace(windows, depth=depth)


def spoiled(depth: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """What a poor sensor leaves of depth: a share of the pixels, with noise, and some of them made up.

    Args:
        depth: (..., H, W), NaN where unknown.
        share: of pixels that keep a value.
        generator: of chance.
    """
    chance, made_up = torch.rand(depth.shape, generator=generator), torch.rand(depth.shape, generator=generator)
    noisy = depth * (1 + NOISE * torch.randn(depth.shape, generator=generator))
    low, high = WRONG_FACTORS
    wrong = depth * (low + (high - low) * torch.rand(depth.shape, generator=generator))
    return torch.where(made_up < WRONG_SHARE, wrong, noisy).where(chance < share, torch.nan)


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
    chosen = torch.randint(len(x), (TRIALS, PAIR), generator=generator).to(x.device)
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
