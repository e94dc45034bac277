# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How far the motions between views are from the true ones, as benchmarks of relative pose count it.

Every pair of views counts once. Its rotation error is the angle between estimated and true turn; its translation error
the angle between the directions of the two baselines, in the frame of the pair's first camera and without their sign:
min(x, 180 - x). Only motions are compared, so neither the estimate's gauge nor its scale matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.rotation import FloatArray, rotation_angle
from da3_ros.geometry.sim3 import rigid_inverse

AUC_THRESHOLDS_DEG = (3, 5, 15, 30)
MIN_BASELINE_M = 0.01
_ESTIMATED_ZERO = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class RelativePoseErrors:
    """Errors of P pairs, degrees.

    Attributes:
        rotation_deg: (P,) in [0, 180].
        translation_deg: (P,) in [0, 90]; NaN where the true cameras stand at one place, so that no direction is true.
            90 where the estimate says so and the truth does not.
    """

    rotation_deg: FloatArray
    translation_deg: FloatArray

    @property
    def worst_deg(self) -> FloatArray:
        """(P,) the larger of the two errors; of rotation alone where there is no direction."""
        return np.fmax(self.rotation_deg, self.translation_deg)

    @property
    def undirected(self) -> int:
        """How many pairs have no true direction."""
        return int(np.isnan(self.translation_deg).sum())


def pair_motions(world_from_camera: npt.ArrayLike) -> FloatArray:
    """`first_from_second` of all pairs first < second, in the order of `numpy.triu_indices`.

    Args:
        world_from_camera: (V, 4, 4) rigid.

    Returns:
        (V (V - 1) / 2, 4, 4) rigid.
    """
    poses = np.asarray(world_from_camera, dtype=np.float64)
    first, second = np.triu_indices(len(poses), 1)
    return rigid_inverse(poses[first]) @ poses[second]


def benchmark_motions(world_from_camera: npt.ArrayLike) -> FloatArray:
    """What the code of the DA3 benchmark takes for the motions of all pairs, in the order of `pair_motions`.

    It has poses that lead from the first camera to each, and pairs them as if they led the other way. The turn of a
    pair has another axis then, and its direction depends on where the first camera stands: comparable with the
    benchmark's figures and with nothing else.

    Args:
        world_from_camera: (V, 4, 4) rigid, at least one.

    Returns:
        (V (V - 1) / 2, 4, 4) rigid.
    """
    poses = np.asarray(world_from_camera, dtype=np.float64)
    return pair_motions(rigid_inverse(poses) @ poses[0])


def relative_pose_errors(
    estimated: npt.ArrayLike, true: npt.ArrayLike, min_baseline: float = MIN_BASELINE_M
) -> RelativePoseErrors:
    """Compare motions pair by pair.

    Args:
        estimated: (P, 4, 4) rigid `first_from_second`, any unit.
        true: (P, 4, 4) the same pairs.
        min_baseline: a true baseline this short, in the unit of the truth, has no direction.

    Raises:
        ValueError: when the shapes differ.
    """
    ours, truth = np.asarray(estimated, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if ours.shape != truth.shape or truth.shape[1:] != (4, 4):
        raise ValueError(f"motions must be (P, 4, 4) both, not {ours.shape} and {truth.shape}")
    rotation = rotation_angle(np.swapaxes(ours[:, :3, :3], 1, 2) @ truth[:, :3, :3])
    translation = _line_angle(ours[:, :3, 3], truth[:, :3, 3])
    translation[np.linalg.norm(truth[:, :3, 3], axis=1) <= min_baseline] = np.nan
    return RelativePoseErrors(np.rad2deg(rotation), np.rad2deg(translation))


def pose_auc(worst_deg: npt.ArrayLike, threshold_deg: int) -> float:
    """Area below the curve of accuracy over error, up to a threshold: mean of the cumulative 1-degree histogram.

    Args:
        worst_deg: (P,) errors of the pairs.
        threshold_deg: whole degrees, at least 1.

    Returns:
        0 to 1; NaN without a pair. Errors below one degree are perfect.
    """
    errors = np.asarray(worst_deg, dtype=np.float64)
    if not errors.size:
        return float("nan")
    counts, _ = np.histogram(errors, bins=np.arange(threshold_deg + 1))
    return float(np.mean(np.cumsum(counts)) / errors.size)


def _line_angle(ours: FloatArray, truth: FloatArray) -> FloatArray:
    """Angle between lines, radians in [0, pi / 2]; accurate near zero, and pi / 2 where ours has no length."""
    sine = np.linalg.norm(np.cross(ours, truth), axis=1)
    cosine = np.abs(np.sum(ours * truth, axis=1))
    angle = np.arctan2(sine, cosine)
    return np.where(np.linalg.norm(ours, axis=1) <= _ESTIMATED_ZERO, np.pi / 2, angle)
