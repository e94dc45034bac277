# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What surfaces are made of: a pattern, its colours and its scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Colour = tuple[float, float, float]  # display values in [0, 1]; their square is the albedo
Pattern = Literal[
    "paint",
    "planks",
    "tiles",
    "bricks",
    "wood",
    "fabric",
    "wallpaper",
    "rug",
    "poster_hills",
    "poster_discs",
    "poster_blocks",
    "books",
    "leaves",
    "ball",
    "cardboard",
    "window",
    "door",
]


@dataclass(frozen=True, slots=True)
class Material:
    """One material of a room.

    Attributes:
        pattern: which picture is painted.
        colours: what the pattern is painted with, main colour first.
        tile_m: side of one repetition, metres; zero stretches the picture over each face once.
        glow: light given off, in units of the picture; zero for what only reflects.
    """

    pattern: Pattern
    colours: tuple[Colour, ...]
    tile_m: float = 1.0
    glow: float = 0.0
