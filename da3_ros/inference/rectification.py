# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Taking the lens distortion out of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera, distort

_RADIUS_STEPS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Rectification:
    """Where each pixel of a camera's rectified image comes from, ready for `cv2.remap`.

    Attributes:
        whole_px: (H, W, 2) int16 whole part of the source's u, v.
        fraction: (H, W) uint16 fractional part, as OpenCV packs it.
        valid: (h, w) bool, at the size that the image is resized to afterwards; False where any part of the pixel
            has its source outside the image, or where the distortion polynomial has turned back, so that the source
            shows another direction.
    """

    whole_px: npt.NDArray[np.int16]
    fraction: npt.NDArray[np.uint16]
    valid: npt.NDArray[np.bool_]

    def apply(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The rectified image, bilinear, black where the source lies outside."""
        return np.asarray(cv2.remap(image, self.whole_px, self.fraction, cv2.INTER_LINEAR), dtype=np.uint8)


def rectification_of(camera: PinholeCamera, resize_steps: Sequence[tuple[int, int]]) -> Rectification:
    """Prepare the way from a distorted camera's image to the image of `camera.undistorted()`.

    Args:
        camera: the distorted camera.
        resize_steps: the (h, w) sizes that the rectified image will be resized to, one after the other.
    """
    source = camera.undistortion_map()
    height, width = camera.size
    with np.errstate(invalid="ignore"):
        inside = ((source >= -0.5) & (source <= (width - 0.5, height - 0.5))).all(axis=-1)
    x, y = (np.arange(width) - camera.cx_px) / camera.fx_px, (np.arange(height) - camera.cy_px) / camera.fy_px
    radius = np.hypot(x, y[:, None])
    valid = inside & (radius < _turning_radius(camera, float(radius.max())))
    # A valid pixel never blends with the outside; one that is not is sent well outside, where remap paints black.
    source = np.clip(source, 0, (width - 1, height - 1))
    source = np.where(valid[..., None], source, -16.0).astype(np.float32)
    whole_px, fraction = cv2.convertMaps(source[..., 0], source[..., 1], cv2.CV_16SC2)
    return Rectification(
        np.asarray(whole_px, np.int16), np.asarray(fraction, np.uint16), _fully_valid(valid, resize_steps)
    )


def _fully_valid(valid: npt.NDArray[np.bool_], resize_steps: Sequence[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """(h, w) bool: the pixels after resizing that take their colour from valid pixels alone."""
    for height, width in resize_steps:
        mask = np.where(valid, np.uint8(255), np.uint8(0))
        if height > valid.shape[0] or width > valid.shape[1]:
            mask = np.asarray(cv2.erode(mask, np.ones((5, 5), np.uint8)))  # the cubic filter reaches two pixels far
        valid = np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA) == 255)
    return valid


def _turning_radius(camera: PinholeCamera, largest: float) -> float:
    """Undistorted radius (x/z units) where the radial polynomial stops growing; infinity if not up to `largest`.

    Calibrations with strong barrel terms fold back beyond the calibrated field: two directions share a pixel.
    """
    coefficients = list(camera.distortion)
    if camera.distortion_model != "equidistant":
        coefficients[2:4] = [0.0] * len(coefficients[2:4])  # p1 and p2: the tangential part
    radius = np.linspace(0.0, largest, _RADIUS_STEPS)
    on_axis = np.stack((radius, np.zeros_like(radius)), axis=-1)
    bent = distort(on_axis, camera.distortion_model, tuple(coefficients))[:, 0]
    with np.errstate(invalid="ignore"):
        grows = np.diff(bent) > 0
    return float(radius[np.argmin(grows)]) if not grows.all() else np.inf
