# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""All textures of a room in one tensor, with mip levels, and their filtered lookup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from da3_ros.simulation.materials import Material
from da3_ros.simulation.noise import Picture
from da3_ros.simulation.patterns import TILING
from da3_ros.simulation.pictures import ONCE

SIDE = 512  # texels; a power of two
LEVELS = 10  # 512, 256, ... 1
TEXELS = sum((SIDE >> level) ** 2 for level in range(LEVELS))
PAINTERS = TILING | ONCE


@dataclass(frozen=True, slots=True, eq=False)
class TextureAtlas:
    """Packed textures.

    Attributes:
        texels: (M * TEXELS,) int32, one texture after the other, each with its levels from fine to coarse, rows of v;
            display values as red | green << 8 | blue << 16.
        level_starts: (LEVELS,) int32, where each level begins in its texture.
        order: material names; the k-th has its texels from k * TEXELS on.
    """

    texels: Tensor
    level_starts: Tensor
    order: tuple[str, ...]


def build_atlas(materials: Mapping[str, Material], seed: int) -> TextureAtlas:
    """Paint every material and reduce it to its mip levels."""
    order = tuple(sorted(materials))
    packed = [_packed_levels(_painted(materials[name], seed, name)) for name in order]
    sizes = [(SIDE >> level) ** 2 for level in range(LEVELS)]
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int32)
    return TextureAtlas(torch.from_numpy(np.concatenate(packed)), torch.from_numpy(starts), order)


def _painted(material: Material, seed: int, name: str) -> Picture:
    # The name takes part, so that adding a material leaves the look of the others alone.
    rng = np.random.default_rng((seed, crc32(name.encode())))
    return np.clip(PAINTERS[material.pattern](rng, material.colours, SIDE), 0, 1).astype(np.float32)


def _packed_levels(picture: Picture) -> np.ndarray:
    levels = []
    for _ in range(LEVELS):
        red, green, blue = np.moveaxis((picture * 255 + 0.5).astype(np.int32), -1, 0)
        levels.append((red | green << 8 | blue << 16).ravel())
        half = len(picture) // 2
        if half:
            picture = picture.reshape(half, 2, half, 2, 3).mean(axis=(1, 3))
    return np.concatenate(levels)


def sample_atlas(atlas: TextureAtlas, start: Tensor, s: Tensor, t: Tensor, level: Tensor) -> list[Tensor]:
    """Trilinear lookup.

    Args:
        atlas: the textures.
        start: (N,) int32 first texel of each sample's texture.
        s: (N,) float32 column coordinate, one repetition per unit.
        t: (N,) float32 row coordinate.
        level: (N,) float32 mip level, zero is the finest; clamped.

    Returns:
        Red, green and blue, (N,) float32 display values in [0, 255].
    """
    level = level.clamp(0, LEVELS - 1.001)
    fine = level.to(torch.int32)
    share = level - fine
    near = sample_level(atlas, start, s, t, fine)
    far = sample_level(atlas, start, s, t, fine + 1)
    return [a + (b - a) * share for a, b in zip(near, far, strict=True)]


def sample_level(atlas: TextureAtlas, start: Tensor, s: Tensor, t: Tensor, level: Tensor) -> list[Tensor]:
    """Bilinear lookup in the (N,) int32 mip levels given; otherwise as `sample_atlas`."""
    side = torch.bitwise_right_shift(torch.full_like(level, SIDE), level)
    x, y = s * side - 0.5, t * side - 0.5
    left, low = x.floor(), y.floor()
    x, y = x - left, y - low
    wrap = side - 1
    column, row = left.to(torch.int32), low.to(torch.int32)
    start = start + atlas.level_starts.index_select(0, level)
    rows = [start + ((row + step) & wrap) * side for step in (0, 1)]
    columns = [(column + step) & wrap for step in (0, 1)]
    corners = [_unpacked(atlas.texels.index_select(0, r + c)) for r in rows for c in columns]
    result = []
    for low_left, low_right, high_left, high_right in zip(*corners, strict=True):
        lower = low_left + (low_right - low_left) * x
        upper = high_left + (high_right - high_left) * x
        result.append(lower + (upper - lower) * y)
    return result


def _unpacked(texels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    red, green, blue = texels & 255, (texels >> 8) & 255, texels >> 16
    return red.float(), green.float(), blue.float()
