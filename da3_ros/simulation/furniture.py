# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Pieces that stand on the floor.

Each function gives a piece in its own frame, metres: x along its width, +y the front, z up, the origin on the floor in
the middle of its footprint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from da3_ros.simulation.primitives import SHAPES, Primitive, solid


@dataclass(frozen=True, slots=True, eq=False)
class Furniture:
    """One piece.

    Attributes:
        footprint_m: width along x and depth along y.
        height_m: of its highest point.
        primitives: in the piece's frame.
    """

    footprint_m: tuple[float, float]
    height_m: float
    primitives: tuple[Primitive, ...]


def sofa(rng: np.random.Generator) -> Furniture:
    """Two or three seats, with cushions."""
    seats = int(rng.integers(2, 4))
    width, depth, arm = 0.66 * seats + 0.36, 0.78, 0.18
    parts = [
        solid("box", (0, 0.0, 0.19), (width - 0.02, depth - 0.02, 0.22), "fabric"),
        solid("box", (0, -depth / 2 + 0.13, 0.45), (width - 2 * arm, 0.2, 0.72), "fabric", turn_rad=(0.08, 0, 0)),
    ]
    for side in (-1, 1):
        parts.append(solid("box", (side * (width - arm) / 2, 0, 0.33), (arm, depth, 0.56), "fabric"))
        parts.append(solid("box", (side * (width - 0.14) / 2, 0.28, 0.04), (0.06, 0.06, 0.08), "dark_wood"))
    for seat in range(seats):
        x = (seat - (seats - 1) / 2) * 0.66
        parts.append(solid("box", (x, 0.09, 0.37), (0.645, 0.58, 0.14), "fabric"))
    for side in (-1, 1):
        x = side * (width / 2 - arm - 0.2)
        turn = (0.35, 0, -0.25 * side)
        parts.append(solid("ellipsoid", (x, -0.08, 0.6), (0.42, 0.17, 0.4), "cushion", turn_rad=turn))
    return Furniture((width, depth), 0.82, tuple(parts))


def armchair(rng: np.random.Generator) -> Furniture:
    """One upholstered seat."""
    width, depth = float(rng.uniform(0.72, 0.8)), 0.74
    parts = [
        solid("box", (0, 0.03, 0.28), (width - 0.24, depth - 0.1, 0.28), "cushion"),
        solid("box", (0, -depth / 2 + 0.11, 0.5), (width - 0.26, 0.15, 0.62), "cushion", turn_rad=(0.1, 0, 0)),
    ]
    for side in (-1, 1):
        parts.append(solid("box", (side * (width / 2 - 0.07), 0, 0.34), (0.12, depth - 0.04, 0.42), "cushion"))
        for end in (-1, 1):
            leg = (side * (width / 2 - 0.08), end * (depth / 2 - 0.08), 0.07)
            parts.append(solid("cylinder", leg, (0.05, 0.05, 0.14), "wood"))
    return Furniture((width, depth), 0.83, tuple(parts))


def table(width: float, depth: float, height: float, material: str) -> Furniture:
    """A top on four legs."""
    parts = [solid("box", (0, 0, height - 0.02), (width, depth, 0.04), material)]
    for x in (-1, 1):
        for y in (-1, 1):
            leg = (x * (width / 2 - 0.06), y * (depth / 2 - 0.06), (height - 0.04) / 2)
            parts.append(solid("box", leg, (0.055, 0.055, height - 0.04), material))
    return Furniture((width, depth), height, tuple(parts))


def chair(material: str) -> Furniture:
    """A dining chair; its back is at -y."""
    parts = [solid("box", (0, 0, 0.45), (0.42, 0.42, 0.035), material)]
    parts.append(solid("box", (0, 0.01, 0.477), (0.39, 0.38, 0.02), "cushion"))
    for x in (-0.19, 0.19):
        parts.append(solid("box", (x, 0.19, 0.216), (0.035, 0.035, 0.432), material))
        parts.append(solid("box", (x, -0.195, 0.45), (0.035, 0.03, 0.9), material))
    for z in (0.62, 0.8):
        parts.append(solid("box", (0, -0.195, z), (0.345, 0.018, 0.1), material))
    return Furniture((0.44, 0.44), 0.9, tuple(parts))


