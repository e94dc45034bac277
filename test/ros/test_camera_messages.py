# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""CameraInfo: read with everything the message can say, refused by name when it makes no sense, and written."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import FrameError
from da3_ros.ros.camera_messages import camera_info_message, to_camera
from da3_ros.ros.stamps import header

HEADER = header(1_700_000_000_000_000_001, "front_optical_frame")
SIZE = (480, 640)
K = [500.0, 0.0, 319.0, 0.0, 510.0, 241.0, 0.0, 0.0, 1.0]
EIGHT = [0.1, -0.2, 0.001, 0.002, 0.03, 0.2, -0.1, 0.01]


def info_of(**fields: Any) -> CameraInfo:
    given = {"height": 480, "width": 640, "k": K, "distortion_model": "plumb_bob", "d": [0.0] * 5} | fields
    return CameraInfo(**given)


def test_camera_has_the_calibration_of_the_raw_image() -> None:
    camera = to_camera(info_of(d=[0.1, -0.2, 0.001, 0.002, 0.03], p=[1.0] * 12), SIZE)

    assert camera == PinholeCamera(SIZE, 500.0, 510.0, 319.0, 241.0, "plumb_bob", (0.1, -0.2, 0.001, 0.002, 0.03))


@pytest.mark.parametrize(
    ("model", "d", "expected"),
    [
        ("", [], ("none", ())),
        ("", [0.0] * 5, ("none", ())),
        ("none", [], ("none", ())),
        ("plumb_bob", [], ("none", ())),
        ("plumb_bob", [0.0] * 5, ("none", ())),
        ("plumb_bob", [0.1, 0.2, 0.0, 0.0], ("plumb_bob", (0.1, 0.2, 0.0, 0.0))),
        ("plumb_bob", EIGHT, ("rational_polynomial", tuple(EIGHT))),
        ("rational_polynomial", EIGHT, ("rational_polynomial", tuple(EIGHT))),
        ("rational_polynomial", EIGHT + [0.0] * 6, ("rational_polynomial", tuple(EIGHT))),
        ("rational_polynomial", [0.0] * 8, ("none", ())),
        ("equidistant", [0.1, 0.0, 0.0, 0.0], ("equidistant", (0.1, 0.0, 0.0, 0.0))),
        ("equidistant", [0.0] * 4, ("equidistant", (0.0, 0.0, 0.0, 0.0))),
        ("equidistant", [], ("equidistant", ())),
    ],
)
def test_distortion_is_read_for_every_model_of_ros(
    model: str, d: list[float], expected: tuple[str, tuple[float, ...]]
) -> None:
    camera = to_camera(info_of(distortion_model=model, d=d), SIZE)

    assert (camera.distortion_model, camera.distortion) == expected


def test_camera_sees_the_same_points_when_binned_and_cut_to_a_region() -> None:
    roi = RegionOfInterest(x_offset=100, y_offset=60, width=401, height=301)
    point = np.array([0.1, -0.05, 2.0])

    full = to_camera(info_of(), SIZE)
    part = to_camera(info_of(roi=roi, binning_x=2, binning_y=3), (100, 200))

    # A bin of n pixels whose first centre is at 0 has its own centre at (n - 1) / 2.
    expected = (full.project(point) - (100, 60) - (0.5, 1.0)) / (2, 3)
    np.testing.assert_allclose(part.project(point), expected, rtol=1e-12)


@pytest.mark.parametrize("binning", [0, 1])
def test_binning_of_zero_and_one_change_nothing(binning: int) -> None:
    assert to_camera(info_of(binning_x=binning, binning_y=binning), SIZE) == to_camera(info_of(), SIZE)


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"k": [0.0] * 9}, "uncalibrated"),
        ({"k": [math.nan, *K[1:]]}, "invalid_camera_info"),
        ({"k": [*K[:2], math.inf, *K[3:]]}, "invalid_camera_info"),
        ({"k": [-500.0, *K[1:]]}, "invalid_camera_info"),
        ({"k": [*K[:4], 0.0, *K[5:]]}, "invalid_camera_info"),
        ({"k": [K[0], 3.0, *K[2:]]}, "invalid_camera_info"),
        ({"d": [0.1, math.nan, 0.0, 0.0, 0.0]}, "invalid_camera_info"),
        ({"width": 0, "height": 0}, "invalid_camera_info"),
        ({"width": 320, "height": 240}, "invalid_camera_info"),
        ({"binning_x": 2, "binning_y": 2}, "invalid_camera_info"),
        ({"binning_x": 1000, "binning_y": 1000}, "invalid_camera_info"),
        ({"roi": RegionOfInterest(x_offset=600, width=100, height=100)}, "invalid_camera_info"),
        ({"distortion_model": "thin_prism"}, "invalid_camera_info"),
        ({"distortion_model": "", "d": [0.1, 0.0, 0.0, 0.0]}, "invalid_camera_info"),
        ({"distortion_model": "equidistant", "d": [0.1] * 5}, "invalid_camera_info"),
        ({"distortion_model": "rational_polynomial", "d": [*EIGHT, 0.1]}, "invalid_camera_info"),
    ],
)
def test_camera_info_is_refused_by_cause(fields: dict[str, Any], cause: str) -> None:
    with pytest.raises(FrameError) as refusal:
        to_camera(info_of(**fields), SIZE)

    assert refusal.value.cause == cause


def test_rectified_camera_is_written_for_exactly_its_image() -> None:
    message = camera_info_message(PinholeCamera((378, 504), 400.0, 401.0, 251.5, 188.5), HEADER)

    assert message.header == HEADER
    assert (message.height, message.width, message.binning_x, message.binning_y) == (378, 504, 0, 0)
    assert message.roi == RegionOfInterest()
    assert message.distortion_model == "plumb_bob"
    assert list(message.d) == [0.0] * 5
    np.testing.assert_array_equal(message.k, [400, 0, 251.5, 0, 401, 188.5, 0, 0, 1])
    np.testing.assert_array_equal(message.p, [400, 0, 251.5, 0, 0, 401, 188.5, 0, 0, 0, 1, 0])
    np.testing.assert_array_equal(message.r, [1, 0, 0, 0, 1, 0, 0, 0, 1])


@pytest.mark.parametrize(
    ("model", "distortion"),
    [
        ("none", ()),
        ("plumb_bob", (0.1, -0.2, 0.001, 0.002, 0.03)),
        ("rational_polynomial", tuple(EIGHT)),
        ("equidistant", (0.0, 0.0, 0.0, 0.0)),
    ],
)
def test_camera_is_read_back_unchanged(model: str, distortion: tuple[float, ...]) -> None:
    camera = PinholeCamera(SIZE, 500.0, 510.0, 319.25, 241.75, model, distortion)

    assert to_camera(camera_info_message(camera, HEADER), SIZE) == camera
