# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Where things may stand and hang: the bookkeeping of furnishing a room."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.rotation import FloatArray
from da3_ros.simulation.room import WALLS, Walkway, world_from_wall

GAP_M = 0.08
WALL_GAP_M = 0.015


@dataclass(frozen=True, slots=True)
class Rectangle:
    """An axis-aligned rectangle, metres: on the floor (x, y), or on a wall (x along it, z)."""

    left: float
    right: float
    low: float
    high: float

    def overlaps(self, other: Rectangle, gap: float) -> bool:
        """Whether the two are nearer than `gap` along both axes."""
        apart_x = max(self.left - other.right, other.left - self.right)
        apart_y = max(self.low - other.high, other.low - self.high)
        return max(apart_x, apart_y) < gap


class Layout:
    """Remembers what floor and wall space is taken while a room is filled."""

    def __init__(self, size_m: FloatArray, walkway: Walkway) -> None:
        self.size_m = size_m
        self.walkway = walkway
        self._lane = walkway.centre_line(np.linspace(0, 2 * np.pi, 720, endpoint=False))
        self._floor: list[Rectangle] = []
        self._walls: dict[str, list[Rectangle]] = {wall: [] for wall in WALLS}

    def take_floor(self, place: Rectangle) -> bool:
        """Take a place on the floor if it is in the room, free, and off the walkway."""
        half_x, half_y = self.size_m[:2] / 2
        inside = max(-place.left, place.right) < half_x and max(-place.low, place.high) < half_y
        if not inside or any(place.overlaps(other, GAP_M) for other in self._floor):
            return False
        if self._lane_distance(place) < self.walkway.half_width_m:
            return False
        self._floor.append(place)
        return True

    def keep_floor(self, place: Rectangle) -> None:
        """Let nothing else stand here."""
        self._floor.append(place)

    def take_wall(self, wall: str, place: Rectangle, gap: float = GAP_M) -> bool:
        """Take a place on a wall if it is free."""
        if any(place.overlaps(other, gap) for other in self._walls[wall]):
            return False
        self._walls[wall].append(place)
        return True

    def footprint(self, wall: str, x: float, width: float, depth: float) -> Rectangle:
        """Floor rectangle of what stands against a wall at `x`, a finger's width away from it."""
        ends = np.array([(x - width / 2, WALL_GAP_M, 0, 1), (x + width / 2, WALL_GAP_M + depth, 0, 1)])
        corners = (ends @ world_from_wall(wall, self.size_m).T)[:, :2]
        (left, low), (right, high) = corners.min(axis=0), corners.max(axis=0)
        return Rectangle(float(left), float(right), float(low), float(high))

    def _lane_distance(self, place: Rectangle) -> float:
        middle = np.array([(place.left + place.right) / 2, (place.low + place.high) / 2])
        half: npt.ArrayLike = ((place.right - place.left) / 2, (place.high - place.low) / 2)
        return float(np.linalg.norm(np.maximum(np.abs(self._lane - middle) - half, 0), axis=-1).min())
