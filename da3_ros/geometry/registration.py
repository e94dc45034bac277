# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The similarity transform between two descriptions of the same points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import FloatArray, nearest_rotation
from da3_ros.geometry.sim3 import Sim3

# Spread in the second direction below this share of the first: the points lie on a line.
RANK_TOLERANCE = 1e-7
ITERATIONS = 20
# Tukey's 95 % efficient tuning constant of the Huber weight (Huber and Ronchetti 2009, "Robust statistics").
HUBER_SIGMAS = 1.345


def umeyama(target: npt.ArrayLike, source: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Sim3:
    """Least-squares `target_from_source` between points (Umeyama 1991, eqs. 34-43, with weights).

    Args:
        target: (N, 3).
        source: (N, 3) the same points in another frame.
        weights: (N,) not negative; equal when None.

    Raises:
        DegenerateGeometryError: when the points coincide or lie on a line, so that the rotation is free.
    """
    target_points, source_points = np.asarray(target, dtype=np.float64), np.asarray(source, dtype=np.float64)
    weight = np.ones(len(source_points)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not weight.sum() > 0:
        raise DegenerateGeometryError("no point has a weight above zero")
    weight = weight / weight.sum()
    target_mean, source_mean = weight @ target_points, weight @ source_points
    target_offset, source_offset = target_points - target_mean, source_points - source_mean
    for offset in (target_offset, source_offset):
        spread = np.linalg.svd(offset * np.sqrt(weight)[:, None], compute_uv=False)
        if len(spread) < 2 or not spread[1] > RANK_TOLERANCE * spread[0]:
            raise DegenerateGeometryError("the points coincide or lie on a line: the rotation about it is free")
    covariance = np.einsum("n,ni,nj->ij", weight, target_offset, source_offset)
    rotation = nearest_rotation(covariance)
    scale = np.sum(rotation * covariance) / np.einsum("n,ni,ni->", weight, source_offset, source_offset)
    return Sim3(float(scale), rotation, target_mean - scale * (rotation @ source_mean))


def robust_umeyama(
    target: npt.ArrayLike, source: npt.ArrayLike, inlier_distance: float, weights: npt.ArrayLike | None = None
) -> Sim3:
    """As `umeyama`, with Huber weights found by iterated re-weighting.

    Args:
        target: (N, 3).
        source: (N, 3).
        inlier_distance: target units; points further off than this pull only in proportion to their direction.
        weights: (N,) not negative; equal when None.

    Raises:
        DegenerateGeometryError: as `umeyama`.
    """
    target_points = np.asarray(target, dtype=np.float64)
    given = np.ones(len(target_points)) if weights is None else np.asarray(weights, dtype=np.float64)
    transform = umeyama(target_points, source, given)
    for _ in range(ITERATIONS):
        distance = np.linalg.norm(target_points - transform.apply(source), axis=1)
        transform = umeyama(target_points, source, given * _huber(distance / inlier_distance))
    return transform


def _huber(sigmas: FloatArray) -> FloatArray:
    return np.minimum(1.0, HUBER_SIGMAS / np.maximum(sigmas, HUBER_SIGMAS))
