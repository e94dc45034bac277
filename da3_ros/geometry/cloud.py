# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Depth images to organised coloured clouds, without the pixels that cannot be trusted."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera

DepthArray = npt.NDArray[np.float32]
_RGB_BYTES: Final = (2, 1, 0) if sys.byteorder == "little" else (1, 2, 3)  # where r, g, b lie in 0x00RRGGBB


@dataclass(frozen=True, slots=True)
class DepthFilter:
    """Which pixels of a depth image are kept.

    Attributes:
        min_confidence: smallest confidence kept.
        edge_threshold: largest jump to any of the four neighbours kept, as a fraction of the nearer depth; 0 keeps
            all. It takes away the pixels between a thing and its background, which float in the air as points, and
            with them surfaces seen so flat that neighbouring pixels differ as much.
        min_depth: smallest depth kept.
        max_depth: largest depth kept; 0 keeps all.
    """

    min_confidence: float = 1.0
    edge_threshold: float = 0.0
    min_depth: float = 0.0
    max_depth: float = 0.0


def clean_depth(depth: DepthArray, confidence: DepthArray, kept: DepthFilter) -> DepthArray:
    """Depth without the pixels that the filter takes away.

    Args:
        depth: (H, W) z along the optical axis, any unit; NaN, infinity and values up to zero are unknown.
        confidence: (H, W), larger is surer.
        kept: what stays.

    Returns:
        (H, W) float32, a new array, NaN where unknown or taken away.

    Raises:
        ValueError: when the shapes differ.
    """
    if depth.ndim != 2 or depth.shape != confidence.shape:
        raise ValueError(f"depth {depth.shape} and confidence {confidence.shape} must be alike and (H, W)")
    farthest = kept.max_depth or np.finfo(np.float32).max
    good = (depth > 0) & (depth >= kept.min_depth) & (depth <= farthest)
    good &= confidence >= kept.min_confidence
    if kept.edge_threshold > 0:
        _clear_edges(good, depth, kept.edge_threshold)
    return np.where(good, depth, np.float32(np.nan))


def beyond_sky(depth: DepthArray, sky: npt.NDArray[np.bool_] | None) -> DepthArray:
    """Depth with +Inf in the sky, which REP-117 has for what is too far to be measured.

    Args:
        depth: (H, W) NaN where unknown.
        sky: (H, W); None when it is not known, and then nothing changes.
    """
    return depth if sky is None else np.where(sky, np.float32(np.inf), depth)


def organised_cloud(depth: DepthArray, image: npt.NDArray[np.uint8], camera: PinholeCamera) -> DepthArray:
    """Lift every pixel to a coloured point in the camera's optical frame.

    Args:
        depth: (H, W) z along the optical axis, NaN where unknown.
        image: (H, W, 3) uint8 RGB of the same pixels.
        camera: intrinsics of exactly this (H, W), without distortion.

    Returns:
        (H, W, 4) float32: x right, y down, z forward in the unit of depth, NaN where depth is NaN, and the colour
        packed into the bits of the fourth number as 0x00RRGGBB.

    Raises:
        ValueError: when the shapes do not belong together, or the camera has distortion.
    """
    height, width = camera.size
    if depth.shape != (height, width) or image.shape != (height, width, 3):
        raise ValueError(f"depth {depth.shape} and image {image.shape} are not those of a camera of {camera.size}")
    if camera.is_distorted:
        raise ValueError("a cloud needs the camera of the rectified image, this one has distortion")
    right = ((np.arange(width) - camera.cx_px) / camera.fx_px).astype(np.float32)
    down = ((np.arange(height) - camera.cy_px) / camera.fy_px).astype(np.float32)
    cloud = np.empty((height, width, 4), dtype=np.float32)
    np.multiply(depth, right, out=cloud[..., 0])
    np.multiply(depth, down[:, None], out=cloud[..., 1])
    cloud[..., 2] = depth
    cloud[..., 3] = 0
    colour = cloud.view(np.uint8).reshape(height, width, 4, 4)[..., 3, :]
    for channel, position in enumerate(_RGB_BYTES):
        colour[..., position] = image[..., channel]
    return cloud


def _clear_edges(good: npt.NDArray[np.bool_], depth: DepthArray, threshold: float) -> None:
    """Clear both pixels of every neighbouring pair whose depths differ by more than the fraction `threshold`."""
    reach = depth * np.float32(1 + threshold)
    for here, there in (((slice(None), slice(1, None)), (slice(None), slice(-1))), (slice(1, None), slice(-1))):
        flat = ~((depth[here] > reach[there]) | (depth[there] > reach[here]))
        good[here] &= flat
        good[there] &= flat
