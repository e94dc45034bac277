# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Ray maps to cameras as the published package `depth-anything-3` 0.1.1 does it, to compare with what it reports.

It differs from `rays` in three ways that can be seen: directions are compared on the plane z = 1 of the window, which
rays parallel to it never meet; H = R K^-1 is split into a rotation and a *lower* triangular matrix, which is wrong
unless the principal point is in the middle; nothing is ever refused.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import FloatArray

TRIALS, RAYS_PER_TRIAL = 100, 8
CANDIDATES = 0.3  # share of the rays, surest first, that trials are drawn from
INLIER_DISTANCE = 0.2  # on the plane z = 1
MOST_INLIERS, SUREST_INLIERS = 8000, 0.95  # when there are more, drawn from this share of them
SMALLEST_Z = 1e-4

Permutation = Callable[[int], npt.NDArray[np.integer]]


def solve_like_reference(
    rays: npt.NDArray[np.floating], confidence: npt.NDArray[np.floating], permutation: Permutation
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rotation (3, 3), inverse intrinsics (3, 3) in units of half the map (see `rays`) and centre (3,).

    Args:
        rays: (h, w, 6) direction, then origin.
        confidence: (h, w), not negative.
        permutation: N -> the numbers below N in random order. Called once per trial, then once more if there are more
            inliers than are used.

    Raises:
        DegenerateGeometryError: when no four rays agree; the published package fails there in other ways.
    """
    h, w = confidence.shape
    y, x = np.meshgrid((2 * np.arange(h) + 1) / h - 1, (2 * np.arange(w) + 1) / w - 1, indexing="ij")
    pixels = np.stack((x.ravel(), y.ravel()), axis=1)
    directions, origins = np.split(rays.reshape(-1, 6).astype(np.float64), 2, axis=1)
    meets = np.abs(directions[:, 2]) > SMALLEST_Z
    points = directions[:, :2] / np.where(meets, directions[:, 2], 1.0)[:, None]
    weight = np.where(meets, confidence.ravel(), 0.0)
    homography = _consensus(pixels, points, weight, permutation)
    if not np.isfinite(homography).all():
        raise DegenerateGeometryError("the rays that agree determine no camera")
    rotation, lower = _ql(homography if np.linalg.det(homography) >= 0 else -homography)
    a, b, (p, q) = lower[0, 0], lower[1, 1], lower[2, :2]
    inverse_matrix = np.array([[a, 0.0, -a * p], [0.0, b, -b * q], [0.0, 0.0, 1.0]])
    return rotation, inverse_matrix, (weight @ origins) / weight.sum()


def _consensus(pixels: FloatArray, points: FloatArray, weight: FloatArray, permutation: Permutation) -> FloatArray:
    """H (3, 3) of the rays that agree with the best trial."""
    surest_first = np.argsort(-weight, kind="stable")
    candidates = surest_first[: max(RAYS_PER_TRIAL, int(len(weight) * CANDIDATES))]
    trials = candidates[[permutation(len(candidates))[:RAYS_PER_TRIAL] for _ in range(TRIALS)]]
    homographies = _homography(pixels[trials], points[trials], weight[trials])
    seen = np.column_stack((pixels, np.ones(len(pixels)))) @ homographies.swapaxes(1, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        agrees = np.linalg.norm(seen[..., :2] / seen[..., 2:] - points, axis=2) < INLIER_DISTANCE
    best = agrees[np.argmax(agrees @ weight)]
    inliers = surest_first[best[surest_first]]
    if len(inliers) < 4:
        raise DegenerateGeometryError("no four rays agree")
    if len(inliers) > MOST_INLIERS:
        surest = max(int(len(inliers) * SUREST_INLIERS), MOST_INLIERS)
        inliers = inliers[permutation(surest)[:MOST_INLIERS]]
    return _homography(pixels[inliers], points[inliers], weight[inliers])


def _homography(pixels: FloatArray, points: FloatArray, weight: FloatArray) -> FloatArray:
    """H (..., 3, 3) with H33 = 1 from pixels to points (..., N, 2): weighted direct linear transform."""
    homogeneous = np.concatenate((pixels, np.ones_like(pixels[..., :1])), axis=-1)
    zero = np.zeros_like(homogeneous)
    u, v = points[..., :1], points[..., 1:]
    rows = np.concatenate(
        (
            np.concatenate((-homogeneous, zero, u * homogeneous), axis=-1),
            np.concatenate((zero, -homogeneous, v * homogeneous), axis=-1),
        ),
        axis=-2,
    )
    scale = np.sqrt(np.concatenate((weight, weight), axis=-1))[..., None]
    smallest = np.linalg.svd(scale * rows, full_matrices=False)[2][..., -1, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        return (smallest / smallest[..., -1:]).reshape(*smallest.shape[:-1], 3, 3)


def _ql(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rotation Q and lower triangular L, positive on the diagonal and one in its corner, of a (3, 3) matrix ~ Q L."""
    q, r = np.linalg.qr(matrix[:, ::-1])
    rotation, lower = q[:, ::-1], r[::-1, ::-1]
    sign = np.sign(np.diag(lower))
    lower = lower * sign[:, None]
    return rotation * sign, lower / lower[2, 2]
