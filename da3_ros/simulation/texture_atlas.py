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
LEVELS = SIDE.bit_length()  # 512, 256, ... 1
PAINTERS = TILING | ONCE


@dataclass(frozen=True, slots=True, eq=False)
class TextureAtlas:
    """Packed textures.

    Attributes:
        texels: (M * T,) int32, one texture after the other, each with its levels from fine to coarse, rows of v;
            display values as red | green << 8 | blue << 16.
        level_starts: (L,) int32, where each level begins in its texture.
        order: M material names.
    """

    texels: Tensor
    level_starts: Tensor
    order: tuple[str, ...]

    @property
    def levels(self) -> int:
        """L, from the finest to a single texel."""
        return len(self.level_starts)

    @property
    def side(self) -> int:
        """Texels along each side of the finest level."""
        return 1 << (self.levels - 1)

    def start(self, name: str) -> int:
        """First texel of a material's texture."""
        return self.order.index(name) * (len(self.texels) // len(self.order))


def build_atlas(materials: Mapping[str, Material], seed: int) -> TextureAtlas:
    """Paint every material and reduce it to its mip levels."""
    return packed_atlas({name: mip_levels(_painted(look, seed, name)) for name, look in materials.items()}, SIDE)


def packed_atlas(textures: Mapping[str, Picture], side: int) -> TextureAtlas:
    """Put textures together.

    Args:
        textures: (T, 3) display values in [0, 1] by material, as `mip_levels` gives them.
        side: texels along each side of their finest level, a power of two.
    """
    order = tuple(sorted(textures))
    packed = []
    for name in order:
        red, green, blue = (textures[name] * 255 + 0.5).astype(np.int32).T
        packed.append(red | green << 8 | blue << 16)
    sizes = [(side >> level) ** 2 for level in range(side.bit_length())]
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int32)
    return TextureAtlas(torch.from_numpy(np.concatenate(packed)), torch.from_numpy(starts), order)


def mip_levels(picture: Picture) -> Picture:
    """(T, C) a picture (S, S, C), and after it its halves down to a single texel."""
    levels = [picture.reshape(-1, picture.shape[-1])]
    while len(picture) > 1:
        half = len(picture) // 2
        picture = picture.reshape(half, 2, half, 2, -1).mean(axis=(1, 3))
        levels.append(picture.reshape(half * half, -1))
    return np.concatenate(levels)


def _painted(material: Material, seed: int, name: str) -> Picture:
    # The name takes part, so that adding a material leaves the look of the others alone.
    rng = np.random.default_rng((seed, crc32(name.encode())))
    return np.clip(PAINTERS[material.pattern](rng, material.colours, SIDE), 0, 1).astype(np.float32)


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
    level = level.clamp(0, atlas.levels - 1.001)
    fine = level.to(torch.int32)
    share = level - fine
    near = sample_level(atlas, start, s, t, fine)
    far = sample_level(atlas, start, s, t, fine + 1)
    return [a + (b - a) * share for a, b in zip(near, far, strict=True)]


def sample_level(atlas: TextureAtlas, start: Tensor, s: Tensor, t: Tensor, level: Tensor) -> list[Tensor]:
    """Bilinear lookup in the (N,) int32 mip levels given; otherwise as `sample_atlas`."""
    side = torch.bitwise_right_shift(torch.full_like(level, atlas.side), level)
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
