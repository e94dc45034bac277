# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Rotary positions in two dimensions: a patch's query and key turn by angles of its row and column.

A head's channels split into a row half and a column half. Inside a half of width n, channel j and channel
j + n/2 form a plane that turns by `position * 100^(-2j/n)` (Su et al., RoFormer, eq. 34; base 100 here).
Only differences of positions survive in the product of a query and a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

_BASE: Final = 100.0


@dataclass(frozen=True, slots=True)
class LocalRotary:
    """Positions of one view's tokens: the camera token sits at (0, 0), the patch of row r, column c at (r+1, c+1).

    Attributes:
        cos: (T, head_dim).
        sin: (T, head_dim).
    """

    cos: Tensor
    sin: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Turn queries or keys (N, heads, T, head_dim)."""
        return _rotate(x, self.cos, self.sin)


@dataclass(frozen=True, slots=True)
class GlobalRotary:
    """Positions when all views are attended at once: every patch at (1, 1), every camera token at (0, 0).

    All patches turn alike, so it is the same product to leave them and turn the camera tokens by (-1, -1):
    one token of a view instead of all of them.

    Attributes:
        cos: (1, head_dim).
        sin: (1, head_dim).
        tokens_per_view: T; the camera token is the first of each T.
    """

    cos: Tensor
    sin: Tensor
    tokens_per_view: int

    def __call__(self, x: Tensor) -> Tensor:
        """Turn the camera tokens of queries or keys (B, heads, V*T, head_dim), in place."""
        cameras = x[:, :, :: self.tokens_per_view]
        cameras.copy_(_rotate(cameras, self.cos, self.sin))
        return x


@lru_cache(maxsize=16)
def local_rotary(h: int, w: int, head_dim: int, device: torch.device) -> LocalRotary:
    """Rotary of the tokens of one (h, w)-patch view."""
    with torch.inference_mode(False):  # cached: a table made while predicting must also serve training
        patches = torch.cartesian_prod(torch.arange(1, h + 1, device=device), torch.arange(1, w + 1, device=device))
        positions = torch.cat((patches.new_zeros(1, 2), patches))
        return LocalRotary(*_tables(positions, head_dim))


@lru_cache(maxsize=16)
def global_rotary(tokens_per_view: int, head_dim: int, device: torch.device) -> GlobalRotary:
    """Rotary of the tokens of all views together."""
    with torch.inference_mode(False):
        position = torch.full((1, 2), -1, device=device)
        return GlobalRotary(*_tables(position, head_dim), tokens_per_view)


def _tables(positions: Tensor, head_dim: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines, (T, head_dim) each, of (T, 2) row and column positions."""
    half = head_dim // 2
    frequencies = _BASE ** -(torch.arange(0, half, 2, device=positions.device).float() / half)
    angles = positions.float()[:, :, None] * frequencies  # (T, 2, half/2)
    angles = torch.cat((angles, angles), dim=-1).flatten(1)  # both channels of a plane turn by the same angle
    return angles.cos(), angles.sin()


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the planes of (..., T, head_dim) channels."""
    first, second = x.unflatten(-1, (2, 2, -1)).unbind(-2)  # (..., T, axis, half/2)
    turned = torch.stack((-second, first), dim=-2).flatten(-3)
    return x * cos.to(x.dtype) + turned * sin.to(x.dtype)
