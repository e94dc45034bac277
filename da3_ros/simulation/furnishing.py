# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Make a furnished room from a seed: doors and windows first, then large pieces, then small ones, then pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.simulation import fittings, furniture
from da3_ros.simulation.furniture import Furniture
from da3_ros.simulation.layout import WALL_GAP_M, Layout, Rectangle
from da3_ros.simulation.materials import Colour
from da3_ros.simulation.palette import draw_materials
from da3_ros.simulation.primitives import Primitive, solid
from da3_ros.simulation.room import WALLS, AreaLight, Room, Walkway, wall_length, world_from_wall
from da3_ros.simulation.room_style import RoomStyle

ATTEMPTS = 80
PLAIN = RoomStyle()
WARM: Colour = (1.0, 0.78, 0.52)
DAYLIGHT: Colour = (0.88, 0.95, 1.0)


def make_room(seed: int, style: RoomStyle = PLAIN) -> Room:
    """A furnished room; the same seed and style give the same room."""
    rng = np.random.default_rng(seed)
    size = np.array([rng.uniform(*span) for span in (style.length_m, style.width_m, style.height_m)])
    semi_axes = size[:2] / 2 - style.lane_from_wall_m
    walkway = Walkway((float(semi_axes[0]), float(semi_axes[1])), style.lane_half_width_m)
    decorator = _Decorator(rng, Layout(size, walkway), size, style)
    decorator.hang_door_and_windows()
    decorator.place_along_walls()
    if style.has_middle:
        decorator.fill_middle()
    decorator.scatter()
    decorator.hang_pictures()
    decorator.finish()
    walls = list(WALLS)
    accent = int(rng.integers(len(walls)))
    faces = ["accent" if index == accent else "wall" for index in range(len(walls))]
    shell = solid("box", (0, 0, size[2] / 2), size, *faces, "floor", "ceiling")
    return Room(seed, shell, tuple(decorator.primitives), draw_materials(rng), tuple(decorator.lights), walkway)