def bookshelf(rng: np.random.Generator) -> Furniture:
    """Open shelves, partly filled with books, boxes and vases."""
    width, depth, height, shelves = float(rng.uniform(0.9, 1.2)), 0.3, float(rng.uniform(1.7, 2.0)), 4
    parts = [solid("box", (0, -depth / 2 + 0.01, height / 2), (width - 0.01, 0.018, height - 0.01), "wood")]
    for side in (-1, 1):
        parts.append(solid("box", (side * (width - 0.03) / 2, 0, height / 2), (0.03, depth, height), "wood"))
    floors = np.linspace(0.06, height - 0.02, shelves + 1)
    for z in floors:
        parts.append(solid("box", (0, 0.005, z), (width - 0.065, depth - 0.02, 0.028), "wood"))
    for low, high in pairwise(floors.tolist()):
        parts.extend(_shelf_load(rng, width - 0.08, low + 0.015, high - low - 0.03))
    return Furniture((width, depth), height, tuple(parts))


def _shelf_load(rng: np.random.Generator, width: float, floor: float, room: float) -> list[Primitive]:
    """What stands on one shelf board."""
    share = float(rng.uniform(0.35, 0.62))
    parts, left = [], -width / 2
    for part in (share, 0.9 - share):
        length = part * width
        centre_x, kind = left + length / 2, rng.uniform()
        if kind < 0.72:
            tall = room * float(rng.uniform(0.65, 0.9))
            back = ("wood", "wood", "books", "books", "trim", "trim")
            parts.append(solid("box", (centre_x, -0.01, floor + tall / 2), (length, 0.2, tall), *back))
        elif kind < 0.87:
            size = (min(0.2, length), min(0.2, length), room * 0.7)
            parts.append(solid("ellipsoid", (centre_x, 0, floor + size[2] / 2), size, "china"))
        else:
            parts.append(solid("box", (centre_x, 0, floor + room * 0.3), (length * 0.8, 0.22, room * 0.6), "cardboard"))
        left += length + 0.05 * width
    return parts


def media_board(rng: np.random.Generator) -> Furniture:
    """A low board with a television."""
    width, depth, height = float(rng.uniform(1.3, 1.6)), 0.42, 0.46
    parts = [solid("box", (0, 0, 0.07 + (height - 0.07) / 2), (width, depth, height - 0.07), "dark_wood")]
    for x in (-1, 0, 1):
        door = (x * width / 3, depth / 2 + 0.006, 0.265)
        parts.append(solid("box", door, (width / 3 - 0.02, 0.012, 0.34), "wood"))
    for x in (-1, 1):
        parts.append(solid("box", (x * (width / 2 - 0.1), 0, 0.035), (0.06, depth - 0.1, 0.07), "metal"))
    screen = ("metal", "metal", "metal", "screen", "metal", "metal")
    parts.append(solid("box", (0, -0.08, height + 0.37), (1.1, 0.045, 0.63), *screen))
    parts.append(solid("box", (0, -0.08, height + 0.03), (0.4, 0.16, 0.055), "metal"))
    return Furniture((width, depth + 0.03), 1.15, tuple(parts))


def dresser(rng: np.random.Generator) -> Furniture:
    """Three drawers, a vase or a lamp on top."""
    width, depth, height = float(rng.uniform(0.8, 1.1)), 0.45, 0.82
    parts = [solid("box", (0, 0, height / 2), (width, depth, height), "trim")]
    for row in range(3):
        z = 0.15 + 0.255 * row
        parts.append(solid("box", (0, depth / 2 + 0.008, z), (width - 0.06, 0.016, 0.225), "wood"))
        for x in (-0.22, 0.22):
            parts.append(solid("ellipsoid", (x * width, depth / 2 + 0.026, z), (0.035, 0.03, 0.035), "brass"))
    parts.append(solid("box", (0, 0, height + 0.012), (width + 0.03, depth + 0.02, 0.024), "wood"))
    x, top = float(rng.choice((-0.25, 0.25))) * width, height + 0.024
    parts.append(solid("cylinder", (x, 0, top + 0.01), (0.13, 0.13, 0.02), "brass"))
    parts.append(solid("cylinder", (x, 0, top + 0.12), (0.03, 0.03, 0.22), "brass"))
    parts.append(solid("cylinder", (x, 0, top + 0.32), (0.24, 0.24, 0.2), "shade"))
    parts.append(solid("ellipsoid", (-x, 0, top + 0.14), (0.17, 0.17, 0.28), "china"))
    return Furniture((width + 0.04, depth + 0.07), top + 0.42, tuple(parts))


