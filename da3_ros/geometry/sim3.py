# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Similarity transforms Sim(3), and rigid transforms as 4x4 matrices.

Every transform is named `a_from_b` and acts as `x_a = a_from_b @ x_b`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.rotation import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Sim3:
    """`x_a = scale * rotation @ x_b + translation`.

    Attributes:
        scale: units of a per unit of b, above zero.
        rotation: (3, 3) float64, proper.
        translation: (3,) float64, in units of a.
    """

    scale: float
    rotation: FloatArray
    translation: FloatArray

    @staticmethod
    def identity() -> Sim3:
        """The transform that changes nothing."""
        return Sim3(1.0, np.eye(3), np.zeros(3))

    @staticmethod
    def from_rigid(a_from_b: npt.ArrayLike) -> Sim3:
        """The same rigid transform (4, 4) with scale one."""
        matrix = np.asarray(a_from_b, dtype=np.float64)
        return Sim3(1.0, matrix[:3, :3], matrix[:3, 3])

    def __matmul__(self, b_from_c: Sim3) -> Sim3:
        """`a_from_b @ b_from_c` is `a_from_c`."""
        return Sim3(
            self.scale * b_from_c.scale,
            self.rotation @ b_from_c.rotation,
            self.scale * (self.rotation @ b_from_c.translation) + self.translation,
        )

    def inverse(self) -> Sim3:
        """`b_from_a`."""
        rotation = self.rotation.T
        return Sim3(1.0 / self.scale, rotation, -(rotation @ self.translation) / self.scale)

    def apply(self, points: npt.ArrayLike) -> FloatArray:
        """Move points.

        Args:
            points: (..., 3) in b.

        Returns:
            (..., 3) float64 in a.
        """
        return self.scale * (np.asarray(points, dtype=np.float64) @ self.rotation.T) + self.translation

    def apply_to_poses(self, b_from_camera: npt.ArrayLike) -> FloatArray:
        """Move camera poses; they stay rigid, their centres are scaled.

        Args:
            b_from_camera: (..., 4, 4) rigid.

        Returns:
            (..., 4, 4) rigid, `a_from_camera`.
        """
        poses = np.asarray(b_from_camera, dtype=np.float64)
        moved = poses.copy()
        moved[..., :3, :3] = self.rotation @ poses[..., :3, :3]
        moved[..., :3, 3] = self.apply(poses[..., :3, 3])
        return moved


def rigid(rotation: npt.ArrayLike, translation: npt.ArrayLike) -> FloatArray:
    """4x4 rigid transforms from (..., 3, 3) rotations and (..., 3) translations."""
    turn, shift = np.asarray(rotation, dtype=np.float64), np.asarray(translation, dtype=np.float64)
    batch = np.broadcast_shapes(turn.shape[:-2], shift.shape[:-1])
    matrix = np.zeros((*batch, 4, 4))
    matrix[..., :3, :3] = turn
    matrix[..., :3, 3] = shift
    matrix[..., 3, 3] = 1.0
    return matrix


def rigid_inverse(a_from_b: npt.ArrayLike) -> FloatArray:
    """`b_from_a` of rigid transforms (..., 4, 4), without a general matrix inverse."""
    matrix = np.asarray(a_from_b, dtype=np.float64)
    transposed = np.swapaxes(matrix[..., :3, :3], -1, -2)
    return rigid(transposed, -np.einsum("...ij,...j->...i", transposed, matrix[..., :3, 3]))
