# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How an oracle's answers are made imperfect, repeatably."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from da3_ros.geometry.prediction import ViewKey
from da3_ros.geometry.rotation import FloatArray, matrix_from_quat_xyzw, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import Sim3, rigid

_GAUGE_SCALES = (0.3, 3.0)
_GAUGE_SHIFT = 5.0  # standard deviation of each coordinate, window units
_COARSE_GRID = (5, 7)  # waves of about a fifth of the image
_EDGE_RATIO = 0.1  # depth that changes by a tenth between neighbours is an edge
_HALVING_SIGMA = 0.02  # relative sigma that halves the confidence of a pixel far from edges

DepthImage = npt.NDArray[np.float32]


def window_generator(keys: Sequence[ViewKey], seed: int, purpose: str) -> np.random.Generator:
    """Random numbers that depend on exactly these views in this order, the seed and the purpose."""
    content = repr((purpose, seed, [(key.camera, key.stamp_ns) for key in keys]))
    digest = hashlib.blake2b(content.encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def random_gauge(generator: np.random.Generator) -> Sim3:
    """A window_from_world of any rotation, scale log-uniform in 0.3..3, and a shift of some units."""
    low, high = np.log(_GAUGE_SCALES)
    return Sim3(
        float(np.exp(generator.uniform(low, high))),
        matrix_from_quat_xyzw(generator.standard_normal(4)),  # a normal 4-vector has no preferred direction
        generator.normal(0.0, _GAUGE_SHIFT, 3),
    )


def random_motions(generator: np.random.Generator, views: int, position_m: float, rotation_rad: float) -> FloatArray:
    """(V, 4, 4) small camera_from_camera motions; both are standard deviations per axis."""
    turns = matrix_from_rotation_vector(generator.normal(0.0, rotation_rad, (views, 3)))
    return rigid(turns, generator.normal(0.0, position_m, (views, 3)))


def noisy_depth(
    depth: DepthImage, relative_sigma: float, generator: np.random.Generator
) -> tuple[DepthImage, DepthImage]:
    """Depth with noise, half of it smooth and half white, and a confidence that knows where it is worse.

    The noise is stronger by up to two in some large parts of the image and by up to four at depth edges.

    Args:
        depth: (H, W) z; NaN where unknown.
        relative_sigma: typical standard deviation of the logarithm of depth.
        generator: where the noise comes from.

    Returns:
        (H, W) depth, NaN where unknown, and (H, W) confidence in 1..10, being 1 where unknown.
    """
    edge = depth_edges(depth)
    sigma = np.zeros_like(depth)
    if relative_sigma > 0:
        strength = np.exp2(np.clip(_smooth_noise(generator, depth.shape), -1, 1))
        sigma = np.float32(relative_sigma) * strength * (1 + 3 * edge)
        white = generator.standard_normal(depth.shape, dtype=np.float32)
        noise = (_smooth_noise(generator, depth.shape) + white) * np.float32(np.sqrt(0.5))
        depth = depth * np.exp(sigma * noise)
    confidence = 1 + 9 / (1 + 3 * edge + sigma / np.float32(_HALVING_SIGMA))
    return depth, np.where(np.isnan(depth), np.float32(1), confidence).astype(np.float32)


def depth_edges(depth: DepthImage) -> DepthImage:
    """(H, W) from 0, flat, to 1, where depth jumps within a pixel's eight neighbours or is unknown in one."""
    known = np.nan_to_num(depth, nan=0.0)
    window = np.ones((3, 3), dtype=np.uint8)
    nearest = np.asarray(cv2.erode(known, window))
    jump = np.asarray(cv2.dilate(known, window)) - nearest
    ratio = np.divide(jump, nearest, out=np.full_like(known, np.inf), where=nearest > 0)
    return np.clip(ratio / _EDGE_RATIO, 0, 1).astype(np.float32)


def _smooth_noise(generator: np.random.Generator, size: tuple[int, ...]) -> DepthImage:
    """(H, W) waves of about unit variance."""
    coarse = generator.standard_normal(_COARSE_GRID, dtype=np.float32)
    return np.asarray(cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
