# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What kind of room is furnished: its size, and how much stands in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WALL_PIECES = ("sofa", "bookshelf", "media_board", "dresser")
LOOSE_PIECES = ("armchair", "plant", "crate_stack")
EXTRA_PIECES = ("armchair", "plant", "crate_stack", "stool_table", "lone_chair", "tower", "tower", "dresser")
MIDDLE_NEEDS_M = (1.0, 0.95)  # semi-axes of the lane within which a table with chairs can stand


@dataclass(frozen=True, slots=True)
class RoomStyle:
    """A kind of room; as it is, the living room of the demo.

    Attributes:
        length_m: least and greatest, along x.
        width_m: least and greatest, along y.
        height_m: least and greatest.
        lane_from_wall_m: from the walls to the centre line of the walkway.
        lane_half_width_m: free space on either side of that.
        has_middle: a table on a rug in the middle, below a lamp.
        left_out: names of furniture.PIECES that do not stand in this room.
        extra: names of furniture.PIECES that stand anywhere off the walkway, in the order in which they are tried.
    """

    length_m: tuple[float, float] = (6.2, 7.6)
    width_m: tuple[float, float] = (5.3, 6.3)
    height_m: tuple[float, float] = (2.5, 2.8)
    lane_from_wall_m: float = 1.4
    lane_half_width_m: float = 0.6
    has_middle: bool = True
    left_out: frozenset[str] = frozenset()
    extra: tuple[str, ...] = ()


def draw_style(rng: np.random.Generator) -> RoomStyle:
    """Any room: 4 to 8 m long, 2.3 to 3.2 m high, from nearly empty to crammed."""
    length = float(rng.uniform(4.0, 8.0))
    width, height = max(3.8, length * float(rng.uniform(0.6, 1.0))), float(rng.uniform(2.3, 3.2))
    from_wall = float(rng.uniform(1.0, 1.5))
    semi_axes = (length / 2 - from_wall, width / 2 - from_wall)
    fits = semi_axes[0] > MIDDLE_NEEDS_M[0] and semi_axes[1] > MIDDLE_NEEDS_M[1]
    emptiness = float(rng.uniform(0.0, 0.6))
    left_out = frozenset(name for name in (*WALL_PIECES, *LOOSE_PIECES) if rng.uniform() < emptiness)
    return RoomStyle(
        (length, length),
        (width, width),
        (height, height),
        from_wall,
        float(rng.uniform(0.2, 0.45)),
        bool(fits and rng.uniform() < 0.5),
        left_out,
        tuple(str(name) for name in rng.choice(EXTRA_PIECES, int(rng.integers(2, 11)))),
    )
