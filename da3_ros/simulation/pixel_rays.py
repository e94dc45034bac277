# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The ray through each pixel of a camera, lens distortion included."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from da3_ros.geometry.camera import PinholeCamera, distort
from da3_ros.geometry.rotation import FloatArray

NEWTON_STEPS = 20
INVERSE_TOLERANCE = 1e-10  # normalised image units: below 1e-6 px at any focal length in use


@dataclass(frozen=True, slots=True, eq=False)
class RayGrid:
    """Rays (x, y, 1) in the optical frame.

    Attributes:
        x: (H, W), or (1, W) when all rows are alike, float64.
        y: (H, W), or (H, 1) when all columns are alike, float64.
        blind: (H, W) bool, pixels that no ray in front of the camera reaches, where x and y are 0; None without such.
    """

    x: Tensor
    y: Tensor
    blind: Tensor | None


@lru_cache(maxsize=32)
def ray_grid(camera: PinholeCamera, shift_px: tuple[float, float] = (0.0, 0.0)) -> RayGrid:
    """Rays through the points (u + shift, v + shift) of every pixel. Kept for the cameras used last."""
    height, width = camera.size
    x = (np.arange(width) + shift_px[0] - camera.cx_px) / camera.fx_px
    y = (np.arange(height) + shift_px[1] - camera.cy_px) / camera.fy_px
    if not camera.is_distorted:
        return RayGrid(torch.from_numpy(x[None]), torch.from_numpy(y[:, None]), None)
    bent = np.stack(np.broadcast_arrays(x[None], y[:, None]), axis=-1)
    straight = undistort(bent, camera.distortion_model, camera.distortion)
    blind = np.isnan(straight[..., 0])
    straight[blind] = 0.0
    planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(straight, -1, 0)))
    return RayGrid(planes[0], planes[1], torch.from_numpy(blind) if blind.any() else None)


def pixel_rays(camera: PinholeCamera) -> FloatArray:
    """(H, W, 3) float64 directions with z = 1 in which the pixels of a distorted camera see; NaN where they do not."""
    grid = ray_grid(camera)
    x, y = (np.broadcast_to(plane.numpy(), camera.size) for plane in (grid.x, grid.y))
    rays = np.stack((x, y, np.ones(camera.size)), axis=-1)
    if grid.blind is not None:
        rays[grid.blind.numpy()] = np.nan
    return rays


def undistort(bent: FloatArray, model: str, coefficients: tuple[float, ...]) -> FloatArray:
    """Invert `geometry.camera.distort` by Newton's method.

    Args:
        bent: (..., 2) distorted normalised coordinates.
        model: as `PinholeCamera.distortion_model`.
        coefficients: as `PinholeCamera.distortion`.

    Returns:
        (..., 2) float64 normalised coordinates which `distort` maps to within 1e-10 of `bent`; NaN where no direction
        in front of the camera on the unfolded side of the lens model does.
    """
    if model == "equidistant":
        point = bent * _fisheye_guess(np.linalg.norm(bent, axis=-1, keepdims=True))
    else:
        point = bent.copy()
    with np.errstate(all="ignore"):
        for _ in range(NEWTON_STEPS):
            residual = distort(point, model, coefficients) - bent
            point = point - np.einsum("...ij,...j->...i", _inverse_jacobian(point, model, coefficients)[0], residual)
        residual = distort(point, model, coefficients) - bent
        determinant = _inverse_jacobian(point, model, coefficients)[1]
        found = (np.abs(residual).max(axis=-1) < INVERSE_TOLERANCE) & (determinant > 0)
    return np.where(found[..., None], point, np.nan)


def _fisheye_guess(angle: FloatArray) -> FloatArray:
    """The exact inverse of the equidistant model with zero coefficients, kept in front of the camera."""
    clipped = np.clip(angle, 1e-9, 1.5)
    return np.tan(clipped) / clipped


def _inverse_jacobian(point: FloatArray, model: str, coefficients: tuple[float, ...]) -> tuple[FloatArray, FloatArray]:
    """Inverse (..., 2, 2) and determinant (...) of the Jacobian of `distort`, by central differences."""
    step = 1e-6 * (1 + np.abs(point).max(axis=-1, keepdims=True))
    columns = []
    for direction in np.eye(2):
        ahead = distort(point + step * direction, model, coefficients)
        columns.append((ahead - distort(point - step * direction, model, coefficients)) / (2 * step))
    (a, c), (b, d) = (np.moveaxis(column, -1, 0) for column in columns)
    determinant = a * d - b * c
    adjugate = np.stack((np.stack((d, -b), axis=-1), np.stack((-c, a), axis=-1)), axis=-2)
    return adjugate / determinant[..., None, None], determinant