def floor_lamp() -> Furniture:
    """A standing lamp with a cylindrical shade."""
    parts = (
        solid("cylinder", (0, 0, 0.015), (0.28, 0.28, 0.03), "metal"),
        solid("cylinder", (0, 0, 0.72), (0.028, 0.028, 1.4), "metal"),
        solid("cylinder", (0, 0, 1.55), (0.36, 0.36, 0.3), "shade"),
    )
    return Furniture((0.38, 0.38), 1.7, parts)


def plant(rng: np.random.Generator) -> Furniture:
    """A pot with foliage."""
    parts = [
        solid("cylinder", (0, 0, 0.16), (0.32, 0.32, 0.32), "clay"),
        solid("cylinder", (0, 0, 0.5), (0.03, 0.03, 0.5), "dark_wood"),
    ]
    for leaf in range(6):
        angle, tilt = leaf * 2.4 + float(rng.uniform(-0.3, 0.3)), float(rng.uniform(0.35, 0.75))
        reach, height = float(rng.uniform(0.1, 0.17)), 0.62 + 0.1 * leaf
        centre = (reach * np.cos(angle), reach * np.sin(angle), height)
        turn = (-tilt * np.sin(angle), tilt * np.cos(angle), 0)
        size = (0.24, 0.24, float(rng.uniform(0.3, 0.42)))
        parts.append(solid("ellipsoid", centre, size, "leaves", turn_rad=turn))
    return Furniture((0.62, 0.62), 1.4, tuple(parts))


def crate_stack(rng: np.random.Generator) -> Furniture:
    """One or two cardboard boxes, the upper one askew."""
    size = float(rng.uniform(0.36, 0.46))
    parts = [solid("box", (0, 0, size * 0.4), (size, size, size * 0.8), "cardboard")]
    if rng.uniform() < 0.6:
        turn, side = (0, 0, float(rng.uniform(0.15, 0.6))), size * 0.7
        parts.append(solid("box", (0, 0, size * 1.05), (side, side, size * 0.5), "cardboard", turn_rad=turn))
    return Furniture((size, size), size * 1.3, tuple(parts))


def ball(rng: np.random.Generator) -> Furniture:
    """A ball on the floor."""
    size = float(rng.uniform(0.2, 0.34))
    turn = rng.uniform(-1.5, 1.5, 3)
    return Furniture((size, size), size, (solid("ellipsoid", (0, 0, size / 2), (size,) * 3, "ball", turn_rad=turn),))


def stool_table(rng: np.random.Generator) -> Furniture:
    """A small table of any height, from a stool to a desk."""
    width, depth = float(rng.uniform(0.35, 1.2)), float(rng.uniform(0.35, 0.7))
    return table(width, depth, float(rng.uniform(0.35, 0.8)), str(rng.choice(("wood", "dark_wood", "metal", "trim"))))


def lone_chair(rng: np.random.Generator) -> Furniture:
    """A dining chair."""
    return chair(str(rng.choice(("wood", "dark_wood", "metal"))))


def tower(rng: np.random.Generator) -> Furniture:
    """A column of one to four simple solids of any material, askew on each other."""
    side, low, parts = float(rng.uniform(0.25, 0.7)), 0.0, []
    for _ in range(int(rng.integers(1, 5))):
        height = float(rng.uniform(0.15, 0.6))
        size = np.array([side, side * rng.uniform(0.6, 1.0), height]) * (0.95, 0.95, 1)
        name = str(rng.choice(("wood", "clay", "cardboard", "cushion", "discs", "china", "ball", "accent", "rug")))
        shape = SHAPES[int(rng.integers(len(SHAPES)))]
        turn = (0, 0, float(rng.uniform(-0.25, 0.25)))
        parts.append(solid(shape, (0, 0, low + height / 2), size, name, turn_rad=turn))
        low, side = low + height, side * float(rng.uniform(0.6, 1.0))
    return Furniture((parts[0].half_m[0] * 2.3, parts[0].half_m[0] * 2.3), low, tuple(parts))


PIECES: dict[str, Callable[[np.random.Generator], Furniture]] = {
    "sofa": sofa,
    "bookshelf": bookshelf,
    "media_board": media_board,
    "dresser": dresser,
    "armchair": armchair,
    "plant": plant,
    "crate_stack": crate_stack,
    "ball": ball,
    "stool_table": stool_table,
    "lone_chair": lone_chair,
    "tower": tower,
}
