# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How much two recorded views see of each other: of any cameras, and with depth that has holes.

(`simulation.view_overlap` is the same for all pairs of one camera's exact depth images at once.)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.prediction import ViewTruth
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid_inverse

DEPTH_TOLERANCE = 0.05
MIN_OVERLAP = 0.3
_SAMPLES_ALONG_SIDE = 48


def seen_share(first: ViewTruth, second: ViewTruth, tolerance: float = DEPTH_TOLERANCE) -> float:
    """Share of the first view's known points that the second sees: in its image, and as deep as its depth says.

    Points are taken on a grid of about 48 along the longer side. Those on pixels of unknown depth count as seen as
    often as the others in the image: depth of a laser knows few pixels, which says nothing of what the camera sees.

    Args:
        first: depth, camera and pose.
        second: the same of the other view; both poses in one world.
        tolerance: largest difference of depth, as a share of the depth found there.

    Returns:
        0 to 1; NaN when it is not known: the first view knows no depth, or the second none where the points fall.
    """
    step = max(max(first.depth.shape) // _SAMPLES_ALONG_SIDE, 1)
    depth = first.depth[step // 2 :: step, step // 2 :: step]
    rays = first.camera.rays()[step // 2 :: step, step // 2 :: step]
    known = np.isfinite(depth) & (depth > 0)
    points = rays[known] * depth[known][:, None]
    second_from_first = rigid_inverse(second.world_from_camera) @ first.world_from_camera
    moved = points @ second_from_first[:3, :3].T + second_from_first[:3, 3]
    expected, found = _depths_inside(moved, second)
    compared = np.isfinite(found) & (found > 0)
    if not len(points) or (len(found) and not compared.any()):
        return float("nan")
    agree = np.abs(expected - found)[compared] <= tolerance * found[compared]
    # One division, of whole numbers: without holes it is exactly the share of all points.
    return int(agree.sum()) * len(found) / max(len(points) * int(compared.sum()), 1)


def mutual_overlap(first: ViewTruth, second: ViewTruth) -> float:
    """The smaller of the two overlaps: a part of a view seen large does not count as all of it.

    Where one is not known it is the other, and NaN where neither is.
    """
    return float(np.fmin(seen_share(first, second), seen_share(second, first)))


def _depths_inside(points: FloatArray, view: ViewTruth) -> tuple[FloatArray, npt.NDArray[np.float32]]:
    """Of the (N, 3) points in the view's optical frame that its image holds: their depth, and its own depth there."""
    height, width = view.depth.shape
    pixels = view.camera.project(points)
    with np.errstate(invalid="ignore"):
        inside = ((pixels >= -0.5) & (pixels < (width - 0.5, height - 0.5))).all(axis=1)
    cols, rows = np.rint(pixels[inside]).astype(np.intp).T
    return points[inside, 2], view.depth[np.clip(rows, 0, height - 1), np.clip(cols, 0, width - 1)]
