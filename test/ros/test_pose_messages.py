# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Transforms, poses, odometry and paths: the numbers arrive where the messages want them."""

from __future__ import annotations

import numpy as np
import pytest
from geometry_msgs.msg import Pose, Quaternion
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.ros.odometry_messages import (
    odometry_message,
    path_message,
    pose_stamped_message,
    pose_with_covariance_message,
)
from da3_ros.ros.stamps import header
from da3_ros.ros.transform_messages import pose_message, pose_to_matrix, transform_message, transform_to_matrix

HEADER = header(1_700_000_000_000_000_001, "odom")
QUARTER_TURN_LEFT = rigid([[0, -1, 0], [1, 0, 0], [0, 0, 1]], [1.0, 2.0, 3.0])
VECTORS = st.lists(st.floats(-3, 3), min_size=3, max_size=3)


@given(VECTORS, VECTORS)
def test_matrix_is_unchanged_when_it_goes_through_a_message(rotation: list[float], position: list[float]) -> None:
    matrix = rigid(matrix_from_rotation_vector(rotation), position)

    np.testing.assert_allclose(
        transform_to_matrix(transform_message(matrix, HEADER, "base_link").transform), matrix, atol=1e-12
    )
    np.testing.assert_allclose(pose_to_matrix(pose_message(matrix)), matrix, atol=1e-12)


def test_transform_says_where_the_child_is_in_the_parent() -> None:
    message = transform_message(QUARTER_TURN_LEFT, HEADER, "base_link")

    assert (message.header, message.child_frame_id) == (HEADER, "base_link")
    moved, turned = message.transform.translation, message.transform.rotation
    assert (moved.x, moved.y, moved.z) == (1.0, 2.0, 3.0)
    np.testing.assert_allclose((turned.x, turned.y, turned.z, turned.w), (0, 0, 0.5**0.5, 0.5**0.5), atol=1e-15)


def test_pose_is_refused_when_its_quaternion_is_zero() -> None:
    with pytest.raises(DegenerateGeometryError):
        pose_to_matrix(Pose(orientation=Quaternion(x=0.0, y=0.0, z=0.0, w=0.0)))


def covariance(first: float) -> FloatArray:
    return np.arange(first, first + 36).reshape(6, 6)


def test_pose_with_covariance_keeps_both_in_row_major_order() -> None:
    message = pose_with_covariance_message(QUARTER_TURN_LEFT, covariance(0), HEADER)

    assert message.header == HEADER
    assert message.pose.covariance.tolist() == list(range(36))
    np.testing.assert_allclose(pose_to_matrix(message.pose.pose), QUARTER_TURN_LEFT, atol=1e-15)


def test_odometry_has_pose_in_its_header_frame_and_twist_in_its_child_frame() -> None:
    message = odometry_message(
        QUARTER_TURN_LEFT, covariance(0), [1, 2, 3, 4, 5, 6], covariance(100), HEADER, "base_link"
    )

    linear, angular = message.twist.twist.linear, message.twist.twist.angular
    assert (message.header, message.child_frame_id) == (HEADER, "base_link")
    assert (linear.x, linear.y, linear.z, angular.x, angular.y, angular.z) == (1, 2, 3, 4, 5, 6)
    assert message.pose.covariance.tolist() == list(range(36))
    assert message.twist.covariance.tolist() == list(range(100, 136))
    np.testing.assert_allclose(pose_to_matrix(message.pose.pose), QUARTER_TURN_LEFT, atol=1e-15)


def test_odometry_is_refused_when_a_covariance_is_not_6_by_6() -> None:
    with pytest.raises(ValueError, match="6, 6"):
        odometry_message(np.eye(4), np.eye(6), np.zeros(6), np.eye(3), HEADER, "base_link")


def test_path_holds_its_poses_in_order_with_their_own_stamps() -> None:
    poses = [pose_stamped_message(rigid(np.eye(3), [float(step), 0.0, 0.0]), header(step, "odom")) for step in range(3)]

    path = path_message(poses, HEADER)

    assert path.header == HEADER
    assert [pose.header.stamp.nanosec for pose in path.poses] == [0, 1, 2]
    assert [pose.pose.position.x for pose in path.poses] == [0.0, 1.0, 2.0]
