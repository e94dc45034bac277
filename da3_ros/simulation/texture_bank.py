# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Small textures for many rooms: a pattern is painted once, and then takes on the colours of each room.

Painters are affine in their colours. So a painting is kept as the share that each colour has in each texel, and a
room's texture is a product of matrices, a thousand times cheaper than painting.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from zlib import crc32

import numpy as np

from da3_ros.simulation.materials import Colour, Material, Pattern
from da3_ros.simulation.noise import Picture
from da3_ros.simulation.texture_atlas import PAINTERS, TextureAtlas, mip_levels, packed_atlas

BANK_SIDE = 128  # texels
ROOMS_PER_BANK = 1024  # consecutive seeds that share paintings; none are shared beyond
VARIANTS = 12  # paintings of each pattern in a bank
KEPT = 400


def bank_atlas(materials: Mapping[str, Material], seed: int) -> TextureAtlas:
    """Textures of a room's materials out of the bank of its seed, BANK_SIDE texels a side."""
    textures = {}
    for name, look in materials.items():
        variant = int(np.random.default_rng((seed, crc32(name.encode()))).integers(VARIANTS))
        shares = colour_shares(look.pattern, len(look.colours), seed // ROOMS_PER_BANK, variant)
        own = np.array(look.colours, np.float32)
        textures[name] = np.clip(shares[:, :-3] @ own + shares[:, -3:], 0, 1)
    return packed_atlas(textures, BANK_SIDE)


@lru_cache(maxsize=KEPT)
def colour_shares(pattern: Pattern, colours: int, bank: int, variant: int) -> Picture:
    """One painting of the bank.

    Returns:
        (T, colours + 3) float32, mip levels as `mip_levels` packs them: how much of each colour a texel holds, and the
        display values that it has when all colours are black.
    """
    seed = (bank, variant, crc32(pattern.encode()))
    black = _painted(pattern, [(0.0, 0.0, 0.0)] * colours, seed)
    planes = []
    for first in range(0, colours, 3):
        # Three colours show their shares at once, one in each channel.
        channels: list[Colour] = [
            (float(index == first), float(index == first + 1), float(index == first + 2)) for index in range(colours)
        ]
        planes.append((_painted(pattern, channels, seed) - black)[..., : colours - first])
    return mip_levels(np.concatenate((*planes, black), axis=-1)).astype(np.float32)


def _painted(pattern: Pattern, colours: list[Colour], seed: tuple[int, int, int]) -> Picture:
    return np.asarray(PAINTERS[pattern](np.random.default_rng(seed), colours, BANK_SIDE), np.float32)
