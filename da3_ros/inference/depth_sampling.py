# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Depth images seen on another pixel grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import ViewTruth

_SAME_SURFACE_RATIO = 1.02


def sample_depth(truth: ViewTruth, camera: PinholeCamera) -> npt.NDArray[np.float32]:
    """Depth at the pixels of another camera that stands where the truth's camera stands.

    Inverse depth is an affine function of the pixel on every plane, so interpolating it is exact there. Across an edge,
    where the four neighbours differ, the nearest pixel is taken instead: no point hangs between two surfaces.

    Args:
        truth: depth and its camera, possibly distorted.
        camera: distortion-free, same centre and axes.

    Returns:
        (H, W) float32 of `camera.size`; NaN where unknown or outside the truth's image.
    """
    if truth.camera == camera:
        return truth.depth
    height, width = truth.depth.shape
    u, v = np.moveaxis(truth.camera.project(camera.rays()), -1, 0)
    inside = (u >= -0.5) & (u <= width - 0.5) & (v >= -0.5) & (v <= height - 0.5)
    u, v = np.clip(np.nan_to_num(u), 0, width - 1), np.clip(np.nan_to_num(v), 0, height - 1)
    left, top = np.minimum(u.astype(np.intp), max(width - 2, 0)), np.minimum(v.astype(np.intp), max(height - 2, 0))
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    corners = np.stack([truth.depth[rows, cols] for rows in (top, bottom) for cols in (left, right)])
    along_u, along_v = u - left, v - top
    weights = np.stack([a * b for a in (1 - along_v, along_v) for b in (1 - along_u, along_u)])
    same_surface = corners.max(axis=0) <= _SAME_SURFACE_RATIO * corners.min(axis=0)  # False when one is NaN
    nearest = truth.depth[np.rint(v).astype(np.intp), np.rint(u).astype(np.intp)]
    interpolated = 1 / np.sum(weights / corners, axis=0)
    return np.where(inside, np.where(same_surface, interpolated, nearest), np.nan).astype(np.float32)
