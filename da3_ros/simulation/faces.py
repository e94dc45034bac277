# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The six faces of every solid: how points on them are numbered, and light texels laid out.

A solid's surface is mapped onto the cube [-1, 1]^3: boxes as they are, balls by central projection, cylinders by
projection of their side from the axis. Face f = 2 * axis + (1 if on the positive side); its u runs along the first of
the two other axes, v along the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from da3_ros.geometry.rotation import FloatArray
from da3_ros.simulation.primitives import FACES, SHAPES, Primitive

MAX_TEXELS = 128
OTHER_AXES = ((1, 2), (0, 2), (0, 1))


@dataclass(frozen=True, slots=True, eq=False)
class FaceGrids:
    """Texel grids of F faces, one after the other, rows of v.

    Attributes:
        starts: (F,) int64 first texel.
        columns: (F,) int64 texels along u, at least 2.
        rows: (F,) int64 texels along v, at least 2.
    """

    starts: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]

    @staticmethod
    def of(columns: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> FaceGrids:
        """Grids of these sizes."""
        ends = np.cumsum(columns * rows)
        return FaceGrids(np.concatenate(([0], ends[:-1])), columns, rows)


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """Points on surfaces.

    Attributes:
        position: (3, T) float32 world.
        normal: (3, T) float32 unit, to the visible side.
    """

    position: Tensor
    normal: Tensor

    @property
    def count(self) -> int:
        """T."""
        return self.position.shape[1]

    def joined(self, other: Patches) -> Patches:
        """These, then the others."""
        return Patches(torch.cat((self.position, other.position), 1), torch.cat((self.normal, other.normal), 1))

    def moved(self, a_from_world: FloatArray) -> list[Tensor]:
        """Three tensors (T,): the positions after an affine (4, 4) map."""
        x, y, z = self.position
        return [x * row[0] + y * row[1] + z * row[2] + row[3] for row in a_from_world[:3].tolist()]


def face_grids(
    solids: Sequence[Primitive], pitch_m: float = 0.09, shell_pitch_m: float = 0.12, ball_texels: int = 4
) -> FaceGrids:
    """Grids of light texels on all faces of all solids, the first of which is the room's shell.

    Args:
        solids: P of them.
        pitch_m: greatest distance of texels on what stands in the room.
        shell_pitch_m: and on walls, floor and ceiling.
        ball_texels: least per side of a face of an ellipsoid, which keeps small ones round.
    """
    half = np.array([solid.half_m for solid in solids])
    pitch = np.full((len(solids), 1), pitch_m)
    pitch[0] = shell_pitch_m
    least = np.array([[ball_texels if solid.shape == "ellipsoid" else 2] for solid in solids])
    texels = np.clip(np.ceil(2 * half / pitch), least, MAX_TEXELS).astype(np.int64)
    columns, rows = (texels[:, [OTHER_AXES[axis][k] for axis in (0, 0, 1, 1, 2, 2)]].ravel() for k in (0, 1))
    return FaceGrids.of(columns, rows)


def face_patches(solids: Sequence[Primitive], grids: FaceGrids) -> Patches:
    """Texel centres of all faces; the first solid is the room's shell, whose faces look inwards."""
    counts = grids.columns * grids.rows
    face = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(face)) - grids.starts[face]
    columns, rows = grids.columns[face], grids.rows[face]
    share = np.stack((number % columns + 0.5, number // columns + 0.5)) / (columns, rows) * 2 - 1
    solid = face // len(FACES)
    shapes = np.array([SHAPES.index(one.shape) for one in solids])[solid]
    unit, gradient = _on_unit_shapes(face % len(FACES), share, shapes)
    world_from_unit = np.array([one.world_from_unit for one in solids])
    position = _mapped(world_from_unit[:, :3, :3], solid, unit) + world_from_unit[solid, :3, 3]
    # gradients move by the transposed inverse
    normal = _mapped(np.linalg.inv(world_from_unit)[:, :3, :3].transpose(0, 2, 1), solid, gradient)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    normal[solid == 0] *= -1
    stacked = (part.T.astype(np.float32) for part in (position, normal))
    return Patches(*(torch.from_numpy(np.ascontiguousarray(part)) for part in stacked))


def _mapped(maps: FloatArray, number: npt.NDArray[np.int64], vectors: FloatArray) -> FloatArray:
    """(T, 3) each vector (T, 3) after the linear map (P, 3, 3) of its number."""
    x, y, z = vectors.T
    columns = np.moveaxis(maps, 2, 0)
    return x[:, None] * columns[0][number] + y[:, None] * columns[1][number] + z[:, None] * columns[2][number]


def _on_unit_shapes(
    face: npt.NDArray[np.int64], share: FloatArray, shapes: npt.NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Points on unit shapes, and the gradients of the surfaces there; (T, 3) each.

    Args:
        face: (T,) index into FACES.
        share: (2, T) u and v.
        shapes: (T,) index into SHAPES.
    """
    axis, index, across = face // 2, np.arange(len(face)), 2.0 * (face % 2) - 1
    others = np.array(OTHER_AXES)[axis]
    point, gradient = np.empty((len(face), 3)), np.zeros((len(face), 3))
    point[index, axis], point[index, others[:, 0]], point[index, others[:, 1]] = across, *share
    gradient[index, axis] = across
    ball, cylinder = (shapes == SHAPES.index(shape) for shape in ("ellipsoid", "cylinder"))
    point[ball] /= np.linalg.norm(point[ball], axis=1, keepdims=True)
    gradient[ball] = point[ball]
    radius = np.linalg.norm(point[:, :2], axis=1, keepdims=True)
    side = cylinder & (axis < 2)
    point[side, :2] /= radius[side]
    gradient[side, :2] = point[side, :2]
    cap = cylinder & (axis == 2)
    point[cap, :2] /= np.maximum(radius[cap], 1)
    return point, gradient
