# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A cloud that grows with every view and keeps one point per voxel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.rotation import FloatArray

_AXIS_BITS = 21  # per axis, so that a voxel's three numbers fit one int64: two million voxels along each axis
_COMPACT_AFTER = 2_000_000


class VoxelMap:
    """Coloured points of the world, thinned.

    Args:
        voxel_size: edge of a voxel, the unit of the points.
        max_points: the oldest points make way for more than this.
    """

    def __init__(self, voxel_size: float, max_points: int = 5_000_000) -> None:
        if not voxel_size > 0:
            raise ValueError(f"voxel size must be above zero, not {voxel_size}")
        self._voxel_size = voxel_size
        self._max_points = max_points
        self.clear()

    def clear(self) -> None:
        """Forget all points."""
        self._points: list[npt.NDArray[np.float32]] = []
        self._colours: list[npt.NDArray[np.uint8]] = []
        self._pending = 0

    def add(self, points: FloatArray, colours: npt.NDArray[np.uint8]) -> None:
        """Take in (N, 3) points, NaN where unknown, with (N, 3) uint8 RGB colours."""
        known = np.isfinite(points).all(axis=1)
        self._points.append(points[known].astype(np.float32))
        self._colours.append(colours[known])
        self._pending += int(known.sum())
        if self._pending > _COMPACT_AFTER:
            self.points()

    def points(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
        """(M, 3) points and (M, 3) colours, oldest first: of every voxel the newest point."""
        points = np.concatenate([np.empty((0, 3), np.float32), *self._points])
        colours = np.concatenate([np.empty((0, 3), np.uint8), *self._colours])
        voxel = np.floor(points / self._voxel_size).astype(np.int64) + (1 << (_AXIS_BITS - 1))
        voxel &= (1 << _AXIS_BITS) - 1
        key = (voxel[:, 0] << 2 * _AXIS_BITS) | (voxel[:, 1] << _AXIS_BITS) | voxel[:, 2]
        _, last = np.unique(key[::-1], return_index=True)
        kept = np.sort(len(key) - 1 - last)[-self._max_points :]
        self._points, self._colours, self._pending = [points[kept]], [colours[kept]], 0
        return self._points[0], self._colours[0]