class _Decorator:
    """Holds what has been put into the room so far."""

    def __init__(self, rng: np.random.Generator, layout: Layout, size_m: FloatArray, style: RoomStyle) -> None:
        self._rng = rng
        self._style = style
        self._layout = layout
        self._size = size_m
        self._door_gap: dict[str, list[tuple[float, float]]] = {wall: [] for wall in WALLS}
        self.primitives: list[Primitive] = []
        self.lights: list[AreaLight] = []

    def hang_door_and_windows(self) -> None:
        """One door, and windows on one or two other walls."""
        door_wall, *others = (WALLS[i] for i in self._rng.permutation(len(WALLS)))
        width, height = fittings.DOOR_SIZE_M[0] + 0.16, fittings.DOOR_SIZE_M[1] + 0.08
        reach = wall_length(door_wall, self._size) / 2 - 0.8
        x = float(self._rng.uniform(-reach, reach))
        self._layout.take_wall(door_wall, Rectangle(x - width / 2, x + width / 2, 0, height))
        self._layout.take_floor(self._layout.footprint(door_wall, x, width, 0.5))
        self._door_gap[door_wall].append((x - width / 2, x + width / 2))
        self._put(fittings.door(x), world_from_wall(door_wall, self._size))
        for wall in others[: int(self._rng.integers(1, 3))]:
            self._hang_window(wall)

    def place_along_walls(self) -> None:
        """The large pieces."""
        rng = self._rng
        pieces = [(name, furniture.PIECES[name](rng)) for name in ("sofa", "bookshelf", "media_board", "dresser")]
        if rng.uniform() < 0.5:
            pieces.append(("bookshelf", furniture.bookshelf(rng)))
        for name, piece in pieces:
            if name not in self._style.left_out:
                self._stand_against_wall(piece)

    def fill_middle(self) -> None:
        """A dining table with chairs, or a low table on a rug."""
        rng = self._rng
        inner_x, inner_y = self._layout.walkway.semi_axes_m
        self._layout.keep_floor(Rectangle(-inner_x, inner_x, -inner_y, inner_y))
        self._put([solid("box", (0, 0, 0.006), (2.1, 1.4, 0.012), *_on_top("fabric", "rug"))], np.eye(4))
        self._hang_pendant()
        if rng.uniform() < 0.55:
            middle = furniture.table(float(rng.uniform(1.3, 1.45)), 0.8, 0.74, "wood")
            for x in (-0.33, 0.33):
                for side, turn in ((-1, 0.0), (1, np.pi)):
                    pulled = float(rng.uniform(0.36, 0.41))
                    self._put(furniture.chair("dark_wood").primitives, _pose(x, side * pulled, turn))
        else:
            middle = furniture.table(float(rng.uniform(1.0, 1.2)), 0.62, 0.42, "dark_wood")
        self._put(middle.primitives, np.eye(4))
        top = middle.height_m
        self._put([solid("ellipsoid", (0.1, 0.05, top + 0.13), (0.16, 0.16, 0.26), "china")], np.eye(4))
        book = solid("box", (-0.3, -0.1, top + 0.02), (0.24, 0.17, 0.04), *_on_top("trim", "discs"))
        self._put([book], _pose(0, 0, 0.1))
        self._put([solid("ellipsoid", (0.42, -0.12, top + 0.04), (0.08, 0.08, 0.08), "clay")], np.eye(4))

    def scatter(self) -> None:
        """Corner pieces and loose things."""
        rng = self._rng
        lamp, chair = furniture.floor_lamp(), furniture.armchair(rng)
        at = self._stand_in_corner(lamp)
        if at is not None:
            self._add_lamp((float(at[0, 3]), float(at[1, 3]), 1.55))
        loose = [chair, furniture.plant(rng), furniture.plant(rng), furniture.crate_stack(rng)]
        for name, piece in zip(("armchair", "plant", "plant", "crate_stack"), loose, strict=True):
            if name not in self._style.left_out:
                self._stand_in_corner(piece)
        for _ in range(int(rng.integers(1, 4))):
            self._stand_in_corner(furniture.ball(rng))
        for name in self._style.extra:
            self._stand_in_corner(furniture.PIECES[name](rng))

    def hang_pictures(self) -> None:
        """Pictures where the walls are still bare."""
        rng = self._rng
        motifs = [("hills", "discs", "blocks")[i] for i in rng.permutation(3)]
        for wall in (WALLS[i] for i in rng.permutation(len(WALLS))):
            for _ in range(2):
                width, height = float(rng.uniform(0.45, 0.9)), float(rng.uniform(0.5, 0.75))
                reach = wall_length(wall, self._size) / 2 - width / 2 - 0.3
                for _ in range(ATTEMPTS):
                    x, z = float(rng.uniform(-reach, reach)), 1.55
                    place = Rectangle(x - width / 2, x + width / 2, z - height / 2, z + height / 2)
                    if self._layout.take_wall(wall, place, gap=0.15):
                        parts = fittings.picture(x, z, width, height, motifs[0])
                        motifs.append(motifs.pop(0))
                        self._put(parts, world_from_wall(wall, self._size))
                        break

    def finish(self) -> None:
        """Skirting boards."""
        for wall in WALLS:
            board = fittings.skirting(wall_length(wall, self._size), self._door_gap[wall])
            self._put(board, world_from_wall(wall, self._size))

    def _put(self, parts: Sequence[Primitive], world_from_part: FloatArray) -> None:
        self.primitives.extend(part.moved(world_from_part) for part in parts)

    def _hang_window(self, wall: str) -> None:
        width, height = float(self._rng.uniform(1.3, 1.8)), float(min(1.35, self._size[2] - 1.15))
        reach = wall_length(wall, self._size) / 2 - width / 2 - 0.6
        x = float(self._rng.uniform(-reach, reach))
        if not self._layout.take_floor(self._layout.footprint(wall, x, width + 0.7, 0.15)):
            return
        self._layout.take_wall(wall, Rectangle(x - width / 2 - 0.4, x + width / 2 + 0.4, 0, float(self._size[2])))
        world_from_window = world_from_wall(wall, self._size)
        self._put(fittings.window(x, width, height), world_from_window)
        edges = np.array([(width, 0, 0), (0, 0, height)]) @ world_from_window[:3, :3].T
        centre = world_from_window @ (x, 0.06, fittings.WINDOW_SILL_M + height / 2, 1)
        self.lights.append(AreaLight(centre[:3], edges, world_from_window[:3, 1], DAYLIGHT, 3.4))

    def _hang_pendant(self) -> None:
        self._put(fittings.ceiling_lamp(float(self._size[2])), np.eye(4))
        centre = np.array([0, 0, self._size[2] - 0.4])
        self.lights.append(AreaLight(centre, np.diag((0.3, 0.3, 0))[:2], np.zeros(3), WARM, 3.2))

    def _add_lamp(self, centre_m: tuple[float, float, float]) -> None:
        edges = np.array([(0.15, 0, 0), (0, 0.15, 0)])
        self.lights.append(AreaLight(np.array(centre_m), edges, np.zeros(3), WARM, 1.3))

    def _stand_against_wall(self, piece: Furniture) -> None:
        width, depth = piece.footprint_m
        for _ in range(ATTEMPTS):
            wall = WALLS[int(self._rng.integers(len(WALLS)))]
            reach = wall_length(wall, self._size) / 2 - width / 2 - 0.05
            x = float(self._rng.uniform(-reach, reach))
            on_wall = Rectangle(x - width / 2, x + width / 2, 0, piece.height_m)
            if self._layout.take_floor(self._layout.footprint(wall, x, width, depth)):
                self._layout.take_wall(wall, on_wall, gap=0.0)
                at = world_from_wall(wall, self._size) @ _pose(x, WALL_GAP_M + depth / 2, 0)
                self._put(piece.primitives, at)
                return

    def _stand_in_corner(self, piece: Furniture) -> FloatArray | None:
        """Stand a piece anywhere off the walkway, turned towards the middle; None when there is no room left."""
        half = float(np.hypot(*piece.footprint_m)) / 2
        for _ in range(ATTEMPTS):
            x, y = self._rng.uniform(-1, 1, 2) * (self._size[:2] / 2 - half - WALL_GAP_M)
            if self._layout.take_floor(Rectangle(x - half, x + half, y - half, y + half)):
                at = _pose(x, y, float(np.arctan2(-y, -x)) - np.pi / 2)
                self._put(piece.primitives, at)
                return at
        return None


def _pose(x: float, y: float, yaw_rad: float) -> FloatArray:
    return rigid(matrix_from_rotation_vector((0, 0, yaw_rad)), (x, y, 0))


def _on_top(side: str, top: str) -> tuple[str, ...]:
    return (side, side, side, side, side, top)
