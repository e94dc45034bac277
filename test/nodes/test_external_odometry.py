# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The robot's own odometry: the base at any stamp, whatever it is about; nothing invented; no echo of our own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import Point, Pose, PoseWithCovariance, PoseWithCovarianceStamped, Quaternion
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.nodes.external_odometry import ExternalOdometry, external_odometry
from da3_ros.nodes.tf_owner import TfOwner
from da3_ros.ros.params import NodeParams
from da3_ros.ros.stamps import header
from da3_ros.ros.transform_messages import pose_message
from test.nodes.tf_messages import HandFedTree
from test.ros.graph import Graph

S = 1_000_000_000
MS = 1_000_000
START_NS = 1_700_000_000 * S


def turned(x: float, yaw: float) -> FloatArray:
    return rigid(matrix_from_rotation_vector([0.0, 0.0, yaw]), [x, 0.0, 0.0])


def known(value: FloatArray | None) -> FloatArray:
    assert value is not None
    return value


class Wheels:
    """A node that publishes odometry."""

    def __init__(self, graph: Graph, topic: str = "/wheel/odom", reliable: bool = True) -> None:
        self.node = graph.node("wheels")
        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        profile = QoSProfile(depth=50, reliability=reliability)
        self.publisher = self.node.create_publisher(Odometry, topic, profile)

    def send(self, stamp_ns: int, pose: FloatArray | Pose, child_frame: str = "base_link") -> None:
        message = pose if isinstance(pose, Pose) else pose_message(pose)
        covariant = PoseWithCovariance(pose=message)
        self.publisher.publish(Odometry(header=header(stamp_ns, "odom"), child_frame_id=child_frame, pose=covariant))


def make(node: Node, tree: HandFedTree, **given: Any) -> ExternalOdometry:
    params = NodeParams(**{"odometry_topic": "/wheel/odom", **given})
    odometry = external_odometry(node, params, tree, TfOwner(tree, params.odom_frame))
    assert odometry is not None
    return odometry


def test_nothing_is_made_when_the_parameters_name_no_odometry(graph: Graph) -> None:
    tree = HandFedTree()

    assert external_odometry(graph.node("da3_node"), NodeParams(), tree, TfOwner(tree, "odom")) is None


@pytest.mark.parametrize("reliable", [True, False])
def test_base_is_interpolated_between_messages(graph: Graph, reliable: bool) -> None:
    odometry, wheels = make(graph.node("da3_node"), HandFedTree()), Wheels(graph, reliable=reliable)
    graph.spin_until(lambda: odometry.state.publishers == 1)
    for step in range(3):
        wheels.send(START_NS + step * 100 * MS, turned(0.1 * step, 0.2 * step))
    graph.spin_until(lambda: odometry.at(START_NS + 200 * MS) is not None)

    np.testing.assert_allclose(known(odometry.at(START_NS + 150 * MS)), turned(0.15, 0.3), atol=1e-9)
    assert odometry.at(START_NS + 201 * MS) is None
    assert odometry.at(START_NS - 1) is None


def test_child_frame_other_than_the_base_is_taken_to_the_base_by_tf(graph: Graph) -> None:
    tree = HandFedTree()
    odometry, wheels = make(graph.node("da3_node"), tree), Wheels(graph)
    graph.spin_until(lambda: odometry.state.publishers == 1)
    odom_from_axle = turned(1.0, np.pi / 2)
    wheels.send(START_NS, odom_from_axle, "rear_axle")
    graph.spin_until(lambda: odometry.state.age_ns is not None or odometry.at(START_NS) is not None)

    assert odometry.at(START_NS) is None
    assert "'rear_axle'" in odometry.state.problem

    tree.send("base_link", "rear_axle", turned(-0.4, 0.0), is_static=True)

    base = odometry.at(START_NS)
    assert base is not None
    np.testing.assert_allclose(base[:3, 3], [1.0, 0.4, 0.0], atol=1e-9)  # 0.4 m ahead of the axle, which looks left


def test_bad_poses_are_skipped_and_named(graph: Graph) -> None:
    odometry, wheels = make(graph.node("da3_node"), HandFedTree()), Wheels(graph)
    graph.spin_until(lambda: odometry.state.publishers == 1)

    wheels.send(START_NS, Pose(orientation=Quaternion(w=0.0)))
    graph.spin_until(lambda: "cannot be used" in odometry.state.problem)
    wheels.send(START_NS, Pose(position=Point(x=float("nan"))))
    graph.spin_until(lambda: "not finite" in odometry.state.problem)
    assert odometry.at(START_NS) is None

    wheels.send(START_NS, turned(1.0, 0.0))
    graph.spin_until(lambda: odometry.at(START_NS) is not None)
    assert odometry.state.problem == ""


def test_state_tells_age_and_what_was_answered(graph: Graph) -> None:
    odometry, wheels = make(graph.node("da3_node"), HandFedTree()), Wheels(graph)
    graph.spin_until(lambda: odometry.state.publishers == 1)
    assert odometry.state.age_ns is None
    wheels.send(START_NS, turned(1.0, 0.0))
    graph.spin_until(lambda: odometry.at(START_NS) is not None)
    asked = odometry.state.asked

    odometry.at(START_NS + 3 * S)

    state = odometry.state
    assert (state.source, state.age_ns) == ("/wheel/odom", 3 * S)
    assert (state.asked, state.answered) == (asked + 1, 1)


