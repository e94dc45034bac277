# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Depth as a poor sensor leaves it: few pixels, noisy, some of them made up; the same ones whenever a view is seen."""

from __future__ import annotations

import torch
from torch import Tensor

NOISE, WRONG_SHARE = 0.03, 0.1  # of what a poor sensor says
WRONG_FACTORS = (0.3, 2.3)


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


def poor_depth(depth: Tensor, room_seed: int, view: int, share: float) -> Tensor:
    """(H, W) depth of one view of one room as its poor sensor said it once."""
    return spoiled(depth, share, torch.Generator().manual_seed(hash((room_seed, view)) % 2**31))
