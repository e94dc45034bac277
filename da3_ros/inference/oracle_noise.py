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
_COARSE_RMS = 0.88  # of unit noise on that grid after the cubic enlargement
_EDGE_RATIO = 0.1  # depth that changes by a tenth between neighbours is an edge
_HALVING_ERROR = 0.02  # relative error that halves the confidence of a pixel far from edges
_LARGEST_DOUBT = 3.0  # in halving errors: confidence does not tell a wrong pixel from a bad one

DepthImages = npt.NDArray[np.float32]


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


def depth_noise(generator: np.random.Generator, shape: tuple[int, ...], smooth: float, pixel: float) -> DepthImages:
    """Errors of the logarithm of depth (V, H, W): waves over the image, and white noise; both standard deviations."""
    error = np.zeros(shape, dtype=np.float32)
    if smooth > 0:
        error += np.float32(smooth) * waves(generator, shape)
    if pixel > 0:
        error += np.float32(pixel) * generator.standard_normal(shape, dtype=np.float32)
    return error


def confidence_of(
    error: DepthImages, edge: DepthImages, generator: np.random.Generator, wander: float
) -> npt.NDArray[np.float32]:
    """A confidence that is lower where the error is larger and at edges, and wanders besides.

    Args:
        error: (V, H, W) of the logarithm of depth; NaN where depth is unknown.
        edge: (V, H, W) of `depth_edges`.
        generator: where the wandering comes from.
        wander: standard deviation of its logarithm; half of the variance is smooth, half white.

    Returns:
        (V, H, W) in 1..10, 1 where depth is unknown.
    """
    above_one = 9 / (1 + 3 * edge + np.minimum(np.abs(error) / np.float32(_HALVING_ERROR), _LARGEST_DOUBT))
    if wander > 0:
        white = generator.standard_normal(edge.shape, dtype=np.float32)
        above_one *= np.exp(np.float32(wander * np.sqrt(0.5)) * (waves(generator, edge.shape) + white))
    return np.asarray(np.where(np.isnan(error), 1, 1 + np.minimum(above_one, 9)), dtype=np.float32)


def depth_edges(depth: DepthImages) -> DepthImages:
    """(H, W) from 0, flat, to 1, where depth jumps within a pixel's eight neighbours or is unknown in one."""
    known = np.nan_to_num(depth, nan=0.0)
    window = np.ones((3, 3), dtype=np.uint8)
    nearest = np.asarray(cv2.erode(known, window))
    jump = np.asarray(cv2.dilate(known, window)) - nearest
    ratio = np.divide(jump, nearest, out=np.full_like(known, np.inf), where=nearest > 0)
    return np.asarray(np.clip(ratio / _EDGE_RATIO, 0, 1), dtype=np.float32)


def waves(generator: np.random.Generator, shape: tuple[int, ...]) -> DepthImages:
    """(V, H, W) waves over each image, of unit standard deviation over many images."""
    views, height, width = shape
    coarse = generator.standard_normal((views, *_COARSE_GRID), dtype=np.float32) / np.float32(_COARSE_RMS)
    size = (width, height)
    result = np.empty(shape, dtype=np.float32)
    for image, grid in zip(result, coarse, strict=True):
        cv2.resize(grid, size, dst=image, interpolation=cv2.INTER_CUBIC)
    return result
