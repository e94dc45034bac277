# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The dense prediction transformer (Ranftl et al. 2021): patch features of four depths to one dense feature map.

For a grid of h x w patches:

    tap 0 --> project --> 4h x 4w --.
    tap 1 --> project --> 2h x 2w --+--> fuse coarse to fine --> 8h x 8w
    tap 2 --> project -->  h x w  --|
    tap 3 --> project --> h/2 x w/2 '
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

_POSITION_STRENGTH = 0.1
_POSITION_BASE = 100.0


class Reassemble(nn.Module):
    """Patch features of four taps to a pyramid of four maps, fine to coarse."""

    def __init__(self, dim: int, features: int, channels: tuple[int, int, int, int]) -> None:
        super().__init__()
        c0, c1, _, c3 = channels
        self.norm = nn.LayerNorm(dim)
        self.projections = nn.ModuleList(nn.Conv2d(dim, c, kernel_size=1) for c in channels)
        self.resizes = nn.ModuleList(
            (
                nn.ConvTranspose2d(c0, c0, kernel_size=4, stride=4),
                nn.ConvTranspose2d(c1, c1, kernel_size=2, stride=2),
                nn.Identity(),
                nn.Conv2d(c3, c3, kernel_size=3, stride=2, padding=1),
            )
        )
        self.adapters = nn.ModuleList(nn.Conv2d(c, features, 3, padding=1, bias=False) for c in channels)

    def forward(self, taps: Sequence[Tensor], grid: tuple[int, int], aspect: float) -> list[Tensor]:
        """Build the pyramid.

        Args:
            taps: four (N, h*w, dim) patch features, shallow to deep.
            grid: (h, w).
            aspect: width over height of the images.

        Returns:
            Maps (N, features, ., .) of 4h x 4w, 2h x 2w, h x w and about h/2 x w/2.
        """
        pyramid = []
        for tap, project, resize, adapt in zip(taps, self.projections, self.resizes, self.adapters, strict=True):
            x = self.norm(tap).transpose(1, 2).unflatten(2, grid)  # (N, h*w, dim) -> (N, dim, h, w)
            pyramid.append(adapt(resize(add_image_positions(project(x), aspect))))
        return pyramid


class ResidualUnit(nn.Module):
    """`x + conv2(relu(conv1(relu(x))))`."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, features, H, W) -> the same."""
        return x + self.conv2(self.conv1(x.relu()).relu_())


class FusionStage(nn.Module):
    """Adds one map of the pyramid to what came from coarser ones, and grows the sum to the next finer size."""

    def __init__(self, features: int, *, has_lateral: bool) -> None:
        super().__init__()
        self.lateral = ResidualUnit(features) if has_lateral else None
        self.merged = ResidualUnit(features)
        self.projection = nn.Conv2d(features, features, kernel_size=1)

    def forward(self, level: Tensor, size: tuple[int, int], coarser: Tensor | None = None) -> Tensor:
        """Fuse (N, features, h, w) maps; the result is (N, features, *size)."""
        if self.lateral is not None:
            level = coarser + self.lateral(level)
        # Trained as resize, then project. A pointwise map commutes with interpolation: four times less work this way.
        return resize(self.projection(self.merged(level)), size)


class Fusion(nn.Module):
    """Fuses a pyramid coarse to fine."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(FusionStage(features, has_lateral=i > 0) for i in range(4))  # coarse to fine

    def forward(self, pyramid: Sequence[Tensor]) -> Tensor:
        """Maps of `Reassemble`, fine to coarse -> (N, features, 8h, 8w)."""
        *finer, x = pyramid
        coarsest, *stages = self.stages
        x = coarsest(x, _size(finer[-1]))
        H, W = _size(finer[0])
        sizes = [*(_size(level) for level in finer[-2::-1]), (2 * H, 2 * W)]
        for stage, level, size in zip(stages, reversed(finer), sizes, strict=True):
            x = stage(level, size, x)
        return x


def add_image_positions(x: Tensor, aspect: float) -> Tensor:
    """Add sinusoids of the column to the first half of the channels, of the row to the second, in place.

    Positions are those of pixel centres on a plane whose half diagonal is 1, so maps of all sizes agree.

    Args:
        x: (N, C, H, W) map that no one else needs.
        aspect: width over height of the image that the map covers.

    Returns:
        x.
    """
    C, H, W = x.shape[1:]
    diagonal = math.hypot(aspect, 1.0)
    x[:, : C // 2] += _axis_sinusoids(W, aspect / diagonal, C // 2, x.device)[:, None, :]
    x[:, C // 2 :] += _axis_sinusoids(H, 1.0 / diagonal, C // 2, x.device)[:, :, None]
    return x


@lru_cache(maxsize=64)
def _axis_sinusoids(n: int, span: float, channels: int, device: torch.device) -> Tensor:
    """(channels, n) sines, then cosines, of n pixel centres between -span and span."""
    with torch.inference_mode(False):  # cached: a table made while predicting must also serve training
        end = span * (n - 1) / n
        positions = torch.linspace(-end, end, n, device=device)
        frequencies = _POSITION_BASE ** -(torch.arange(channels // 2, device=device) / (channels / 2))
        angles = frequencies[:, None] * positions
        return torch.cat((angles.sin(), angles.cos())) * _POSITION_STRENGTH


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resampling of (N, C, ., .) to `size`, corners on corners."""
    return nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=True)


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[-2], x.shape[-1]
