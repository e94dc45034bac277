# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How far a reconstructed surface is from the true one, on point clouds (Knapitsch et al. 2017, section 3.4).

Benchmarks of multi-view reconstruction often fuse depth into a truncated signed distance field, and compare samples of
its mesh. That takes a library far heavier than everything else here, so clouds are compared as they are: points of all
views, thinned to one per voxel. Averaging of views, which a fusion does, is missing; the figures are comparable with
each other, not with those of a fusion.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from da3_ros.evaluation.depth_metrics import median_scale
from da3_ros.evaluation.trajectory_metrics import orientation_alignment
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.registration import umeyama
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import Sim3

VOXEL_SHARE = 0.156  # edge of a voxel by the threshold, as in the DA3 benchmark: 0.0078 by 0.05 m, 0.039 by 0.25 m
_MIN_SPREAD = 0.05  # second direction of the camera centres by the first; below it their Sim(3) is badly determined
_MAX_TRIPLES = 100
_MAX_ASKED = 20_000  # clouds that lie far from each other take long, and means need no more
_SEED = 42
_INLIER_SIGMAS = 2.5
_INLIER_SHARE = 0.05  # of the extent of the path: nearer than this a centre agrees, however well a triple fits
_SIGMA_FROM_MEDIAN = 1.4826


@dataclass(frozen=True, slots=True)
class ReconstructionErrors:
    """Distances in the unit of the truth, shares from 0 to 1.

    Attributes:
        accuracy: mean distance of predicted points to the nearest true one.
        completeness: mean distance of true points to the nearest predicted one.
        precision: share of predicted points nearer than the threshold to a true one.
        recall: share of true points nearer than the threshold to a predicted one.
        f_score: harmonic mean of precision and recall; 0 when both are.
    """

    accuracy: float
    completeness: float
    precision: float
    recall: float
    f_score: float

    @property
    def overall(self) -> float:
        """Mean of accuracy and completeness: the Chamfer distance of benchmarks."""
        return (self.accuracy + self.completeness) / 2


def reconstruction_errors(predicted: npt.ArrayLike, true: npt.ArrayLike, threshold: float) -> ReconstructionErrors:
    """Compare two clouds in one frame.

    Args:
        predicted: (N, 3).
        true: (M, 3).
        threshold: of precision and recall.

    From a large cloud 20 000 points, spread evenly over its order, ask for their nearest of all points of the other.

    Raises:
        DegenerateGeometryError: when one of the clouds is empty.
    """
    from scipy.spatial import cKDTree

    ours, truth = np.asarray(predicted, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if not len(ours) or not len(truth):
        raise DegenerateGeometryError("a cloud without points cannot be compared")
    to_truth = cKDTree(truth).query(_asked(ours))[0]
    to_ours = cKDTree(ours).query(_asked(truth))[0]
    precision, recall = float(np.mean(to_truth < threshold)), float(np.mean(to_ours < threshold))
    f_score = 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0
    return ReconstructionErrors(float(to_truth.mean()), float(to_ours.mean()), precision, recall, f_score)


def _asked(points: FloatArray) -> FloatArray:
    if len(points) <= _MAX_ASKED:
        return points
    return points[np.linspace(0, len(points) - 1, _MAX_ASKED).astype(np.intp)]


def thinned(points: npt.ArrayLike, voxel: float) -> FloatArray:
    """One point per voxel, the mean of those in it.

    Args:
        points: (N, 3).
        voxel: edge, above zero.

    Returns:
        (M, 3) float64, M at most N.
    """
    cloud = np.asarray(points, dtype=np.float64)
    cells = np.floor((cloud - cloud.min(axis=0, initial=np.inf)) / voxel).astype(np.int64)
    _, member, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(member.ravel(), weights=cloud[:, axis], minlength=len(counts)) for axis in range(3)])
    return (sums / np.maximum(counts, 1)).T


def lifted_points(
    depth: npt.ArrayLike, cameras: Sequence[PinholeCamera], world_from_camera: npt.ArrayLike
) -> list[FloatArray]:
    """Points of the world that V views see, view by view.

    Args:
        depth: (V, H, W) z along the optical axis, NaN where unknown.
        cameras: V, without distortion.
        world_from_camera: (V, 4, 4) rigid, in the unit of depth.

    Returns:
        V times (N, 3).
    """
    points = []
    views = zip(np.asarray(depth, dtype=np.float64), cameras, np.asarray(world_from_camera), strict=True)
    for image, camera, pose in views:
        known = np.isfinite(image) & (image > 0)
        seen = camera.rays()[known] * image[known][:, None]
        points.append(seen @ pose[:3, :3].T + pose[:3, 3])
    return points


def camera_alignment(
    estimated: npt.ArrayLike, true: npt.ArrayLike, depth: npt.ArrayLike, true_depth: npt.ArrayLike
) -> Sim3:
    """A true_from_estimated from cameras, whatever their motion.

    From the centres where they determine it: Umeyama's fit to the triple with the least median distance, refined on
    all centres that agree with it. Where they stand, are two, or lie on a line: mean orientation, and the median ratio
    of depths for the scale.

    Args:
        estimated: (V, 4, 4) rigid.
        true: (V, 4, 4) rigid.
        depth: (V, H, W) in the unit of `estimated`.
        true_depth: (V, H, W).

    Raises:
        DegenerateGeometryError: when neither the centres nor depth determine the scale, or the orientations cancel.
    """
    ours, truth = np.asarray(estimated, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if _has_spread(truth[:, :3, 3]):
        with suppress(DegenerateGeometryError):  # the estimate's own centres may be anywhere
            return _robust_umeyama(truth[:, :3, 3], ours[:, :3, 3])
    return orientation_alignment(ours, truth, median_scale(depth, true_depth))


def _has_spread(centres: FloatArray) -> bool:
    if len(centres) < 3:
        return False
    spread = np.linalg.svd(centres - centres.mean(axis=0), compute_uv=False)
    return bool(spread[1] > _MIN_SPREAD * spread[0])


def _robust_umeyama(target: FloatArray, source: FloatArray) -> Sim3:
    best, least = umeyama(target, source), np.inf
    for triple in _triples(len(target)):
        try:
            fit = umeyama(target[triple], source[triple])
        except DegenerateGeometryError:
            continue
        median = float(np.median(np.linalg.norm(fit.apply(source) - target, axis=1)))
        if median < least:
            best, least = fit, median
    distances = np.linalg.norm(best.apply(source) - target, axis=1)
    extent = float(np.ptp(target, axis=0).max())
    agree = distances <= max(_INLIER_SIGMAS * _SIGMA_FROM_MEDIAN * least, _INLIER_SHARE * extent)
    return umeyama(target[agree], source[agree]) if _has_spread(source[agree]) else umeyama(target, source)


def _triples(count: int) -> list[list[int]]:
    """All triples of three to nine, else a hundred drawn ones."""
    if count == 3:
        return []  # nothing to choose from
    if count < 10:
        return [list(triple) for triple in combinations(range(count), 3)]
    generator = np.random.default_rng(_SEED)
    return [generator.choice(count, 3, replace=False).tolist() for _ in range(_MAX_TRIPLES)]
