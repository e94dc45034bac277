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
from da3_ros.simulation.primitives import FACES, Primitive

PITCH_M = 0.09
SHELL_PITCH_M = 0.12
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


def face_grids(solids: Sequence[Primitive]) -> FaceGrids:
    """Grids of light texels on all faces of all solids, the first of which is the room's shell."""
    half = np.array([solid.half_m for solid in solids])
    pitch = np.full((len(solids), 1), PITCH_M)
    pitch[0] = SHELL_PITCH_M
    least = np.array([[4 if solid.shape == "ellipsoid" else 2] for solid in solids])  # keeps small balls round
    texels = np.clip(np.ceil(2 * half / pitch), least, MAX_TEXELS).astype(np.int64)
    columns, rows = (texels[:, [OTHER_AXES[axis][k] for axis in (0, 0, 1, 1, 2, 2)]].ravel() for k in (0, 1))
    return FaceGrids.of(columns, rows)


def face_patches(solids: Sequence[Primitive], grids: FaceGrids) -> Patches:
    """Texel centres of all faces; the first solid is the room's shell, whose faces look inwards."""
    positions, normals = [], []
    for index, solid in enumerate(solids):
        unit_from_world = np.linalg.inv(solid.world_from_unit)
        for face in range(len(FACES)):
            number = index * len(FACES) + face
            unit, gradient = _unit_face(solid, face, int(grids.columns[number]), int(grids.rows[number]))
            positions.append(unit @ solid.world_from_unit[:3, :3].T + solid.world_from_unit[:3, 3])
            normal = gradient @ unit_from_world[:3, :3]  # gradients move by the transposed inverse
            normal /= np.linalg.norm(normal, axis=1, keepdims=True)
            normals.append(-normal if index == 0 else normal)
    stacked = (np.concatenate(parts).T.astype(np.float32) for parts in (positions, normals))
    return Patches(*(torch.from_numpy(np.ascontiguousarray(part)) for part in stacked))


def _unit_face(solid: Primitive, face: int, columns: int, rows: int) -> tuple[FloatArray, FloatArray]:
    """Texel centres of one face in unit space, and the gradient of the surface there; (rows * columns, 3) each."""
    axis, side = divmod(face, 2)
    u, v = (np.arange(columns) + 0.5) / columns * 2 - 1, (np.arange(rows) + 0.5) / rows * 2 - 1
    grid = np.empty((rows, columns, 3))
    grid[..., axis] = 2 * side - 1
    grid[..., OTHER_AXES[axis][0]] = u
    grid[..., OTHER_AXES[axis][1]] = v[:, None]
    point = grid.reshape(-1, 3)
    gradient = np.zeros_like(point)
    gradient[:, axis] = 2 * side - 1
    if solid.shape == "ellipsoid":
        point /= np.linalg.norm(point, axis=1, keepdims=True)
        gradient = point.copy()
    elif solid.shape == "cylinder":
        radius = np.linalg.norm(point[:, :2], axis=1, keepdims=True)
        point[:, :2] /= radius if axis < 2 else np.maximum(radius, 1)
        if axis < 2:
            gradient[:, :2] = point[:, :2]
    return point, gradient
