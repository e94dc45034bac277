# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A rig estimate arrives whole: who, where, how surely, and in which unit."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("da3_ros.msg", reason="NOT RUN: the messages are not built; run `make test`")

from da3_ros.geometry.rotation import matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.ros.rig_messages import rig_estimate_message
from da3_ros.ros.stamps import to_ns
from da3_ros.ros.transform_messages import pose_to_matrix
from da3_ros.streaming.rig_calibration import RigCameraEstimate, RigEstimate

STAMP_NS = 1_700_000_000_000_000_001
FRAMES = {"front": "front_optical_frame", "left": "left_eye", "right": "right_eye"}


@pytest.mark.parametrize("is_metric", [True, False])
def test_message_holds_every_camera_of_the_estimate(is_metric: bool) -> None:
    poses = {
        "left": rigid(matrix_from_rotation_vector([0.0, -1.0, 0.1]), [-0.1, 0.0, 0.02]),
        "right": rigid(matrix_from_rotation_vector([0.0, 1.0, 0.0]), [0.1, 0.0, 0.02]),
    }
    covariances = {name: np.diag(np.arange(1.0, 7.0) * factor) for name, factor in (("left", 1e-4), ("right", 1e-5))}
    covariances["left"][0, 5] = covariances["left"][5, 0] = 1e-6
    cameras = {
        name: RigCameraEstimate(poses[name], covariances[name], frame_sets)
        for name, frame_sets in (("left", 40), ("right", 7))
    }

    message = rig_estimate_message(RigEstimate("front", cameras, is_metric), FRAMES, STAMP_NS)

    assert (to_ns(message.header.stamp), message.header.frame_id) == (STAMP_NS, "front_optical_frame")
    assert (message.reference, message.is_metric) == ("front", is_metric)
    assert (list(message.cameras), list(message.frame_ids)) == (["left", "right"], ["left_eye", "right_eye"])
    assert list(message.frame_sets) == [40, 7]
    for name, pose in zip(message.cameras, message.reference_from_camera, strict=True):
        np.testing.assert_allclose(pose_to_matrix(pose.pose), poses[name], atol=1e-12)
        np.testing.assert_array_equal(np.reshape(pose.covariance, (6, 6)), covariances[name])
