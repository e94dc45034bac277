# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The similarity transform between two descriptions of the same points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import nearest_rotation
from da3_ros.geometry.sim3 import Sim3

# Spread in the second direction below this share of the first: the points lie on a line.
RANK_TOLERANCE = 1e-7


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
