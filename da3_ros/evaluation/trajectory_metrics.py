# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How far estimated camera poses are from the truth: all of them after one alignment, and pairs of them without any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.registration import umeyama
from da3_ros.geometry.rotation import FloatArray, mean_rotation, rotation_angle
from da3_ros.geometry.sim3 import Sim3, rigid_inverse


@dataclass(frozen=True, slots=True, eq=False)
class TrajectoryErrors:
    """Errors of N poses.

    Attributes:
        ate_rmse: absolute trajectory error (Sturm et al. 2012, section VI): root mean square distance of the centres.
        ate_max: largest distance of a centre.
        rotation_median_rad: median angle between estimated and true orientation.
        rotation_max_rad: largest such angle.
        true_from_estimated: the alignment that was applied.
    """

    ate_rmse: float
    ate_max: float
    rotation_median_rad: float
    rotation_max_rad: float
    true_from_estimated: Sim3


@dataclass(frozen=True, slots=True)
class RelativeErrors:
    """Errors of the motion between pairs of poses (Sturm et al. 2012, section VI), in the frame of the first.

    Attributes:
        translation_rmse: root mean square length of the error of the motion, true units.
        translation_max: largest such length.
        rotation_rmse_rad: root mean square angle of the error of the turn.
        rotation_max_rad: largest such angle.
        pairs: how many.
    """

    translation_rmse: float
    translation_max: float
    rotation_rmse_rad: float
    rotation_max_rad: float
    pairs: int


def trajectory_errors(
    estimated: npt.ArrayLike, true: npt.ArrayLike, true_from_estimated: Sim3 | None = None
) -> TrajectoryErrors:
    """Compare poses after one alignment of them all.

    Args:
        estimated: (N, 4, 4) rigid, any world and unit.
        true: (N, 4, 4) rigid; its unit is the unit of the errors.
        true_from_estimated: the alignment; the Sim(3) that fits the centres best when None. See also
            `rigid_alignment` and `orientation_alignment`.

    Raises:
        DegenerateGeometryError: when no alignment is given and the centres coincide or lie on a line.
    """
    ours, truth = np.asarray(estimated, dtype=np.float64), np.asarray(true, dtype=np.float64)
    alignment = true_from_estimated or umeyama(truth[:, :3, 3], ours[:, :3, 3])
    aligned = alignment.apply_to_poses(ours)
    distances = np.linalg.norm(aligned[:, :3, 3] - truth[:, :3, 3], axis=1)
    angles = rotation_angle(np.swapaxes(aligned[:, :3, :3], 1, 2) @ truth[:, :3, :3])
    return TrajectoryErrors(
        ate_rmse=float(np.sqrt(np.mean(distances**2))),
        ate_max=float(distances.max()),
        rotation_median_rad=float(np.median(angles)),
        rotation_max_rad=float(angles.max()),
        true_from_estimated=alignment,
    )


def rigid_alignment(estimated: npt.ArrayLike, true: npt.ArrayLike) -> Sim3:
    """The best true_from_estimated of scale one, from the centres: for poses that claim to be metric.

    Raises:
        DegenerateGeometryError: when the centres coincide or lie on a line.
    """
    ours, truth = np.asarray(estimated, dtype=np.float64), np.asarray(true, dtype=np.float64)
    turn = umeyama(truth[:, :3, 3], ours[:, :3, 3]).rotation
    return Sim3(1.0, turn, truth[:, :3, 3].mean(axis=0) - turn @ ours[:, :3, 3].mean(axis=0))


def orientation_alignment(estimated: npt.ArrayLike, true: npt.ArrayLike, scale: float) -> Sim3:
    """A true_from_estimated for any motion, also none: turned by the mean orientation, its scale given."""
    ours, truth = np.asarray(estimated, dtype=np.float64), np.asarray(true, dtype=np.float64)
    turn = mean_rotation(truth[:, :3, :3] @ np.swapaxes(ours[:, :3, :3], 1, 2))
    return Sim3(scale, turn, truth[:, :3, 3].mean(axis=0) - scale * (turn @ ours[:, :3, 3].mean(axis=0)))


def relative_errors(
    estimated: npt.ArrayLike,
    true: npt.ArrayLike,
    *,
    step: int = 1,
    distance: float | None = None,
    true_scale: float = 1.0,
) -> RelativeErrors:
    """Compare the motion between each pose and a later one.

    Args:
        estimated: (N, 4, 4) rigid, any world.
        true: (N, 4, 4) rigid.
        step: how many poses later.
        distance: instead of `step`, how far later along the true path.
        true_scale: true units per estimated unit.

    Raises:
        DegenerateGeometryError: when the trajectory is too short for a single pair.
    """
    ours, truth = np.asarray(estimated, dtype=np.float64), np.asarray(true, dtype=np.float64)
    first, second = _pairs(truth, step, distance)
    if not len(first):
        raise DegenerateGeometryError(f"{len(truth)} poses are too few for one pair")
    our_motion = rigid_inverse(ours[first]) @ ours[second]
    our_motion[:, :3, 3] *= true_scale
    error = rigid_inverse(rigid_inverse(truth[first]) @ truth[second]) @ our_motion
    lengths, angles = np.linalg.norm(error[:, :3, 3], axis=1), rotation_angle(error[:, :3, :3])
    return RelativeErrors(
        translation_rmse=float(np.sqrt(np.mean(lengths**2))),
        translation_max=float(lengths.max()),
        rotation_rmse_rad=float(np.sqrt(np.mean(angles**2))),
        rotation_max_rad=float(angles.max()),
        pairs=len(first),
    )


def path_length(poses: npt.ArrayLike) -> float:
    """Length of the way through the centres of (N, 4, 4) poses."""
    centres = np.asarray(poses, dtype=np.float64)[:, :3, 3]
    return float(np.linalg.norm(np.diff(centres, axis=0), axis=1).sum())


def scale_drift(scales: npt.ArrayLike, smoothing: int = 12) -> tuple[float, float]:
    """Relative change of a scale, of running medians.

    Args:
        scales: (N,) estimated units per true unit, in time order, above zero; N at least 1.
        smoothing: length of the median, so that the noise of single values is no drift.

    Returns:
        From the start to the end, and from the start to wherever the change is largest.
    """
    logs = np.log(np.asarray(scales, dtype=np.float64))
    length = min(smoothing, len(logs))
    medians = np.median(np.lib.stride_tricks.sliding_window_view(logs, length), axis=1)
    away = np.abs(medians - medians[0])
    return float(np.expm1(away[-1])), float(np.expm1(away.max()))


def _pairs(truth: FloatArray, step: int, distance: float | None) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    first = np.arange(len(truth))
    second = first + step
    if distance is not None:
        lengths = np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1)
        along = np.concatenate(([0.0], np.cumsum(lengths)))
        second = np.searchsorted(along, along + distance)
    valid = second < len(truth)
    return first[valid], second[valid]
