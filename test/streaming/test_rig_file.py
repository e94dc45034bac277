# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What is written about a rig can be read by people and by tools."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import yaml
from hypothesis import given

from da3_ros.geometry.rotation import FloatArray, matrix_from_quat_xyzw, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.streaming.rig_calibration import RigCameraEstimate, RigEstimate
from da3_ros.streaming.rig_file import rig_yaml
from test.strategies import rigid_transforms

SIGMA = np.array([0.001, 0.002, 0.003, *np.deg2rad([0.01, 0.02, 0.03])])
LEFT = rigid(matrix_from_rotation_vector(np.deg2rad([0.0, -60.0, 0.0])), [-0.25, 0.0, -0.1])
FRAMES = {"front": "front_optical_frame", "left": "left_optical_frame", 'rig/ü "x": #1': "odd"}


def estimate(**cameras: FloatArray) -> RigEstimate:
    found = {name: RigCameraEstimate(pose, np.diag(SIGMA**2), 42) for name, pose in cameras.items()}
    return RigEstimate("front", found, is_metric=True)


@given(rigid_transforms())
def test_file_holds_the_pose_of_a_camera_in_the_reference(pose: FloatArray) -> None:
    document = yaml.safe_load(rig_yaml(estimate(left=pose), FRAMES))

    assert (document["reference"], document["is_metric"]) == ("front", True)
    left = document["cameras"]["left"]
    np.testing.assert_allclose(rigid(matrix_from_quat_xyzw(left["quat_xyzw"]), left["xyz"]), pose, atol=1e-6)


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

    assert list(yaml.safe_load(text)["cameras"]) == ['rig/ü "x": #1']


def test_relative_rig_is_written_as_such() -> None:
    text = rig_yaml(replace(estimate(left=LEFT), is_metric=False), FRAMES)

    assert "NOT metres" in text
    assert "static_transform_publisher" not in text
    assert yaml.safe_load(text)["is_metric"] is False
