# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The materials of one room: matching colours, drawn by seed."""

from __future__ import annotations

import numpy as np

from da3_ros.simulation.materials import Colour, Material

WOODS: tuple[tuple[Colour, Colour], ...] = (
    ((0.74, 0.56, 0.38), (0.58, 0.41, 0.26)),
    ((0.66, 0.46, 0.3), (0.48, 0.31, 0.19)),
    ((0.8, 0.67, 0.5), (0.68, 0.54, 0.38)),
    ((0.5, 0.36, 0.27), (0.36, 0.25, 0.18)),
)
WALLS: tuple[Colour, ...] = ((0.92, 0.89, 0.82), (0.9, 0.87, 0.83), (0.86, 0.87, 0.84), (0.93, 0.86, 0.76))
ACCENTS: tuple[Colour, ...] = ((0.56, 0.66, 0.62), (0.45, 0.55, 0.64), (0.76, 0.55, 0.44), (0.82, 0.7, 0.46))
FABRICS: tuple[Colour, ...] = (
    (0.36, 0.47, 0.53),
    (0.52, 0.55, 0.45),
    (0.66, 0.42, 0.34),
    (0.6, 0.58, 0.56),
    (0.33, 0.38, 0.5),
    (0.72, 0.6, 0.42),
)
VIVID: tuple[Colour, ...] = (
    (0.78, 0.28, 0.22),
    (0.93, 0.62, 0.26),
    (0.24, 0.42, 0.6),
    (0.3, 0.5, 0.38),
    (0.86, 0.76, 0.5),
    (0.22, 0.27, 0.36),
)
CREAM: Colour = (0.95, 0.93, 0.88)
DAWN: Colour = (0.94, 0.8, 0.6)
BLACK: Colour = (0.06, 0.06, 0.07)


def draw_materials(rng: np.random.Generator) -> dict[str, Material]:
    """All materials that the furniture and fittings name."""
    wood, dark_wood, floor_wood = (WOODS[i] for i in rng.permutation(len(WOODS))[:3])
    fabric, cushion, throw = (FABRICS[i] for i in rng.permutation(len(FABRICS))[:3])
    vivid = tuple(VIVID[i] for i in rng.permutation(len(VIVID)))
    wall, accent = WALLS[rng.integers(len(WALLS))], ACCENTS[rng.integers(len(ACCENTS))]
    return {
        "floor": _floor(rng, floor_wood),
        "wall": Material("paint", (wall,), 2.5),
        "accent": _accent(rng, wall, accent),
        "ceiling": Material("paint", ((0.95, 0.94, 0.92),), 3.0),
        "trim": Material("paint", ((0.94, 0.93, 0.9),), 1.5),
        "wood": Material("wood", wood, 0.8),
        "dark_wood": Material("wood", dark_wood, 0.8),
        "fabric": Material("fabric", (fabric, _shaded(fabric, 0.88)), 0.5),
        "cushion": Material("fabric", (cushion, _shaded(cushion, 0.9)), 0.4),
        "curtain": Material("wallpaper", (_shaded(throw, 1.15), throw, CREAM), 0.9),
        "rug": Material("rug", (vivid[0], CREAM, vivid[2]), 0.0),
        "metal": Material("paint", ((0.3, 0.3, 0.32),), 0.6),
        "brass": Material("paint", ((0.78, 0.62, 0.36),), 0.6),
        "clay": Material("paint", (vivid[1],), 0.6),
        "china": Material("wallpaper", (CREAM, vivid[3], vivid[2]), 0.34),
        "leaves": Material("leaves", ((0.2, 0.36, 0.18), (0.36, 0.55, 0.27)), 0.7),
        "books": Material("books", (*vivid, CREAM), 0.0),
        "cardboard": Material("cardboard", ((0.72, 0.57, 0.4), (0.82, 0.7, 0.5)), 0.0),
        "ball": Material("ball", (vivid[4], vivid[0], vivid[2]), 0.0),
        "screen": Material("poster_hills", (BLACK, (0.25, 0.3, 0.4), (0.3, 0.4, 0.55), CREAM, vivid[5]), 0.0),
        "hills": Material("poster_hills", (CREAM, DAWN, (0.52, 0.69, 0.8), vivid[1], (0.2, 0.3, 0.36)), 0.0),
        "discs": Material("poster_discs", (CREAM, *vivid[1:]), 0.0),
        "blocks": Material("poster_blocks", (CREAM, *vivid[:4]), 0.0),
        "door": Material("door", (_shaded(wood[0], 1.1), wood[1]), 0.0),
        "window": Material("window", (CREAM, (0.86, 0.92, 0.97), (0.5, 0.7, 0.93), (0.3, 0.48, 0.28)), 0.0, glow=1.9),
        "shade": Material("paint", ((0.98, 0.88, 0.68),), 0.6, glow=1.6),
    }


def _floor(rng: np.random.Generator, wood: tuple[Colour, Colour]) -> Material:
    if rng.uniform() < 0.75:
        return Material("planks", wood, 2.2)
    return Material("tiles", ((0.86, 0.83, 0.77), (0.62, 0.6, 0.57), (0.5, 0.48, 0.45)), 1.8)


def _accent(rng: np.random.Generator, wall: Colour, accent: Colour) -> Material:
    choice = rng.integers(3)
    if choice == 0:
        return Material("bricks", ((0.72, 0.45, 0.35), (0.58, 0.33, 0.26), (0.8, 0.77, 0.72)), 1.12)
    if choice == 1:
        return Material("wallpaper", (wall, _shaded(wall, 0.93), accent), 1.4)
    return Material("paint", (accent,), 2.5)


def _shaded(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(1.0, channel * factor) for channel in colour)
    return red, green, blue
