# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What becomes known about the robot reaches the pipeline, in time and once."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from geometry_msgs.msg import Quaternion
from rclpy.node import Node
from sensor_msgs.msg import Imu
from tf2_ros import StaticTransformBroadcaster

from da3_ros.geometry.rotation import matrix_from_rotation_vector, quat_xyzw_from_matrix
from da3_ros.geometry.sim3 import rigid
from da3_ros.nodes import robot as robot_module
from da3_ros.nodes.robot import Robot
from da3_ros.ros.params import NodeParams
from da3_ros.ros.stamps import header
from da3_ros.ros.transform_messages import transform_message
from da3_ros.streaming.frame import Frame, FrameSet, Window
from da3_ros.streaming.pipeline import Pipeline
from test.nodes.tf_messages import HandFedTree
from test.ros.graph import Graph

FRONT = rigid(np.eye(3), [0.2, 0.0, 1.0])


class PipelineStub:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.placed: list[Any] = []
        self.ups: list[Any] = []

    def place_cameras(self, base_from_camera: Any) -> bool:
        self.placed.append(base_from_camera)
        return len(self.placed) == 1

    def set_up(self, up_in_base: Any) -> None:
        self.ups.append(up_in_base)


def window(index: int = 0) -> Window:
    frame = Frame("front", 1000 + index, "front_optical_frame", np.zeros((1, 1, 3), np.uint8), None)
    return Window(index, (FrameSet(index, frame.stamp_ns, (frame,)),))


def place(node: Node, *children: str) -> StaticTransformBroadcaster:
    broadcaster = StaticTransformBroadcaster(node)
    broadcaster.sendTransform([transform_message(FRONT, header(0, "base_link"), child) for child in children])
    return broadcaster


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robot_module, "PATIENCE_S", 0.0)


def prepare(robot: Robot, pipeline: PipelineStub, index: int = 0) -> None:
    robot.prepare(window(index), cast(Pipeline, pipeline))


def test_cameras_are_placed_when_tf_comes_late_and_tf_is_given_up_then(graph: Graph) -> None:
    node, pipeline = graph.node("da3_node"), PipelineStub()
    robot = Robot(node, NodeParams(cameras=("front",)))
    prepare(robot, pipeline)
    robot.look()
    assert pipeline.placed == []
    assert list(robot.state.rig.missing) == ["front"]

    sender = graph.node("robot_state_publisher")
    broadcaster = place(sender, "front_optical_frame")

    def is_placed() -> bool:
        prepare(robot, pipeline, 1)
        return bool(pipeline.placed)

    graph.spin_until(is_placed)
    np.testing.assert_allclose(pipeline.placed[0]["front"], FRONT, atol=1e-12)
    prepare(robot, pipeline, 2)
    assert len(pipeline.placed) == 1
    assert robot.state.rig.placed == 1

    robot.look()
    graph.spin_until(lambda: broadcaster.pub_tf.get_subscription_count() == 0)


@pytest.mark.parametrize("given", [{"tf_mode": "base"}, {"odometry_frame": "wheels"}, {"imu_topic": "/imu"}])
def test_tf_is_listened_to_for_as_long_as_it_is_wanted(graph: Graph, given: dict[str, Any]) -> None:
    node, pipeline = graph.node("da3_node"), PipelineStub()
    robot = Robot(node, NodeParams(cameras=("front",), **given))
    broadcaster = place(graph.node("robot_state_publisher"), "front_optical_frame")

    def is_placed() -> bool:
        prepare(robot, pipeline)
        return bool(pipeline.placed)

    graph.spin_until(is_placed)
    robot.look()

    assert node.count_subscribers("/tf") == 1
    robot.destroy()
    graph.spin_until(lambda: broadcaster.pub_tf.get_subscription_count() == 0)


