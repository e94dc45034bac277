# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How far estimated camera poses are from the truth, after the best similarity transform."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.registration import umeyama
from da3_ros.geometry.rotation import rotation_angle
from da3_ros.geometry.sim3 import Sim3


@dataclass(frozen=True, slots=True, eq=False)
class TrajectoryErrors:
    """Errors of N poses.

    Attributes:
        ate_rmse: absolute trajectory error (Sturm et al. 2012, section VI): root mean square distance of the centres.
        ate_max: largest distance of a centre.
        rotation_median_rad: median angle between estimated and true orientation.
        rotation_max_rad: largest such angle.
        true_from_estimated: the alignment, found from the centres.
    """

    ate_rmse: float
    ate_max: float
    rotation_median_rad: float
    rotation_max_rad: float
    true_from_estimated: Sim3


def trajectory_errors(estimated: npt.ArrayLike, true: npt.ArrayLike) -> TrajectoryErrors:
    """Align the estimated poses to the true ones by one Sim(3) and compare them.

    Args:
        estimated: (N, 4, 4) rigid, any world and unit.
        true: (N, 4, 4) rigid; its unit is the unit of the errors.

    Raises:
        DegenerateGeometryError: when the centres coincide or lie on a line.
    """
    ours, truth = np.asarray(estimated, dtype=np.float64), np.asarray(true, dtype=np.float64)
    true_from_estimated = umeyama(truth[:, :3, 3], ours[:, :3, 3])
    aligned = true_from_estimated.apply_to_poses(ours)
    distances = np.linalg.norm(aligned[:, :3, 3] - truth[:, :3, 3], axis=1)
    angles = rotation_angle(np.swapaxes(aligned[:, :3, :3], 1, 2) @ truth[:, :3, :3])
    return TrajectoryErrors(
        ate_rmse=float(np.sqrt(np.mean(distances**2))),
        ate_max=float(distances.max()),
        rotation_median_rad=float(np.median(angles)),
        rotation_max_rad=float(angles.max()),
        true_from_estimated=true_from_estimated,
    )
