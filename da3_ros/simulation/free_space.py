# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How much room there is around points and in front of cameras."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from da3_ros.simulation.primitives import SHAPES, Shape, entry, room_exit
from da3_ros.simulation.room import Room


def clearance_m(room: Room, points: npt.ArrayLike) -> FloatArray:
    """Least distance of points (..., 3) to the boxes around all solids and to the shell; below zero inside."""
    given = np.asarray(points, dtype=np.float64)
    flat = given.reshape(-1, 3)
    half = np.array([solid.half_m for solid in room.primitives])[:, None]
    world_from_unit = np.array([solid.world_from_unit for solid in room.primitives])
    local = (flat - world_from_unit[:, None, :3, 3]) @ (world_from_unit[:, :3, :3] / half)
    beyond = np.abs(local) - half
    to_solids = np.linalg.norm(np.maximum(beyond, 0), axis=-1) + np.minimum(beyond.max(axis=-1), 0)
    to_shell = (room.size_m / 2 - np.abs(flat - (0, 0, room.size_m[2] / 2))).min(axis=-1)
    return np.minimum(to_solids.min(axis=0, initial=np.inf), to_shell).reshape(given.shape[:-1])


@torch.inference_mode()
def coarse_depth(
    room: Room, camera: PinholeCamera, world_from_camera: FloatArray, size: tuple[int, int] = (9, 12)
) -> npt.NDArray[np.float32]:
    """Depth of several views by few rays, all at once.

    Args:
        room: around all cameras.
        camera: without distortion.
        world_from_camera: (N, 4, 4) rigid, optical frames.
        size: (h, w) of the rays.

    Returns:
        (N, h, w) float32 z along the optical axis, metres, of the pixels of `camera.resized(size)`.
    """
    rays = np.concatenate((camera.resized(size).rays().reshape(-1, 3), np.zeros((size[0] * size[1], 1))), axis=1)
    nearest = _reached([room.shell.world_from_unit], world_from_camera, rays, None)
    for shape in SHAPES:
        maps = [solid.world_from_unit for solid in room.primitives if solid.shape == shape]
        if maps:
            nearest = torch.minimum(nearest, _reached(maps, world_from_camera, rays, shape))
    return nearest.reshape(len(world_from_camera), *size).numpy()


def _reached(
    world_from_unit: Sequence[FloatArray], world_from_camera: FloatArray, rays: FloatArray, shape: Shape | None
) -> torch.Tensor:
    """(N, R) depth of the nearest of these solids along rays (R, 4) of each view; None is the shell."""
    unit_from_camera = np.linalg.inv(np.array(world_from_unit))[:, None] @ world_from_camera  # (P, N, 4, 4)
    planes = np.moveaxis(unit_from_camera[..., :3, :] @ rays.T, 2, 0)
    direction = torch.from_numpy(planes.astype(np.float32)).unbind(0)
    origin = torch.from_numpy(np.moveaxis(unit_from_camera[..., :3, 3:], 2, 0).astype(np.float32)).unbind(0)
    reached = room_exit(origin, direction) if shape is None else entry(shape, origin, direction)
    return reached.amin(0)
