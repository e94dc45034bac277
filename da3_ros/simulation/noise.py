# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What painted textures start from: coordinates, periodic noise, soft edges and blends. One thread, numpy only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.floating]


def noise(rng: np.random.Generator, side: int, cells_u: int, cells_v: int, octaves: int = 1) -> Picture:
    """Periodic value noise, (side, side) with mean near 0, within [-1, 1]."""
    total = np.zeros((side, side), np.float32)
    weights = 0.0
    for octave in range(octaves):
        scale, weight = 2**octave, 0.5**octave
        lattice = rng.uniform(-1, 1, (min(cells_v * scale, side), min(cells_u * scale, side))).astype(np.float32)
        total += weight * _stretched(_stretched(lattice, side).T, side).T
        weights += weight
    return total / np.float32(weights)


def _stretched(lattice: Picture, side: int) -> Picture:
    """Interpolate the rows of a periodic lattice to `side` rows, smoothly."""
    cells = len(lattice)
    position = np.arange(side, dtype=np.float32) * np.float32(cells / side)
    left = position.astype(np.int64)
    share = position - left
    share = (share * share * (3 - 2 * share))[:, None]
    return lattice[left % cells] * (1 - share) + lattice[(left + 1) % cells] * share


def texel_grid(side: int) -> tuple[Picture, Picture]:
    """Coordinates u (1, side) and v (side, 1) of the texel centres in [0, 1)."""
    line = ((np.arange(side) + 0.5) / side).astype(np.float32)
    return line[None, :], line[:, None]


def soft_step(signed: Picture, width: float) -> Picture:
    """0 below -width, 1 above width, smooth between."""
    t = np.clip(signed / (2 * width) + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def mix(below: npt.ArrayLike, above: npt.ArrayLike, share: npt.ArrayLike) -> Picture:
    """Blend two colours or pictures; `share` (S, S) is that of `above`."""
    low, high = np.asarray(below, np.float32), np.asarray(above, np.float32)
    return low + (high - low) * np.asarray(share, np.float32)[..., None]
