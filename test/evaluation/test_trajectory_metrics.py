# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from da3_ros.evaluation.trajectory_metrics import (
    orientation_alignment,
    path_length,
    relative_errors,
    rigid_alignment,
    scale_drift,
    trajectory_errors,
)
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import Sim3, rigid

GAUGE = Sim3(0.3, matrix_from_rotation_vector((0.4, -1.0, 2.0)), np.array([5.0, -2.0, 1.0]))


def random_poses(count: int) -> FloatArray:
    generator = np.random.default_rng(1)
    return rigid(matrix_from_rotation_vector(generator.normal(size=(count, 3))), generator.normal(size=(count, 3)))


def line(count: int, step: float = 1.0) -> FloatArray:
    positions = np.zeros((count, 3))
    positions[:, 0] = step * np.arange(count)
    return rigid(np.eye(3), positions)


def test_trajectory_errors_vanish_for_the_same_trajectory_in_another_gauge() -> None:
    true = random_poses(9)

    errors = trajectory_errors(GAUGE.apply_to_poses(true), true)

    assert errors.ate_rmse < 1e-12
    assert errors.rotation_max_rad < 1e-7
    assert errors.true_from_estimated.scale == pytest.approx(1 / 0.3)


def test_trajectory_errors_measure_a_single_moved_and_turned_pose() -> None:
    true = random_poses(200)
    estimated = true.copy()
    estimated[7] = estimated[7] @ rigid(matrix_from_rotation_vector((0.0, 0.2, 0.0)), (0.05, 0.0, 0.0))

    errors = trajectory_errors(estimated, true)

    assert errors.ate_max == pytest.approx(0.05, rel=0.02)
    assert errors.ate_rmse == pytest.approx(0.05 / np.sqrt(200), rel=0.05)
    assert errors.rotation_max_rad == pytest.approx(0.2, rel=0.01)
    assert errors.rotation_median_rad < 0.001


def test_rigid_alignment_leaves_an_error_of_scale_to_be_seen() -> None:
    true = random_poses(50)
    spread = np.sqrt(np.mean(np.sum((true[:, :3, 3] - true[:, :3, 3].mean(axis=0)) ** 2, axis=1)))
    longer = Sim3(1.02, GAUGE.rotation, GAUGE.translation).apply_to_poses(true)

    errors = trajectory_errors(longer, true, rigid_alignment(longer, true))

    assert errors.true_from_estimated.scale == 1
    assert errors.ate_rmse == pytest.approx(0.02 * spread, rel=1e-6)
    assert errors.rotation_max_rad < 1e-7


def test_orientations_align_where_centres_cannot() -> None:
    true = line(10)
    estimated = GAUGE.apply_to_poses(true)

    with pytest.raises(DegenerateGeometryError):
        trajectory_errors(estimated, true)

    errors = trajectory_errors(estimated, true, orientation_alignment(estimated, true, 1 / GAUGE.scale))
    assert errors.ate_max < 1e-12
    assert errors.rotation_max_rad < 1e-7


def test_relative_errors_do_not_depend_on_the_world() -> None:
    true = random_poses(20)

    errors = relative_errors(GAUGE.apply_to_poses(true), true, true_scale=1 / GAUGE.scale)

    assert errors.pairs == 19
    assert errors.translation_max < 1e-12
    assert errors.rotation_max_rad < 1e-7


def test_relative_errors_are_those_worked_out_by_hand() -> None:
    true, estimated = line(5), line(5, step=1.1)
    estimated[:, :3, :3] = matrix_from_rotation_vector([(0.0, 0.0, 0.02 * index) for index in range(5)])

    errors = relative_errors(estimated, true, step=2)

    assert errors.pairs == 3
    assert errors.rotation_rmse_rad == pytest.approx(0.04)
    # The shift is seen in the frame of the first pose, which has turned by 0, 0.02 and 0.04.
    turns = np.array([0.0, 0.02, 0.04])
    lengths = np.hypot(2.2 * np.cos(turns) - 2, 2.2 * np.sin(turns))
    assert errors.translation_rmse == pytest.approx(np.sqrt(np.mean(lengths**2)))
    assert errors.translation_max == pytest.approx(lengths.max())


def test_relative_errors_over_a_distance_pair_poses_along_the_true_path() -> None:
    true = line(11, step=0.5)

    errors = relative_errors(line(11, step=0.55), true, distance=2.0)

    assert errors.pairs == 7
    assert errors.translation_rmse == pytest.approx(0.2)


def test_too_short_a_trajectory_has_no_relative_error() -> None:
    with pytest.raises(DegenerateGeometryError, match="too few"):
        relative_errors(line(3), line(3), step=3)
    with pytest.raises(DegenerateGeometryError, match="too few"):
        relative_errors(line(3), line(3), distance=5.0)


def test_path_length_is_the_sum_of_the_steps() -> None:
    assert path_length(line(6, step=0.25)) == pytest.approx(1.25)


def test_scale_drift_is_the_change_and_not_the_noise_of_one_value() -> None:
    steady = np.full(40, 2.0)
    steady[20] = 3.0
    drifting = 2.0 * np.linspace(1.0, 1.04, 41)
    there_and_back = np.concatenate((drifting, drifting[::-1]))

    assert scale_drift(steady, 5) == pytest.approx((0, 0))
    assert scale_drift(drifting, 5) == pytest.approx((0.036, 0.036), abs=0.002)
    assert scale_drift(there_and_back, 5) == pytest.approx((0, 0.037), abs=0.002)
    assert scale_drift(1 / drifting) == pytest.approx(scale_drift(drifting))
    assert scale_drift([1.5]) == (0, 0)
