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

FUSION_STAGES = 4

_POSITION_STRENGTH = 0.1
_POSITION_BASE = 100.0


class Reassemble(nn.Module):
    """Patch features of four taps to a pyramid of four maps, fine to coarse.

    Args:
        dim: channels of a patch feature.
        features: channels of the pyramid.
        channels: of its four stages before they are made equal, fine to coarse.
        normed: patch features pass a layer norm first.
        positioned: maps get image positions.
    """

    def __init__(
        self,
        dim: int,
        features: int,
        channels: tuple[int, int, int, int],
        *,
        normed: bool = True,
        positioned: bool = True,
    ) -> None:
        super().__init__()
        c0, c1, _, c3 = channels
        self.positioned = positioned
        self.norm = nn.LayerNorm(dim) if normed else nn.Identity()
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

    def project(self, stage: int, patches: Tensor, grid: tuple[int, int], aspect: float) -> Tensor:
        """The first step of one stage: (N, h*w, dim) patch features -> (N, channels, h, w), several times smaller."""
        projection = self.projections[stage]
        x = self.norm(patches).unflatten(1, grid).permute(0, 3, 1, 2)  # (N, h*w, dim) -> (N, dim, h, w), channels last
        x = projection(x.to(projection.weight.dtype))
        return add_image_positions(x, aspect) if self.positioned else x

    def pyramid(self, projected: Sequence[Tensor]) -> list[Tensor]:
        """The other steps: what `project` made of the four stages -> four maps, as `forward` returns them."""
        stages = zip(projected, self.resizes, self.adapters, strict=True)
        return [adapt(resize(x)) for x, resize, adapt in stages]

    def forward(self, taps: Sequence[Tensor], grid: tuple[int, int], aspect: float) -> list[Tensor]:
        """Build the pyramid.

        Args:
            taps: four (N, h*w, dim) patch features, shallow to deep.
            grid: (h, w).
            aspect: width over height of the images.

        Returns:
            Maps (N, features, ., .) of 4h x 4w, 2h x 2w, h x w and about h/2 x w/2.
        """
        return self.pyramid([self.project(stage, tap, grid, aspect) for stage, tap in enumerate(taps)])


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
        dtype = self.projection.weight.dtype
        level = level.to(dtype)
        if self.lateral is not None:
            assert coarser is not None
            level = coarser.to(dtype) + self.lateral(level)
        # Trained as resize, then project. A pointwise map commutes with interpolation: four times less work this way.
        return resize(self.projection(self.merged(level)), size)


class Fusion(nn.Module):
    """Fuses a pyramid coarse to fine."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            FusionStage(features, has_lateral=i > 0) for i in range(FUSION_STAGES)
        )  # coarse to fine

    def forward(self, pyramid: Sequence[Tensor], growth: int = 2) -> Tensor:
        """Maps of `Reassemble`, fine to coarse -> (N, features, 8h, 8w).

        With growth 1 the last stage does not grow, and the result is (N, features, 4h, 4w): a quarter of the work, for
        the longer part of a training.
        """
        *finer, x = pyramid
        coarsest, *stages = self.stages
        x = coarsest(x, _size(finer[-1]))
        H, W = _size(finer[0])
        sizes = [*(_size(level) for level in finer[-2::-1]), (growth * H, growth * W)]
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
    x += _axis_sinusoids(W, aspect / diagonal, (0, C), x.device, x.dtype)[:, None, :]
    x += _axis_sinusoids(H, 1.0 / diagonal, (C // 2, C), x.device, x.dtype)[:, :, None]
    return x


@lru_cache(maxsize=64)
def _axis_sinusoids(n: int, span: float, place: tuple[int, int], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Sines, then cosines, of n pixel centres between -span and span.

    To add whole maps of one type, with their channels last in memory, is ten times as fast on a CPU as to add halves.

    Returns:
        (C, n); the half of the channels C that begins with the first number of `place` is filled, the other is zero.
    """
    with torch.inference_mode(False):  # cached: a table made while predicting must also serve training
        begin, channels = place
        quarter = channels // 4
        end = span * (n - 1) / n
        positions = torch.linspace(-end, end, n, device=device)
        frequencies = _POSITION_BASE ** -(torch.arange(quarter, device=device) / quarter)
        angles = positions[:, None] * frequencies
        table = torch.zeros(n, channels, device=device)
        table[:, begin : begin + 2 * quarter] = torch.cat((angles.sin(), angles.cos()), dim=1) * _POSITION_STRENGTH
        return table.to(dtype).T


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resampling of (N, C, ., .) to `size`, corners on corners."""
    return nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=True)


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[-2], x.shape[-1]