def test_base_comes_from_tf_when_a_frame_is_named(graph: Graph) -> None:
    tree = HandFedTree()
    odometry = make(graph.node("da3_node"), tree, odometry_topic="", odometry_frame="wheel_odom")
    assert odometry.at(START_NS) is None
    assert "wheel_odom" in odometry.state.problem

    for step in range(2):
        tree.send("wheel_odom", "base_link", turned(0.1 * step, 0.2 * step), START_NS + step * 100 * MS)

    np.testing.assert_allclose(known(odometry.at(START_NS + 50 * MS)), turned(0.05, 0.1), atol=1e-9)
    assert odometry.at(START_NS + 101 * MS) is None
    assert odometry.state.age_ns == MS
    assert (odometry.state.problem, odometry.state.publishers) == ("", -1)


def test_odometry_that_never_moves_is_named(graph: Graph) -> None:
    tree = HandFedTree()
    odometry = make(graph.node("da3_node"), tree, odometry_topic="", odometry_frame="wheel_odom")
    tree.send("wheel_odom", "base_link", is_static=True)

    assert "/tf_static" in odometry.state.problem


@pytest.mark.parametrize(
    "given",
    [
        {"odometry_topic": "/da3_node/odom"},
        {"odometry_topic": "", "odometry_frame": "odom", "tf_mode": "base"},
    ],
    ids=["topic", "frame"],
)
def test_own_output_is_never_taken_for_the_robots_odometry(
    graph: Graph, given: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    tree = HandFedTree()
    odometry, wheels = make(graph.node("da3_node"), tree, **given), Wheels(graph, "/da3_node/odom")
    wheels.send(START_NS, turned(1.0, 0.0))
    tree.send("odom", "base_link", turned(1.0, 0.0), START_NS)
    graph.spin_until(lambda: odometry.state.age_ns is not None or odometry.at(START_NS) is None)
    odometry.look()

    assert odometry.at(START_NS) is None
    assert odometry.state.echo
    assert any("feedback loop" in message for message in caplog.messages)


class LateTree(HandFedTree):
    """Brings in what ties our own edge to the named frame while a pose is being looked up."""

    def lookup(self, target: str, source: str, stamp_ns: int = 0) -> FloatArray:
        self.send("map", "odom", is_static=True)
        return super().lookup(target, source, stamp_ns)


@pytest.mark.parametrize("tree", [HandFedTree(), LateTree()], ids=["before", "meanwhile"])
def test_no_pose_of_an_echo_through_tf_is_used_when_a_frame_above_ours_is_named(
    graph: Graph, tree: HandFedTree, caplog: pytest.LogCaptureFixture
) -> None:
    params = NodeParams(odometry_frame="map", tf_mode="base")
    owner = TfOwner(tree, "odom")
    odometry = external_odometry(graph.node("da3_node"), params, tree, owner)
    assert odometry is not None
    assert owner.may_publish("base_link")
    tree.send("odom", "base_link", turned(1.0, 0.0), START_NS)
    if not isinstance(tree, LateTree):
        tree.send("map", "odom", is_static=True)

    assert odometry.at(START_NS) is None

    tree.lookup("map", "base_link", START_NS)  # TF itself knows it
    assert "'base_link'" in odometry.state.echo
    odometry.look()
    assert len([message for message in caplog.messages if "feedback loop" in message]) == 1


def test_tf_of_the_robot_is_no_echo_when_the_frame_hangs_below_the_base(graph: Graph) -> None:
    tree = HandFedTree()
    owner = TfOwner(tree, "odom")
    params = NodeParams(odometry_frame="wheel_odom", tf_mode="base")
    odometry = external_odometry(graph.node("da3_node"), params, tree, owner)
    assert odometry is not None
    assert owner.may_publish("base_link")
    tree.send("odom", "base_link", turned(1.0, 0.0), START_NS)
    tree.send("base_link", "wheel_odom", turned(-1.0, 0.0), START_NS)  # the only way to give one robot two of them

    odometry.look()

    np.testing.assert_allclose(known(odometry.at(START_NS)), turned(1.0, 0.0), atol=1e-9)
    assert odometry.state.echo == ""


def test_node_between_our_output_and_the_robots_odometry_is_suspected_once(
    graph: Graph, caplog: pytest.LogCaptureFixture
) -> None:
    node, filter_node = graph.node("da3_node"), Wheels(graph)
    odometry = make(node, HandFedTree(), cameras=("front",))
    listener = graph.node("recorder")
    for topic, listens in (("/front/pose", filter_node.node), ("/front/pose", listener)):
        node.create_publisher(PoseWithCovarianceStamped, topic, 1)
        listens.create_subscription(PoseWithCovarianceStamped, topic, lambda message: None, 1)
    graph.spin_until(lambda: len(node.get_subscriptions_info_by_topic("/front/pose")) == 2)
    graph.spin_until(lambda: odometry.state.publishers == 1)
    filter_node.send(START_NS, turned(1.0, 0.0))
    graph.spin_until(lambda: odometry.at(START_NS) is not None)

    for _ in range(3):
        odometry.look()

    assert "/wheels takes /front/pose" in odometry.state.suspicion
    assert odometry.state.echo == ""
    assert odometry.at(START_NS) is not None
    assert len([message for message in caplog.messages if "feedback loop" in message]) == 1
