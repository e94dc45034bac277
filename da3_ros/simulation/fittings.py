# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What hangs on walls and ceiling, in the frame of its wall: x along the wall, y into the room, z up."""

from __future__ import annotations

import numpy as np

from da3_ros.simulation.primitives import Primitive, solid

DOOR_SIZE_M = (0.9, 2.02)
WINDOW_SILL_M = 0.85


def door(x: float) -> list[Primitive]:
    """A panelled door in its frame."""
    width, height = DOOR_SIZE_M
    leaf = ("trim", "trim", "trim", "door", "trim", "trim")
    parts = [solid("box", (x, 0.012, height / 2), (width, 0.024, height), *leaf)]
    for side in (-1, 1):
        parts.append(solid("box", (x + side * (width + 0.08) / 2, 0.02, height / 2), (0.08, 0.04, height), "trim"))
    parts.append(solid("box", (x, 0.02, height + 0.04), (width + 0.16, 0.04, 0.08), "trim"))
    parts.append(solid("ellipsoid", (x + width / 2 - 0.08, 0.055, 1.0), (0.05, 0.06, 0.05), "brass"))
    return parts


def window(x: float, width: float, height: float) -> list[Primitive]:
    """A glowing pane with sill, rail and two curtains."""
    middle = WINDOW_SILL_M + height / 2
    pane = ("trim", "trim", "trim", "window", "trim", "trim")
    parts = [solid("box", (x, 0.02, middle), (width, 0.04, height), *pane)]
    parts.append(solid("box", (x, 0.06, WINDOW_SILL_M - 0.02), (width + 0.1, 0.12, 0.035), "trim"))
    rail = WINDOW_SILL_M + height + 0.08
    turn = (0, np.pi / 2, 0)
    parts.append(solid("cylinder", (x, 0.09, rail), (0.03, 0.03, width + 0.7), "brass", turn_rad=turn))
    for side in (-1, 1):
        for fold in range(3):
            at = x + side * (width / 2 + 0.05 + 0.1 * fold)
            parts.append(solid("cylinder", (at, 0.09, rail / 2 + 0.04), (0.1, 0.07, rail - 0.1), "curtain"))
    return parts


def picture(x: float, z: float, width: float, height: float, material: str) -> list[Primitive]:
    """A framed picture."""
    face = ("dark_wood", "dark_wood", "dark_wood", material, "dark_wood", "dark_wood")
    parts = [solid("box", (x, 0.012, z), (width, 0.024, height), *face)]
    for side in (-1, 1):
        parts.append(solid("box", (x + side * width / 2, 0.017, z), (0.025, 0.034, height + 0.025), "dark_wood"))
        parts.append(solid("box", (x, 0.017, z + side * height / 2), (width - 0.025, 0.034, 0.025), "dark_wood"))
    return parts


def skirting(length: float, gaps: list[tuple[float, float]]) -> list[Primitive]:
    """A board along the foot of a wall, broken at (from, to) gaps along x, which do not overlap."""
    ends = [-length / 2, *(end for gap in sorted(gaps) for end in gap), length / 2]
    pieces = zip(ends[::2], ends[1::2], strict=True)
    return [solid("box", ((a + b) / 2, 0.009, 0.045), (b - a, 0.018, 0.09), "trim") for a, b in pieces if b - a > 0.01]


def ceiling_lamp(ceiling: float) -> list[Primitive]:
    """A pendant over the middle of the room, in the room's own frame."""
    return [
        solid("cylinder", (0, 0, ceiling - 0.015), (0.12, 0.12, 0.03), "brass"),
        solid("cylinder", (0, 0, ceiling - 0.15), (0.014, 0.014, 0.3), "metal"),
        solid("cylinder", (0, 0, ceiling - 0.39), (0.46, 0.46, 0.2), "shade"),
    ]
