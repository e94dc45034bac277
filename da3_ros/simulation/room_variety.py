# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Rooms that differ in everything: size, furniture, materials, light."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from da3_ros.geometry.rotation import FloatArray
from da3_ros.simulation.furnishing import make_room
from da3_ros.simulation.materials import Colour, Material, Pattern
from da3_ros.simulation.room import AreaLight, Room
from da3_ros.simulation.room_style import draw_style

# How many colours a pattern is painted with, for those that may stand in for each other.
TILING_COLOURS: dict[Pattern, int] = {
    "paint": 1, "planks": 2, "tiles": 3, "bricks": 3, "wood": 2, "fabric": 2, "wallpaper": 3, "leaves": 2,
}  # fmt: skip
STRETCHED_COLOURS: dict[Pattern, int] = {
    "rug": 3, "poster_hills": 5, "poster_discs": 5, "poster_blocks": 5, "books": 6, "ball": 3, "cardboard": 2,
}  # fmt: skip
SWAP_SHARE = 0.4
NEW_COLOUR_SHARE = 0.35
KEEP_LIGHT_SHARE = 0.8


def varied_room(seed: int, attempt: int = 0) -> Room:
    """Any room; the same seed and attempt give the same one."""
    rng = np.random.default_rng((seed, attempt))
    room = make_room(seed, draw_style(rng))
    materials = varied_materials(room.materials, rng)
    return replace(room, materials=materials, lights=varied_lights(room.lights, room.size_m, rng))


def varied_materials(materials: Mapping[str, Material], rng: np.random.Generator) -> dict[str, Material]:
    """The same names with other patterns, colours and scales; what glows keeps its pattern."""
    turn, vividness = float(rng.uniform()) * float(rng.uniform() < 0.5), float(np.exp(rng.normal(-0.15, 0.4)))
    varied = {}
    for name, look in materials.items():
        pattern, colours = look.pattern, list(look.colours)
        if not look.glow and rng.uniform() < SWAP_SHARE:
            family = TILING_COLOURS if look.tile_m else STRETCHED_COLOURS
            pattern = list(family)[int(rng.integers(len(family)))]
            colours = (colours + [_any_colour(rng) for _ in range(family[pattern])])[: max(family[pattern], 1)]
        if not look.glow and rng.uniform() < NEW_COLOUR_SHARE:
            colours = [_any_colour(rng) for _ in colours]
        shift = turn + float(rng.normal(0, 0.04))
        colours = [_moved(colour, shift, vividness, float(np.exp(rng.normal(0, 0.12)))) for colour in colours]
        varied[name] = Material(pattern, tuple(colours), look.tile_m * float(np.exp(rng.uniform(-0.6, 0.5))), look.glow)
    return varied


def varied_lights(lights: tuple[AreaLight, ...], size_m: FloatArray, rng: np.random.Generator) -> tuple[AreaLight, ...]:
    """Some of the lights, of other power and colour, and perhaps one more below the ceiling; never none."""
    kept = [light for light in lights if rng.uniform() < KEEP_LIGHT_SHARE]
    if not kept or rng.uniform() < 0.4:
        centre = np.array([*rng.uniform(-0.35, 0.35, 2) * size_m[:2], size_m[2] - rng.uniform(0.1, 0.6)])
        edges = np.diag((0.3, 0.3, 0.0))[:2]
        kept.append(AreaLight(centre, edges, np.zeros(3), (1.0, 1.0, 1.0), 3.0))
    tint = rng.normal(0, 0.12)
    return tuple(_relit(light, float(np.exp(rng.normal(0, 0.5))), float(tint + rng.normal(0, 0.08))) for light in kept)


def _relit(light: AreaLight, power: float, warmth: float) -> AreaLight:
    red, green, blue = light.colour
    return replace(light, power=light.power * power, colour=(red * (1 + warmth), green, blue * (1 - warmth)))


def _any_colour(rng: np.random.Generator) -> Colour:
    return colorsys.hsv_to_rgb(rng.uniform(), rng.uniform() ** 1.7 * 0.85, 1 - 0.75 * rng.uniform() ** 1.5)


def _moved(colour: Colour, turn: float, vividness: float, brightness: float) -> Colour:
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    value = min(1.0, max(0.08, value * brightness))
    return colorsys.hsv_to_rgb((hue + turn) % 1, min(0.95, saturation * vividness), value)
