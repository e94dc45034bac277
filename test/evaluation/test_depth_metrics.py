# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from da3_ros.evaluation.depth_metrics import depth_errors, median_scale
from da3_ros.geometry.errors import DegenerateGeometryError


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
