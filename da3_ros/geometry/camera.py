# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Pinhole cameras with lens distortion.

Pixels: u to the right, v down, and integer coordinates are pixel *centres* (ROS, OpenCV): the image spans
[-0.5, W - 0.5]. Optical frame: x right, y down, z forward (REP-103).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.rotation import FloatArray

DISTORTION_MODELS = ("none", "plumb_bob", "rational_polynomial", "equidistant")


@dataclass(frozen=True, slots=True)
class PinholeCamera:
    """Intrinsics of exactly one image size.

    Attributes:
        size: (H, W) pixels.
        fx_px: focal length along u.
        fy_px: focal length along v.
        cx_px: principal point u; integers are pixel centres.
        cy_px: principal point v.
        distortion_model: one of DISTORTION_MODELS, ROS names.
        distortion: its coefficients in ROS and OpenCV order: plumb_bob k1 k2 p1 p2 [k3], rational_polynomial
            k1 k2 p1 p2 k3 k4 k5 k6, equidistant k1 k2 k3 k4. Empty when the model is "none".
    """

    size: tuple[int, int]
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    distortion_model: str = "none"
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        numbers = (self.fx_px, self.fy_px, self.cx_px, self.cy_px, *self.distortion)
        if not np.isfinite(numbers).all():
            raise ValueError(f"camera intrinsics hold a NaN or infinity: {numbers}")
        if min(self.fx_px, self.fy_px) <= 0 or min(self.size) <= 0:
            raise ValueError(f"camera needs focal lengths and a size above zero, not {self}")
        if self.distortion_model not in DISTORTION_MODELS:
            raise ValueError(f"distortion model '{self.distortion_model}' is not one of {', '.join(DISTORTION_MODELS)}")

    @staticmethod
    def from_field_of_view(size: tuple[int, int], horizontal_rad: float) -> PinholeCamera:
        """A distortion-free camera with square pixels and the principal point in the middle."""
        height, width = size
        focal = width / 2 / np.tan(horizontal_rad / 2)
        return PinholeCamera(size, focal, focal, (width - 1) / 2, (height - 1) / 2)

    @property
    def matrix(self) -> FloatArray:
        """(3, 3) float64 K, with pixel centres at integers."""
        return np.array([[self.fx_px, 0, self.cx_px], [0, self.fy_px, self.cy_px], [0, 0, 1]], dtype=np.float64)

    @property
    def is_distorted(self) -> bool:
        """Whether straight lines bend in this image. A fish-eye bends them even with all coefficients zero."""
        return self.distortion_model == "equidistant" or any(self.distortion)

    def undistorted(self) -> PinholeCamera:
        """The same K without distortion: the camera of the rectified image."""
        return replace(self, distortion_model="none", distortion=())

    def resized(self, size: tuple[int, int]) -> PinholeCamera:
        """The camera of the image resampled to `size`, keeping its borders: cx' = (cx + 0.5) * sx - 0.5."""
        sy, sx = size[0] / self.size[0], size[1] / self.size[1]
        return replace(
            self,
            size=size,
            fx_px=self.fx_px * sx,
            fy_px=self.fy_px * sy,
            cx_px=(self.cx_px + 0.5) * sx - 0.5,
            cy_px=(self.cy_px + 0.5) * sy - 0.5,
        )

    def cropped(self, top: int, left: int, size: tuple[int, int]) -> PinholeCamera:
        """The camera of the part of the image that begins at row `top`, column `left`."""
        if top < 0 or left < 0 or top + size[0] > self.size[0] or left + size[1] > self.size[1]:
            raise ValueError(f"crop of {size} at ({top}, {left}) leaves the image of {self.size}")
        return replace(self, size=size, cx_px=self.cx_px - left, cy_px=self.cy_px - top)

    def rays(self) -> FloatArray:
        """(H, W, 3) float64 directions with z = 1 through every pixel centre; distortion is ignored."""
        height, width = self.size
        directions = np.ones((height, width, 3))
        directions[..., 0] = (np.arange(width) - self.cx_px) / self.fx_px
        directions[..., 1] = ((np.arange(height) - self.cy_px) / self.fy_px)[:, None]
        return directions

    def project(self, points: npt.ArrayLike) -> FloatArray:
        """Pixels of points in the optical frame, lens distortion included.

        Args:
            points: (..., 3) x right, y down, z forward.

        Returns:
            (..., 2) float64 u, v; NaN where z <= 0.
        """
        xyz = np.asarray(points, dtype=np.float64)
        z = np.where(xyz[..., 2:] > 0, xyz[..., 2:], np.nan)
        normalised = distort(xyz[..., :2] / z, self.distortion_model, self.distortion)
        return normalised * (self.fx_px, self.fy_px) + (self.cx_px, self.cy_px)

    def undistortion_map(self) -> FloatArray:
        """Where each pixel of the rectified image lies in the distorted one.

        Returns:
            (H, W, 2) float64 u, v in this (distorted) image, the map that `cv2.remap` takes.
        """
        normalised = distort(self.rays()[..., :2], self.distortion_model, self.distortion)
        return normalised * (self.fx_px, self.fy_px) + (self.cx_px, self.cy_px)


def distort(normalised: npt.ArrayLike, model: str, coefficients: tuple[float, ...]) -> FloatArray:
    """Bend normalised image coordinates as the lens does.

    Brown-Conrady with OpenCV's rational extension for plumb_bob and rational_polynomial; Kannala and Brandt 2006,
    eq. 6, for equidistant.

    Args:
        normalised: (..., 2) x/z and y/z.
        model: one of DISTORTION_MODELS.
        coefficients: in the order that PinholeCamera documents; missing ones are zero.

    Returns:
        (..., 2) float64 distorted normalised coordinates.
    """
    point = np.asarray(normalised, dtype=np.float64)
    if model == "none" or (model != "equidistant" and not any(coefficients)):
        return point
    r2 = np.sum(point**2, axis=-1, keepdims=True)
    if model == "equidistant":
        return point * _equidistant_factor(np.sqrt(r2), (*coefficients, 0.0, 0.0, 0.0, 0.0)[:4])
    k1, k2, p1, p2, k3, k4, k5, k6 = (*coefficients, *(0.0,) * 8)[:8]
    radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    x, y = point[..., :1], point[..., 1:]
    tangential = np.concatenate(
        (2 * p1 * x * y + p2 * (r2 + 2 * x * x), p1 * (r2 + 2 * y * y) + 2 * p2 * x * y), axis=-1
    )
    return point * radial + tangential


def _equidistant_factor(radius: FloatArray, coefficients: tuple[float, ...]) -> FloatArray:
    theta = np.arctan(radius)
    k1, k2, k3, k4 = coefficients
    t2 = theta * theta
    bent = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
    return np.where(radius > 1e-12, bent / np.maximum(radius, 1e-12), 1.0)
