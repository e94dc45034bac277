# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What is written about a rig can be read by people, by tools and by us."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given

from da3_ros.geometry.rotation import FloatArray, matrix_from_quat_xyzw, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.streaming.rig import BODY_FROM_OPTICAL
from da3_ros.streaming.rig_calibration import RigCameraEstimate, RigEstimate
from da3_ros.streaming.rig_file import rig_from_yaml, rig_yaml
from test.strategies import rigid_transforms

SIGMA = np.array([0.001, 0.002, 0.003, *np.deg2rad([0.01, 0.02, 0.03])])
LEFT = rigid(matrix_from_rotation_vector(np.deg2rad([0.0, -60.0, 0.0])), [-0.25, 0.0, -0.1])
FRAMES = {"front": "front_optical_frame", "left": "left_optical_frame", 'rig/ü "x": #1': "odd"}


def estimate(**cameras: FloatArray) -> RigEstimate:
    found = {name: RigCameraEstimate(pose, np.diag(SIGMA**2), 42) for name, pose in cameras.items()}
    return RigEstimate("front", found, is_metric=True)


@given(rigid_transforms())
def test_rig_comes_back_on_a_base_of_the_reference(pose: FloatArray) -> None:
    text = rig_yaml(estimate(left=pose), FRAMES)

    places = rig_from_yaml(yaml.safe_load(text))

    assert list(places) == ["front", "left"]
    np.testing.assert_allclose(places["front"], BODY_FROM_OPTICAL)
    np.testing.assert_allclose(places["left"], BODY_FROM_OPTICAL @ pose, atol=1e-6)


def test_file_says_metres_degrees_and_sigmas() -> None:
    text = rig_yaml(estimate(left=LEFT), FRAMES)

    assert "Lengths are in metres" in text
    assert "xyz: [-0.250000, 0.000000, -0.100000]  # +- 0.001000 0.002000 0.003000" in text
    assert "turned by 0.000 -60.000 0.000 degrees" in text
    assert "+- 0.010 0.020 0.030" in text
    assert yaml.safe_load(text)["cameras"]["left"]["frame_sets"] == 42


def test_file_holds_the_command_that_publishes_the_camera() -> None:
    text = rig_yaml(estimate(left=LEFT), FRAMES)

    command = next(line for line in text.splitlines() if "static_transform_publisher" in line)
    value = {name: float(number) for name, number in re.findall(r"--(q?[wxyz]) (\S+)", command)}
    np.testing.assert_allclose([value["x"], value["y"], value["z"]], LEFT[:3, 3])
    rotation = matrix_from_quat_xyzw([value["qx"], value["qy"], value["qz"], value["qw"]])
    np.testing.assert_allclose(rotation, LEFT[:3, :3], atol=1e-8)
    assert command.endswith("--frame-id front_optical_frame --child-frame-id left_optical_frame")


def test_names_survive_whatever_is_in_them() -> None:
    text = rig_yaml(estimate(**{'rig/ü "x": #1': LEFT}), FRAMES)

    assert list(rig_from_yaml(yaml.safe_load(text))) == ["front", 'rig/ü "x": #1']


def test_relative_rig_is_written_as_such_and_never_read_as_metres() -> None:
    text = rig_yaml(replace(estimate(left=LEFT), is_metric=False), FRAMES)

    assert "NOT metres" in text
    assert "static_transform_publisher" not in text
    with pytest.raises(ValueError, match="is_metric"):
        rig_from_yaml(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        (None, "xyz"),
        ({"xyz": [0, 0, 0]}, "quat_xyzw"),
        ({"xyz": [0, 0], "quat_xyzw": [0, 0, 0, 1]}, "three finite xyz"),
        ({"xyz": [0, 0, "far"], "quat_xyzw": [0, 0, 0, 1]}, "far"),
        ({"xyz": [0, 0, float("nan")], "quat_xyzw": [0, 0, 0, 1]}, "three finite xyz"),
        ({"xyz": [0, 0, 0], "quat_xyzw": [0, 0, 0, 0]}, "length zero"),
        ({"xyz": [0, 0, 0], "quat_xyzw": [0, 0, 1]}, "needs"),
    ],
)
def test_bad_entry_is_refused_by_the_name_of_its_camera(entry: Any, word: str) -> None:
    with pytest.raises(ValueError, match=f"'left'.*{word}"):
        rig_from_yaml({"reference": "front", "is_metric": True, "cameras": {"left": entry}})


@pytest.mark.parametrize("document", [None, "text", [], {"cameras": []}, {"is_metric": True, "cameras": {}}])
def test_what_is_no_rig_file_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match=r"rig file|reference"):
        rig_from_yaml(document)
