# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A furnished room as data: solids, materials, lights, and the lane that stays free for a robot.

World frame: origin on the floor in the middle of the room, z up, x along the longer side, metres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid
from da3_ros.simulation.materials import Colour, Material
from da3_ros.simulation.primitives import Primitive

WALLS = ("-x", "+x", "-y", "+y")


@dataclass(frozen=True, slots=True)
class Walkway:
    """An elliptic lane round the middle of the room.

    Nothing that stands or hangs in the room comes nearer to its centre line than `half_width_m`, seen from above, save
    a rug and the ceiling lamp.

    Attributes:
        semi_axes_m: of the centre line, along x and y.
        half_width_m: free space on either side.
    """

    semi_axes_m: tuple[float, float]
    half_width_m: float

    def centre_line(self, phase_rad: FloatArray) -> FloatArray:
        """(..., 2) points x, y on the centre line."""
        a, b = self.semi_axes_m
        return np.stack((a * np.cos(phase_rad), b * np.sin(phase_rad)), axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class AreaLight:
    """A flat lamp or a window.

    Attributes:
        centre_m: (3,) world.
        edges_m: (2, 3) its two sides, world.
        normal: (3,) the side it shines to; zero shines all round.
        colour: of the light.
        power: irradiance at one metre, in units of the picture.
    """

    centre_m: FloatArray
    edges_m: FloatArray
    normal: FloatArray
    colour: Colour
    power: float


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """One room.

    Attributes:
        seed: it was made from.
        shell: a box seen from within: walls, floor and ceiling.
        primitives: all that is in it.
        materials: what the names of the primitives' materials mean.
        lights: direct light.
        walkway: the free lane.
    """

    seed: int
    shell: Primitive
    primitives: tuple[Primitive, ...]
    materials: Mapping[str, Material]
    lights: tuple[AreaLight, ...]
    walkway: Walkway

    @property
    def size_m(self) -> FloatArray:
        """(3,) inner length, width and height, metres."""
        return 2 * self.shell.half_m


def world_from_wall(wall: str, size_m: FloatArray) -> FloatArray:
    """(4, 4) frame of a wall: origin at the middle of its foot, x along it, y into the room, z up.

    Args:
        wall: one of WALLS.
        size_m: (3,) of the room.
    """
    inward = np.zeros(3)
    axis = "xy".index(wall[1])
    inward[axis] = -1.0 if wall[0] == "+" else 1.0
    up = np.array([0.0, 0.0, 1.0])
    return rigid(np.stack((np.cross(inward, up), inward, up), axis=1), -inward * size_m / 2)


def wall_length(wall: str, size_m: FloatArray) -> float:
    """Length of a wall, metres."""
    return float(size_m[1] if wall[1] == "x" else size_m[0])
