# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from da3_ros.evaluation.depth_metrics import depth_errors, median_scale
from da3_ros.evaluation.trajectory_metrics import trajectory_errors
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import matrix_from_rotation_vector
from da3_ros.geometry.sim3 import Sim3, rigid


def test_depth_errors_are_those_worked_out_by_hand() -> None:
    true = np.array([1.0, 2.0, 4.0, np.nan, 5.0])
    predicted = np.array([1.1, 2.0, 6.0, 3.0, np.nan])

    errors = depth_errors(predicted, true)

    assert errors.abs_rel == pytest.approx((0.1 + 0.0 + 0.5) / 3)
    assert errors.rmse == pytest.approx(np.sqrt((0.01 + 0.0 + 4.0) / 3))
    assert errors.delta1 == pytest.approx(2 / 3)
    assert errors.coverage == pytest.approx(3 / 4)


def test_median_scale_brings_a_scaled_depth_back_past_outliers() -> None:
    true = np.linspace(1.0, 5.0, 101)
    predicted = true / 2.5
    predicted[:20] = 100.0

    assert median_scale(predicted, true) == pytest.approx(2.5)


def test_depth_without_common_pixels_is_degenerate() -> None:
    with pytest.raises(DegenerateGeometryError):
        depth_errors(np.array([np.nan, 1.0]), np.array([1.0, np.nan]))
    with pytest.raises(DegenerateGeometryError):
        median_scale(np.array([np.nan]), np.array([1.0]))


def random_poses(count: int) -> np.ndarray:
    generator = np.random.default_rng(1)
    return rigid(matrix_from_rotation_vector(generator.normal(size=(count, 3))), generator.normal(size=(count, 3)))


def test_trajectory_errors_vanish_for_the_same_trajectory_in_another_gauge() -> None:
    true = random_poses(9)
    gauge = Sim3(0.3, matrix_from_rotation_vector((0.4, -1.0, 2.0)), np.array([5.0, -2.0, 1.0]))

    errors = trajectory_errors(gauge.apply_to_poses(true), true)

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