def test_up_is_asked_once_for_each_trajectory(graph: Graph) -> None:
    node, pipeline = graph.node("da3_node"), PipelineStub()
    robot = Robot(node, NodeParams(cameras=("front",), imu_topic="/imu"))
    sender = graph.node("imu")
    place(sender, "imu_link", "front_optical_frame")
    publisher = sender.create_publisher(Imu, "/imu", 10)
    graph.spin_until(lambda: publisher.get_subscription_count() == 1)
    world_from_base = matrix_from_rotation_vector([0.1, 0.2, 0.0])
    x, y, z, w = quat_xyzw_from_matrix(world_from_base).tolist()

    def is_known() -> bool:
        publisher.publish(Imu(header=header(1000, "imu_link"), orientation=Quaternion(x=x, y=y, z=z, w=w)))
        robot.begin()
        prepare(robot, pipeline)
        return bool(pipeline.ups) and pipeline.ups[-1] is not None

    graph.spin_until(is_known)
    known = len(pipeline.ups)
    np.testing.assert_allclose(pipeline.ups[-1], world_from_base[2], atol=1e-9)
    prepare(robot, pipeline, 1)
    assert len(pipeline.ups) == known
    robot.begin()
    prepare(robot, pipeline, 2)
    assert len(pipeline.ups) == known + 1
    state = robot.state.gravity
    assert state is not None
    assert state.is_used


def test_up_is_asked_again_when_late_tf_begins_a_new_trajectory(graph: Graph) -> None:
    pipeline = PipelineStub()
    robot = Robot(graph.node("da3_node"), NodeParams(cameras=("front",), imu_topic="/imu"))
    prepare(robot, pipeline)
    assert len(pipeline.ups) == 1
    place(graph.node("robot_state_publisher"), "front_optical_frame")

    def is_placed() -> bool:
        prepare(robot, pipeline, 1)
        return bool(pipeline.placed)

    graph.spin_until(is_placed)
    assert len(pipeline.ups) == 2


def test_reason_is_kept_when_up_is_not_known(graph: Graph, caplog: pytest.LogCaptureFixture) -> None:
    pipeline = PipelineStub()
    robot = Robot(graph.node("da3_node"), NodeParams(cameras=("front",), imu_topic="/imu"))

    prepare(robot, pipeline)

    state = robot.state.gravity
    assert state is not None
    assert "no message" in state.reason
    assert pipeline.ups == [None]  # the tilt of the trajectory before is forgotten
    assert any("up is not known" in message for message in caplog.messages)


def test_odometry_is_none_when_there_is_none(graph: Graph) -> None:
    robot = Robot(graph.node("da3_node"), NodeParams(cameras=("front",)))

    assert robot.odometry_at(1) is None
    assert robot.state.odometry is None
    assert robot.state.gravity is None


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch) -> HandFedTree:
    """The TF of the robots that are made in the test."""
    tree = HandFedTree()
    monkeypatch.setattr(robot_module, "TfTree", lambda node: tree)
    return tree


@pytest.mark.parametrize(("stamp_ns", "x"), [(1_500_000_000, 10.5), (2_400_000_000, 11.0), (600_000_000, None)])
def test_trajectory_begins_where_another_node_has_the_base_near_its_stamp(
    graph: Graph, tree: HandFedTree, stamp_ns: int, x: float | None
) -> None:
    robot = Robot(graph.node("da3_node"), NodeParams(cameras=("front",)))
    assert robot.origin_at(stamp_ns) is None
    for second in (1, 2):
        tree.send("odom", "base_link", rigid(np.eye(3), [9.0 + second, 0.0, 0.0]), second * 1_000_000_000)

    origin = robot.origin_at(stamp_ns)

    assert (None if origin is None else origin[0, 3]) == x


def test_trajectory_does_not_begin_where_we_have_put_the_base_ourselves(graph: Graph, tree: HandFedTree) -> None:
    robot = Robot(graph.node("da3_node"), NodeParams(cameras=("front",), tf_mode="base"))
    assert robot.tf_owner.may_publish("base_link")
    tree.send("odom", "base_link", FRONT, 1000)

    assert robot.origin_at(1000) is None


@pytest.mark.parametrize(("parent", "listens"), [("odom", True), ("map", False)])
def test_tf_is_listened_to_for_as_long_as_it_gives_the_origin_of_the_next_trajectory(
    graph: Graph, tree: HandFedTree, parent: str, listens: bool
) -> None:
    robot, pipeline = Robot(graph.node("da3_node"), NodeParams(cameras=("front",))), PipelineStub()
    tree.send(parent, "base_link", FRONT, 1000)
    tree.send("base_link", "front_optical_frame", FRONT, is_static=True)
    prepare(robot, pipeline)
    assert pipeline.placed

    robot.look()

    assert bool(tree.node.callbacks) == listens
