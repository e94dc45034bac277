# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures that are stretched over a face once: posters, rugs, books, doors, and the view out of a window.

Same contract as `patterns`; row 0 is the lower edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from da3_ros.simulation.materials import Colour, Pattern
from da3_ros.simulation.noise import Picture, mix, noise, soft_step, texel_grid
from da3_ros.simulation.patterns import Painter, grain

INK: Colour = (0.08, 0.08, 0.09)


def _inset(side: int, left: float, right: float, bottom: float, top: float, soft: float = 0.003) -> Picture:
    """1 inside a rectangle, 0 outside."""
    u, v = texel_grid(side)
    return soft_step(np.minimum(np.minimum(u - left, right - u), np.minimum(v - bottom, top - v)), soft)


def _matted(picture: Picture, colours: Sequence[Colour]) -> Picture:
    """A picture inside a mat."""
    return mix(colours[0], picture, _inset(len(picture), 0.1, 0.9, 0.1, 0.9))


def _rug(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    u, v = texel_grid(side)
    rim = np.minimum(np.minimum(u, 1 - u) * 1.5, np.minimum(v, 1 - v))
    diamonds = np.abs((u * 9) % 1 - 0.5) + np.abs((v * 6) % 1 - 0.5)
    picture = mix(colours[0], colours[1], soft_step(diamonds - 0.36, 0.02))
    picture = mix(picture, colours[2], soft_step(0.14 - diamonds, 0.02))
    for inner, outer, colour in ((0.07, 0.17, colours[1]), (0.1, 0.14, colours[2]), (0.0, 0.03, colours[0])):
        band = soft_step(rim - inner, 0.003) * soft_step(outer - rim, 0.003)
        picture = mix(picture, colour, band)
    pile = 1 + 0.07 * noise(rng, side, 160, 160) + 0.04 * noise(rng, side, 8, 8, 2)
    return picture * pile[..., None]


def _poster_hills(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    u, v = texel_grid(side)
    picture = mix(colours[1], colours[2], np.broadcast_to(v, (side, side)))
    sun_u, sun_v = rng.uniform(0.3, 0.7), rng.uniform(0.6, 0.75)
    picture = mix(picture, colours[3], soft_step(0.1 - np.hypot(u - sun_u, v - sun_v), 0.003))
    for depth, height in enumerate((0.55, 0.42, 0.28)):
        ridge = height + 0.12 * noise(rng, side, 3 + depth, 1, 3)[:1]
        shade = mix(colours[4], colours[1], np.full((1, 1), 0.55 - 0.27 * depth))
        picture = mix(picture, np.broadcast_to(shade, picture.shape), soft_step(ridge - v, 0.003))
    return _matted(picture, colours)


def _poster_discs(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    u, v = texel_grid(side)
    picture = np.broadcast_to(np.asarray(colours[1], np.float32), (side, side, 3))
    for _ in range(9):
        centre_u, centre_v, radius = rng.uniform(0.15, 0.85), rng.uniform(0.15, 0.85), rng.uniform(0.05, 0.2)
        disc = soft_step(radius - np.hypot(u - centre_u, v - centre_v), 0.003)
        picture = mix(picture, colours[int(rng.integers(2, len(colours)))], 0.85 * disc)
    return _matted(picture, colours)


def _poster_blocks(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    lines_u, lines_v = (np.array([0.1, *np.sort(rng.uniform(0.2, 0.8, 3)), 0.9]) for _ in range(2))
    picture = np.broadcast_to(np.asarray(INK, np.float32), (side, side, 3))
    for left, right in pairwise(lines_u.tolist()):
        for bottom, top in pairwise(lines_v.tolist()):
            colour = colours[int(rng.integers(0, len(colours)))]
            picture = mix(picture, colour, _inset(side, left + 0.008, right - 0.008, bottom + 0.008, top - 0.008))
    return _matted(picture, colours)


def _books(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    u, v = texel_grid(side)
    count = 14
    ends = np.cumsum(rng.uniform(0.6, 1.4, count))
    ends = np.float32(ends / ends[-1])
    index = np.searchsorted(ends, u[0])
    starts = np.concatenate(([0], ends[:-1]))
    across = (u[0] - starts[index]) / (ends - starts)[index]
    spine = np.asarray(colours, np.float32)[rng.integers(0, len(colours), count)]
    spine = spine * rng.uniform(0.75, 1.1, (count, 1)).astype(np.float32)
    rounded = (0.7 + 1.2 * across * (1 - across)).astype(np.float32)
    picture = np.broadcast_to(spine[index] * rounded[:, None], (side, side, 3))
    band = soft_step(0.035 - np.abs(v - rng.uniform(0.6, 0.85, count)[index]), 0.006)
    band = band * soft_step(np.minimum(across, 1 - across) - 0.15, 0.05)[None]
    picture = mix(picture, (0.86, 0.78, 0.55), 0.75 * band)
    tops = rng.uniform(0.9, 1.05, count)[index]
    return picture * (1 - 0.9 * soft_step(v - tops, 0.004))[..., None]


def _window(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    u, v = texel_grid(side)
    sky = mix(colours[1], colours[2], np.broadcast_to(v, (side, side)))
    clouds = soft_step(noise(rng, side, 3, 6, 4) - 0.12, 0.2)
    view = mix(sky, (1, 1, 1), 0.7 * clouds * v)
    for depth, height in enumerate((0.4, 0.27)):
        ridge = height + 0.09 * noise(rng, side, 4 + 5 * depth, 1, 4)[:1]
        hill = mix(colours[3], colours[2], np.full((1, 1), 0.35 - 0.3 * depth))
        view = mix(view, np.broadcast_to(hill, view.shape), soft_step(ridge - v, 0.004))
    bar = np.minimum(np.abs(u - 0.5), np.minimum(u, 1 - u) + 0.004)
    bar = np.minimum(bar, np.minimum(np.abs(v - 0.68), np.minimum(v, 1 - v)) * 0.8)
    return mix(view, colours[0], soft_step(0.017 - bar, 0.003))


def _door(rng: np.random.Generator, colours: Sequence[Colour], side: int) -> Picture:
    u, v = texel_grid(side)
    wood = mix(colours[0], colours[1], grain(rng, side).T)
    for bottom, top in ((0.06, 0.4), (0.46, 0.94)):
        for left, right in ((0.1, 0.46), (0.54, 0.9)):
            away = np.minimum(np.minimum(u - left, right - u), (np.minimum(v - bottom, top - v)) * 2.2)
            groove = soft_step(0.014 - np.abs(away), 0.006)
            lit = 1 - 0.45 * groove + 0.12 * soft_step(away - 0.014, 0.004)
            wood = wood * lit[..., None]
    return wood


ONCE: dict[Pattern, Painter] = {
    "rug": _rug,
    "poster_hills": _poster_hills,
    "poster_discs": _poster_discs,
    "poster_blocks": _poster_blocks,
    "books": _books,
    "window": _window,
    "door": _door,
}
