# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Gaussians of a view whose depth is exact: one per pixel, as large and as slanted as the surface it sees."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from da3_ros.geometry.gaussians import Gaussians, constant_harmonics
from da3_ros.geometry.rotation import FloatArray, quat_xyzw_from_matrix
from da3_ros.simulation.ray_caster import View

OPACITY = 0.99
WIDTH_PX = 0.4  # standard deviation along the surface
THICKNESS_SHARE = 0.05  # across it, of its smaller standard deviation
# A step in depth between neighbours above this share of the depth is an edge, not a slant.
EDGE = 0.15


def exact_gaussians(views: Iterable[View]) -> Gaussians:
    """Gaussians of all pixels that see something, in the world of the views, metres, colours alike from everywhere."""
    parts = [_of_view(view) for view in views]
    return Gaussians(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Gaussians.__slots__),
    )


def _of_view(view: View) -> Gaussians:
    rays, depth = view.camera.rays(), view.depth.astype(np.float64)
    known = np.isfinite(depth)
    along_u = _slope(depth, axis=1)[..., None] * rays + (depth / view.camera.fx_px)[..., None] * (1, 0, 0)
    along_v = _slope(depth, axis=0)[..., None] * rays + (depth / view.camera.fy_px)[..., None] * (0, 1, 0)
    spread = WIDTH_PX * np.stack((along_u[known], along_v[known]), axis=-1)  # (N, 3, 2), a root of the covariance
    axes, lengths, _ = np.linalg.svd(spread, full_matrices=False)
    thin = THICKNESS_SHARE * lengths[:, 1:]
    frame = np.concatenate((axes, np.cross(axes[..., 0], axes[..., 1])[..., None]), axis=-1)
    rotation, centre = view.world_from_camera[:3, :3], view.world_from_camera[:3, 3]
    count = len(frame)
    return Gaussians(
        means=((depth[known][:, None] * rays[known]) @ rotation.T + centre).astype(np.float32),
        scales=np.concatenate((lengths, thin), axis=1).astype(np.float32),
        quaternions=quat_xyzw_from_matrix(rotation @ frame)[:, (3, 0, 1, 2)].astype(np.float32),
        harmonics=constant_harmonics(view.image[known] / 255.0),
        opacities=np.full(count, OPACITY, dtype=np.float32),
    )


def _slope(depth: FloatArray, axis: int) -> FloatArray:
    """Change of depth per pixel towards the neighbour that is nearer to it; 0 at edges and where none is known."""
    step = np.diff(depth, axis=axis)
    missing = np.full(np.take(depth, [0], axis=axis).shape, np.nan)
    sides = np.stack((np.concatenate((missing, step), axis=axis), np.concatenate((step, missing), axis=axis)))
    sides = np.where(np.isfinite(sides) & (np.abs(sides) < EDGE * depth), sides, np.inf)
    slope = np.take_along_axis(sides, np.abs(sides).argmin(axis=0, keepdims=True), axis=0)[0]
    return np.where(np.isfinite(slope), slope, 0.0)
