# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which part of an image each solid can be seen in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from da3_ros.geometry.rotation import FloatArray
from da3_ros.simulation.pixel_rays import RayGrid

NEAR_M = 1e-3  # solids are cut at this depth, before they are projected
CORNERS = np.array([(*corner, 1.0) for corner in product((-1.0, 1.0), repeat=3)])
EDGES = np.array([(a, b) for a, b in product(range(8), repeat=2) if a < b and bin(a ^ b).count("1") == 1])


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of pixels outside of which a solid is not seen.

    Attributes:
        solid: index of the solid.
        rows: of the image.
        columns: of the image.
    """

    solid: int
    rows: slice
    columns: slice


def tiles_of(grid: RayGrid, camera_from_unit: FloatArray) -> list[Tile]:
    """Tiles of the solids that may be seen.

    Args:
        grid: rays of the camera.
        camera_from_unit: (P, 4, 4) affine maps from the unit spaces of the solids to the optical frame.
    """
    low, high = _projected_bounds(camera_from_unit)
    columns = _ranges(grid.x.amin(0).numpy(), grid.x.amax(0).numpy(), low[:, :1], high[:, :1])
    rows = _ranges(grid.y.amin(1).numpy(), grid.y.amax(1).numpy(), low[:, 1:], high[:, 1:])
    limits = zip(rows.tolist(), columns.tolist(), strict=True)
    return [
        Tile(solid, slice(top, bottom), slice(left, right))
        for solid, ((top, bottom), (left, right)) in enumerate(limits)
        if bottom > top and right > left
    ]


def _projected_bounds(camera_from_unit: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least and greatest (x/z, y/z), (P, 2) each, of the part of each unit cube in front of the camera."""
    corners = np.einsum("pij,cj->pci", camera_from_unit[:, :3], CORNERS)
    ahead = corners[..., 2] > NEAR_M
    start, end = corners[:, EDGES[:, 0]], corners[:, EDGES[:, 1]]
    is_cut = ahead[:, EDGES[:, 0]] != ahead[:, EDGES[:, 1]]
    run = np.where(is_cut, end[..., 2] - start[..., 2], 1.0)
    cuts = start + ((NEAR_M - start[..., 2]) / run)[..., None] * (end - start)
    points = np.concatenate((corners, cuts), axis=1)
    counts = np.concatenate((ahead, is_cut), axis=1)[..., None]
    flat = points[..., :2] / np.where(counts, points[..., 2:], 1.0)
    margin = 1e-9 * (1 + np.abs(flat))
    low = np.where(counts, flat - margin, np.inf).min(axis=1)
    return low, np.where(counts, flat + margin, -np.inf).max(axis=1)


def _ranges(line_low: FloatArray, line_high: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """(P, 2) first and one past the last line (row or column) whose rays reach into [low, high]."""
    reached = (line_high >= low) & (line_low <= high)
    first, last = reached.argmax(axis=1), reached.shape[1] - reached[:, ::-1].argmax(axis=1)
    return np.stack((first, np.where(reached.any(axis=1), last, 0)), axis=1)
