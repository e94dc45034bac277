# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A Prediction that contradicts itself is refused where it is made."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import Prediction

CAMERA = PinholeCamera.from_field_of_view((4, 6), 1.0)
SKY = np.zeros((2, 4, 6), dtype=np.bool_)
SKY[:, 0] = True


def prediction(**given: Any) -> Prediction:
    usual = {
        "images": np.zeros((2, 4, 6, 3), np.uint8),
        "depth": np.where(SKY, np.float32(np.nan), np.float32(1)),
        "confidence": np.ones((2, 4, 6), np.float32),
        "window_from_camera": np.tile(np.eye(4), (2, 1, 1)),
        "cameras": (CAMERA,) * 2,
        "predicted_cameras": (CAMERA,) * 2,
    }
    return Prediction(**{**usual, **given})


def test_prediction_knows_neither_sky_nor_metres_unless_told() -> None:
    assert prediction().sky is None
    assert math.isnan(prediction().metres_per_unit)
    assert prediction(sky=SKY, metres_per_unit=2.0).metres_per_unit == 2.0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cameras": (CAMERA,)}, "2 depth images has parts of other lengths"),
        ({"sky": SKY[0]}, "does not belong to depth"),
        ({"sky": np.ones_like(SKY)}, "must be NaN wherever a view shows the sky"),
        ({"sky": SKY, "depth": np.where(SKY, np.float32(np.inf), np.float32(1))}, "must be NaN"),
        ({"metres_per_unit": 0.0}, "finite and above zero, or NaN, not 0.0"),
        ({"metres_per_unit": math.inf}, "finite and above zero"),
    ],
)
def test_prediction_is_refused_when_its_parts_contradict_each_other(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        prediction(**given)
