# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Poses that name the robot's own odometry frame lie in it."""

from __future__ import annotations

import numpy as np
import pytest
from rclpy.node import Node
from tf2_ros import StaticTransformBroadcaster

from da3_ros.geometry.rotation import matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.ros.stamps import header
from da3_ros.ros.transform_messages import pose_to_matrix, transform_message
from test.graph.cameras import stamp_of
from test.graph.harness import Graph
from test.graph.recorder import ODOMETRY

DRIVEN = rigid(matrix_from_rotation_vector([0.0, 0.0, 0.5]), [10.0, 2.0, 0.0])


@pytest.mark.parametrize("parent", ["odom", "elsewhere"])
def test_odometry_begins_where_another_node_has_the_base(graph: Graph, parent: str) -> None:
    graph.recorder.listen_to_node(topics=[ODOMETRY, "da3_node/status"])
    node = graph.active_node(cameras=["front"])
    broadcaster = StaticTransformBroadcaster(graph.spin(lambda **options: Node("driver", **options)))
    broadcaster.sendTransform(transform_message(DRIVEN, header(0, parent), "base_link"))
    tree = node.run._robot._tf
    graph.recorder.wait_until(lambda: tree.parents("base_link"), "TF at the node")

    graph.run(graph.cameras("front"), 0, 2)

    first = graph.recorder.by_stamp(ODOMETRY)[stamp_of(0)]
    assert first.header.frame_id == "odom"
    expected = DRIVEN if parent == "odom" else np.eye(4)
    np.testing.assert_allclose(pose_to_matrix(first.pose.pose), expected, atol=1e-6)
