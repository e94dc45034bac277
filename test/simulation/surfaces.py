# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A second opinion on where surfaces are: signed distances, written without looking at how rays are intersected."""

from __future__ import annotations

import numpy as np

from da3_ros.geometry.rotation import FloatArray
from da3_ros.simulation.primitives import Primitive
from da3_ros.simulation.room import Room


def signed_distance_m(solid: Primitive, points: FloatArray) -> FloatArray:
    """Distance of world points (N, 3) to a solid, below zero inside.

    Exact for boxes; for balls and cylinders exact to first order near the surface, and of the right sign everywhere.
    """
    half = solid.half_m
    local = (points - solid.world_from_unit[:3, 3]) @ (solid.world_from_unit[:3, :3] / half)
    if solid.shape == "box":
        return _box(local, half)
    if solid.shape == "ellipsoid":
        return _round(local, half)
    return np.maximum(_round(local[:, :2], half[:2]), np.abs(local[:, 2]) - half[2])


def box_distance_m(solid: Primitive, points: FloatArray) -> FloatArray:
    """Distance to the solid's bounding box, never more than to the solid itself."""
    half = solid.half_m
    return _box((points - solid.world_from_unit[:3, 3]) @ (solid.world_from_unit[:3, :3] / half), half)


def room_distance_m(room: Room, points: FloatArray) -> FloatArray:
    """Free space around points (N, 3) inside a room: below zero inside a solid or behind a wall."""
    distances = [signed_distance_m(solid, points) for solid in room.primitives]
    return np.min([*distances, -signed_distance_m(room.shell, points)], axis=0)


def _box(local: FloatArray, half: FloatArray) -> FloatArray:
    beyond = np.abs(local) - half
    return np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(axis=1), 0)


def _round(local: FloatArray, half: FloatArray) -> FloatArray:
    level = np.linalg.norm(local / half, axis=1)
    gradient = np.linalg.norm(local / half**2, axis=1) / np.maximum(level, 1e-12)
    return (level - 1) / np.maximum(gradient, 1e-12)
