# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Shadows of many solids at once: rays are only tried against solids whose bounding balls they pass through."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from da3_ros.geometry.rotation import FloatArray
from da3_ros.simulation.faces import Patches
from da3_ros.simulation.primitives import SHAPES, Primitive, entry

SHADOW_BIAS = 1e-3  # share of the way to the light
NEAREST_M2 = 1e-6


def visible_outside_cones(solids: Sequence[Primitive], origins: FloatArray, patches: Patches) -> Tensor:
    """(E, T) bool, whether nothing stands between an origin (E, 3) and a patch."""
    blocked = torch.zeros(len(origins), patches.count, dtype=torch.bool)
    for shape in SHAPES:
        alike = [solid for solid in solids if solid.shape == shape]
        if not alike:
            continue
        world_from_unit = np.array([solid.world_from_unit for solid in alike])
        unit_from_world = np.linalg.inv(world_from_unit)[:, :3]
        radius = _radii(world_from_unit, shape)
        maps = torch.from_numpy(np.ascontiguousarray(unit_from_world.transpose(2, 1, 0), np.float32))
        for origin, row in zip(origins, blocked, strict=True):
            solid, patch = _in_cones(world_from_unit[:, :3, 3] - origin, radius, patches.position, origin)
            away = patches.position.index_select(1, patch) - torch.from_numpy(origin.astype(np.float32))[:, None]
            start = torch.from_numpy((unit_from_world @ (*origin, 1.0)).T.astype(np.float32)).index_select(1, solid)
            columns = maps[:3].flatten(0, 1).index_select(1, solid).unflatten(0, (3, 3))
            direction = (columns * away[:, None]).sum(0)
            reached = entry(shape, start.unbind(0), direction.unbind(0))
            row[patch[reached < 1 - SHADOW_BIAS]] = True
    return blocked.logical_not_()


def _radii(world_from_unit: FloatArray, shape: str) -> FloatArray:
    """(P,) of balls around the solids."""
    half = np.linalg.norm(world_from_unit[:, :3, :3], axis=1)
    if shape == "box":
        return np.linalg.norm(half, axis=1)
    if shape == "cylinder":
        return np.hypot(half[:, :2].max(axis=1), half[:, 2])
    return half.max(axis=1)


def _in_cones(centre: FloatArray, radius: FloatArray, position: Tensor, origin: FloatArray) -> tuple[Tensor, Tensor]:
    """Pairs of solids and patches, the ray to which passes through the ball around the solid, not beyond the patch.

    Args:
        centre: (P, 3) of the balls, seen from the origin.
        radius: (P,) of the balls.
        position: (3, T) of the patches, world.
        origin: (3,) of the rays, world.
    """
    away = position - torch.from_numpy(origin.astype(np.float32))[:, None]
    length = (away * away).sum(0).clamp(min=NEAREST_M2).sqrt()
    distance2 = np.square(centre).sum(axis=1)
    along = torch.from_numpy(centre.astype(np.float32)) @ (away / length)  # to the foot of the centre on each ray
    # Along rays through a ball the foot is as far as the ball's rim; from within it all rays count.
    rim2 = distance2 - radius**2
    least = torch.from_numpy(np.where(rim2 > 0, np.sqrt(np.maximum(rim2, 0)) * 0.9999, -np.inf).astype(np.float32))
    nearest = torch.from_numpy((np.sqrt(distance2) - radius).astype(np.float32))
    hit = (along >= least[:, None]).logical_and_(length >= nearest[:, None])
    solid, patch = hit.nonzero(as_tuple=True)
    return solid, patch
