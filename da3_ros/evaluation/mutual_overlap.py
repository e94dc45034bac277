# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How much two recorded views see of each other: of any cameras, and with depth that has holes.

(`simulation.view_overlap` is the same for all pairs of one camera's exact depth images at once.)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.prediction import ViewTruth
from da3_ros.geometry.sim3 import rigid_inverse

DEPTH_TOLERANCE = 0.05
MIN_OVERLAP = 0.3
_SAMPLES_ALONG_SIDE = 48


def seen_share(first: ViewTruth, second: ViewTruth, tolerance: float = DEPTH_TOLERANCE) -> float:
    """Share of the first view's known points that the second sees: in its image, and as deep as its depth says.

    Points are taken on a grid of about 48 along the longer side. A point on a pixel of unknown depth is not seen.

    Args:
        first: depth, camera and pose.
        second: the same of the other view; both poses in one world.
        tolerance: largest difference of depth, as a share of the depth found there.

    Returns:
        0 to 1; 0 when the first view knows no depth.
    """
    step = max(max(first.depth.shape) // _SAMPLES_ALONG_SIDE, 1)
    depth = first.depth[step // 2 :: step, step // 2 :: step]
    rays = first.camera.rays()[step // 2 :: step, step // 2 :: step]
    known = np.isfinite(depth) & (depth > 0)
    if not known.any():
        return 0.0
    points = rays[known] * depth[known][:, None]
    second_from_first = rigid_inverse(second.world_from_camera) @ first.world_from_camera
    moved = points @ second_from_first[:3, :3].T + second_from_first[:3, 3]
    return float(np.mean(_is_seen(moved, second, tolerance)))


def mutual_overlap(first: ViewTruth, second: ViewTruth) -> float:
    """The smaller of the two overlaps: a part of a view seen large does not count as all of it."""
    return min(seen_share(first, second), seen_share(second, first))


def _is_seen(points: npt.NDArray[np.floating], view: ViewTruth, tolerance: float) -> npt.NDArray[np.bool_]:
    """Which (N, 3) points of the view's optical frame it sees."""
    height, width = view.depth.shape
    pixels = view.camera.project(points)
    with np.errstate(invalid="ignore"):
        inside = ((pixels >= -0.5) & (pixels < (width - 0.5, height - 0.5))).all(axis=1)
    seen = np.zeros(len(points), dtype=np.bool_)
    cols, rows = np.rint(pixels[inside]).astype(np.intp).T
    found = view.depth[np.clip(rows, 0, height - 1), np.clip(cols, 0, width - 1)]
    seen[inside] = np.abs(points[inside, 2] - found) <= tolerance * found  # False where NaN
    return seen
