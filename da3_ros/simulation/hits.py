# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the rays of one view hit: all pixel centres exactly, and extra rays on edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from da3_ros.simulation.image_bounds import Tile, tiles_of
from da3_ros.simulation.pixel_rays import RayGrid, ray_grid
from da3_ros.simulation.primitives import SHAPES, Shape, entry, room_exit
from da3_ros.simulation.shading import Samples

EDGE_SHIFTS_PX = ((-0.125, -0.375), (0.375, -0.125), (-0.375, 0.125), (0.125, 0.375))
NEIGHBOURS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))  # row, column


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Hits of the pixel centres of one view.

    Attributes:
        camera: of the view.
        grid: its rays.
        unit_from_camera: (3, 4, P) float32 maps into the unit spaces of all solids.
        depth: (H, W) float64 z, metres.
        solid: (H, W) int64 what is hit, 0 is the room's shell.
    """

    camera: PinholeCamera
    grid: RayGrid
    unit_from_camera: Tensor
    depth: Tensor
    solid: Tensor

    def depth_image(self) -> npt.NDArray[np.float32]:
        """(H, W) float32 metres, NaN where a pixel sees nothing."""
        depth = self.depth.float()
        if self.grid.blind is not None:
            depth.masked_fill_(self.grid.blind, torch.nan)
        return depth.numpy()

    def samples(self) -> Samples:
        """All pixels, row by row."""
        return _samples(self.grid.x, self.grid.y, self.depth, self.solid)


def cast_pixels(camera: PinholeCamera, camera_from_unit: FloatArray, shapes: list[Shape]) -> Hits:
    """Cast the pixel centres in float64.

    Args:
        camera: any.
        camera_from_unit: (P, 4, 4) affine maps of all solids; the first is the room's shell, around the camera.
        shapes: P shapes.
    """
    grid = ray_grid(camera)
    unit_from_camera = np.linalg.inv(camera_from_unit)
    columns = torch.from_numpy(unit_from_camera[:, :3, :3, None, None])
    origins = unit_from_camera[:, :3, 3].tolist()
    depth = room_exit(origins[0], _directions(columns[0], grid.x, grid.y))
    nearest = torch.zeros_like(depth, dtype=torch.int64)
    for tile in tiles_of(grid, camera_from_unit[1:]):
        number = tile.solid + 1
        direction = _directions(columns[number], _cropped(grid.x, tile), _cropped(grid.y, tile))
        reached = entry(shapes[number], origins[number], direction)
        known = depth[tile.rows, tile.columns]
        nearest[tile.rows, tile.columns].masked_fill_(reached < known, number)
        torch.minimum(known, reached, out=known)
    table = torch.from_numpy(unit_from_camera[:, :3].transpose(1, 2, 0).astype(np.float32, order="C"))
    return Hits(camera, grid, table, depth, nearest)


def cast_edges(hits: Hits, edges: Tensor, shape_codes: Tensor) -> Samples:
    """Cast four rays in each of some pixels.

    A ray is tried against the room's shell and against what its pixel and the four neighbours show.

    Args:
        hits: of the pixel centres.
        edges: (N,) int64 flat pixel indices.
        shape_codes: (P,) int64 indices into SHAPES.

    Returns:
        (4 * N,) samples: the first rays of all pixels, then the second ones, and so on.
    """
    height, width = hits.camera.size
    rows, columns = edges // width, edges % width
    grids = [ray_grid(hits.camera, shift) for shift in EDGE_SHIFTS_PX]
    x = torch.stack([grid.x.expand(height, width)[rows, columns] for grid in grids]).float()
    y = torch.stack([grid.y.expand(height, width)[rows, columns] for grid in grids]).float()
    near = [
        (rows + down).clamp(0, height - 1) * width + (columns + right).clamp(0, width - 1) for down, right in NEIGHBOURS
    ]
    candidates = hits.solid.reshape(-1).index_select(0, torch.cat(near))
    reached = _reached(candidates, x, y, hits.unit_from_camera, shape_codes)
    shell = hits.unit_from_camera[..., 0, None, None]
    depth, solid = room_exit(shell[:, 3], _directions(shell[:, :3], x, y)), torch.zeros(x.shape, dtype=torch.int64)
    parts = len(NEIGHBOURS)
    for candidate, distance in zip(candidates.chunk(parts), reached.chunk(parts, dim=1), strict=True):
        solid = torch.where(distance < depth, candidate, solid)
        depth = torch.minimum(depth, distance)
    return _samples(x, y, depth, solid)


def _reached(candidates: Tensor, x: Tensor, y: Tensor, unit_from_camera: Tensor, shape_codes: Tensor) -> Tensor:
    """(R, C) ray parameters at which R rays of each pixel enter the pixel's candidates; infinite for repeated ones.

    Args:
        candidates: (C,) solids, C a multiple of N: candidate c belongs to pixel c mod N.
        x: (R, N) rays (x, y, 1).
        y: (R, N).
        unit_from_camera: (3, 4, P).
        shape_codes: (P,).
    """
    reached = torch.full((x.shape[0], len(candidates)), torch.inf)
    codes = shape_codes.index_select(0, candidates)
    # The first N are the pixels' own; neighbours that show the same need no second try, and the shell is no solid.
    repeats = candidates == candidates[: x.shape[1]].repeat(len(candidates) // x.shape[1])
    repeats[: x.shape[1]] = False
    codes.masked_fill_(repeats.logical_or_(candidates == 0), -1)
    for code, shape in enumerate(SHAPES):
        chosen = (codes == code).nonzero()[:, 0]
        maps = unit_from_camera.flatten(0, 1).index_select(1, candidates.index_select(0, chosen))
        maps = maps.unflatten(0, (3, 4))[:, :, None]
        pixel = chosen % x.shape[1]
        direction = _directions(maps[:, :3], x.index_select(1, pixel), y.index_select(1, pixel))
        reached.index_copy_(1, chosen, entry(shape, maps[:, 3], direction))
    return reached


def _directions(unit_from_camera: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    """Three tensors, the directions (x, y, 1) after linear maps (3, 3, ...)."""
    column_x, column_y, column_z = unit_from_camera.unbind(1)
    return ((x * column_x + column_z) + y * column_y).unbind(0)


def _cropped(plane: Tensor, tile: Tile) -> Tensor:
    rows = tile.rows if plane.shape[0] > 1 else slice(None)
    return plane[rows, tile.columns if plane.shape[1] > 1 else slice(None)]


def _samples(x: Tensor, y: Tensor, depth: Tensor, solid: Tensor) -> Samples:
    flat = [plane.expand(depth.shape).reshape(-1).float() for plane in (x, y, depth)]
    return Samples(flat[0], flat[1], flat[2], solid.reshape(-1))
