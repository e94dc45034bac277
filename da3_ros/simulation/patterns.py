# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Patterns that tile: periodic in both directions, without a seam.

All functions take a generator, the colours and the side S in texels, and give (S, S, 3) display values. The column
grows with u, the row with v; wood grain runs along u.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from da3_ros.simulation.materials import Colour, Pattern
from da3_ros.simulation.noise import Picture, mix, noise, soft_step, texel_grid

Painter = Callable[[np.random.Generator, Sequence[Colour], int], Picture]


def _paint(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    mottled = 1 + 0.018 * noise(rng, side, 5, 5, 3) + 0.012 * noise(rng, side, 64, 64, 2)
    return mix(colours[0], colours[0], mottled) * mottled[..., None]


def grain(rng: np.random.Generator, side: int) -> Picture:
    """Wood grain along u, (S, S) in [0, 1]."""
    rings = noise(rng, side, 2, 10, 2) * 6
    fine = noise(rng, side, 5, 120, 2)
    return 0.55 * np.abs((rings - np.floor(rings)) * 2 - 1) + 0.45 * (0.5 + 0.5 * fine)


def _wood(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    return mix(colours[0], colours[1], grain(rng, side))


def _planks(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    rows, lengths = 12, 2
    u, v = texel_grid(side)
    row = np.broadcast_to((v * rows).astype(np.int64), (side, side))
    along = u * lengths + rng.uniform(0, 1, rows).astype(np.float32)[row]
    plank = along.astype(np.int64) % lengths
    tint = rng.uniform(-1, 1, (rows, lengths)).astype(np.float32)[row, plank]
    across = v * rows - np.floor(v * rows)
    gap_v = np.minimum(across, 1 - across) * 6  # in units of the tile's side, so that both gaps are as wide
    gap_u = np.minimum(along - np.floor(along), 1 - (along - np.floor(along))) * rows * 6 / lengths
    seam = soft_step(np.minimum(gap_v, gap_u) - 0.12, 0.08)
    # Every plank shows its own part of the grain.
    lines = grain(rng, side)
    shift = rng.integers(0, side, (rows, lengths))[row, plank]
    lines = lines[np.arange(side)[:, None], (np.arange(side)[None] + shift) % side]
    board = mix(colours[0], colours[1], np.clip(0.35 + 0.45 * (lines - 0.5) + 0.33 * tint, 0, 1))
    return board * (0.62 + 0.38 * seam)[..., None]


def _tiles(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    count = 4
    u, v = texel_grid(side)
    column, row = (u * count).astype(np.int64), (v * count).astype(np.int64)
    dark = ((column + row) % 2).astype(np.float32)
    tint = rng.uniform(-0.04, 0.04, (count, count)).astype(np.float32)[row, column]
    veins = 0.05 * noise(rng, side, 6, 6, 4)
    inside = [np.minimum(x * count - np.floor(x * count), 1 - (x * count - np.floor(x * count))) for x in (u, v)]
    joint = soft_step(np.minimum(*inside) - 0.018, 0.01)
    glazed = mix(colours[0], colours[1], dark) * (1 + tint + veins)[..., None]
    return mix(colours[2], (0, 0, 0), np.zeros_like(joint)) * (1 - joint)[..., None] + glazed * joint[..., None]


def _bricks(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    rows, columns = 14, 4
    u, v = texel_grid(side)
    row = np.broadcast_to((v * rows).astype(np.int64), (side, side))
    along = u * columns + 0.5 * (row % 2)
    brick = along.astype(np.int64) % columns
    tint = rng.uniform(0, 1, (rows, columns)).astype(np.float32)[row, brick]
    across = v * rows - np.floor(v * rows)
    gap_v = np.minimum(across, 1 - across) / rows
    gap_u = np.minimum(along - np.floor(along), 1 - (along - np.floor(along))) / columns
    wobble = 0.0015 * noise(rng, side, 40, 40)
    joint = soft_step(np.minimum(gap_u, gap_v) + wobble - 0.006, 0.003)
    rough = 1 + 0.09 * noise(rng, side, 48, 48, 3)
    clay = mix(colours[0], colours[1], tint) * rough[..., None]
    return clay * joint[..., None] + np.asarray(colours[2], np.float32) * (rough * (1 - joint))[..., None]


def _fabric(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    weave = 0.06 * noise(rng, side, 100, 24) + 0.06 * noise(rng, side, 24, 100)
    return mix(colours[0], colours[-1], np.clip(0.5 + 0.5 * noise(rng, side, 6, 6, 3), 0, 1)) * (1 + weave)[..., None]


def _wallpaper(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    u, v = texel_grid(side)
    count = 8
    stripe = soft_step(np.abs((u * count) % 1 - 0.5) - 0.25, 0.02) + 0 * v
    dots = np.hypot((u * count) % 1 - 0.5, (v * count + 0.5 * np.floor(u * count)) % 1 - 0.5)
    ground = mix(colours[0], colours[1], 0.75 * stripe)
    return mix(ground, np.asarray(colours[2], np.float32), 0.8 * (1 - soft_step(dots - 0.1, 0.02))) * (
        1 + 0.015 * noise(rng, side, 64, 64, 2)[..., None]
    )


def _leaves(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    blotches = soft_step(noise(rng, side, 22, 10) + 0.4 * noise(rng, side, 50, 26), 0.25)
    return mix(colours[0], colours[1], blotches) * (1 + 0.12 * noise(rng, side, 12, 12, 3))[..., None]


def _ball(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    u, v = texel_grid(side)
    away = np.hypot(u - 0.5, v - 0.5) + 0.015 * noise(rng, side, 4, 4)
    picture = mix(colours[0], colours[1], soft_step(0.46 - away, 0.01))
    return mix(picture, np.asarray(colours[2], np.float32), soft_step(0.2 - away, 0.01))


def _cardboard(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    u, v = texel_grid(side)
    tape = soft_step(0.07 - np.abs(u - 0.5), 0.004) + 0 * v
    ground = mix(colours[0], colours[0], tape) * (1 + 0.03 * noise(rng, side, 4, 60, 2))[..., None]
    label = soft_step(np.minimum(0.16 - np.abs(u - 0.76), 0.1 - np.abs(v - 0.74)), 0.004)
    return mix(mix(ground, np.asarray(colours[1], np.float32), 0.7 * tape), (0.93, 0.92, 0.88), label)


TILING: dict[Pattern, Painter] = {
    "paint": _paint,
    "planks": _planks,
    "tiles": _tiles,
    "bricks": _bricks,
    "wood": _wood,
    "fabric": _fabric,
    "wallpaper": _wallpaper,
    "leaves": _leaves,
    "ball": _ball,
    "cardboard": _cardboard,
}
