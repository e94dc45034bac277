# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The rest of a robot: what else than images reaches the node, and TF as any other node would hear it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseWithCovariance
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import Imu
from tf2_msgs.msg import TFMessage
from tf2_ros import Buffer, StaticTransformBroadcaster

from da3_ros.geometry.rotation import FloatArray
from da3_ros.ros.stamps import header
from da3_ros.ros.transform_messages import pose_message, transform_message, transform_to_matrix
from test.graph.cameras import frame_id_of, stamp_of
from test.graph.recorder import Recorder
from test.graph.truth import edges_of

WHEELS, IMU = "wheel/odom", "imu/data"
LATCHED = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def listen_to_tf(recorder: Recorder) -> None:
    """Keep all TF from now on, and what is latched."""
    recorder.listen("/tf", TFMessage)
    recorder.listen("/tf_static", TFMessage, LATCHED)


def buffer_of(recorder: Recorder) -> Buffer:
    """A TF buffer of all that has come."""
    buffer = Buffer()
    for edge in edges_of(recorder.messages("/tf")):
        buffer.set_transform(edge, "recorder")
    for edge in edges_of(recorder.messages("/tf_static")):
        buffer.set_transform_static(edge, "recorder")
    return buffer


def looked_up(buffer: Buffer, target: str, source: str, number: int) -> FloatArray:
    """`target_from_source` at exactly the stamp of the n-th set."""
    return transform_to_matrix(buffer.lookup_transform(target, source, Time(nanoseconds=stamp_of(number))).transform)


def parents(recorder: Recorder) -> dict[str, set[str]]:
    """Every parent that a frame was ever given, by frame."""
    found: dict[str, set[str]] = defaultdict(set)
    for topic in ("/tf", "/tf_static"):
        for edge in edges_of(recorder.messages(topic)):
            found[edge.child_frame_id].add(edge.header.frame_id)
    return dict(found)


class Robot:
    """A node that publishes what it is told to; it has no callbacks, so nobody spins it."""

    def __init__(self, **options: Any) -> None:
        self.node = Node("robot", start_parameter_services=False, **options)
        self._odometry = self.node.create_publisher(Odometry, WHEELS, 100)
        self._imu = self.node.create_publisher(Imu, IMU, 100)
        self._static = StaticTransformBroadcaster(self.node)

    def place(self, base_from_camera: Mapping[str, FloatArray], others: Iterable[tuple[str, str]] = ()) -> None:
        """Tell TF, in one message, where cameras sit on the base, and what else hangs in its parent unmoved."""
        about = header(0, "base_link")
        edges = [transform_message(pose, about, frame_id_of(name)) for name, pose in base_from_camera.items()]
        edges += [transform_message(np.eye(4), header(0, parent), child) for parent, child in others]
        self._static.sendTransform(edges)

    def place_imu(self, base_from_imu: FloatArray) -> None:
        """Tell TF where the IMU sits on the base."""
        self._static.sendTransform([transform_message(base_from_imu, header(0, "base_link"), "imu_link")])

    @property
    def odometry_is_heard(self) -> bool:
        """Whether somebody takes the odometry."""
        return bool(self._odometry.get_subscription_count())

    @property
    def imu_is_heard(self) -> bool:
        """Whether somebody takes the IMU."""
        return bool(self._imu.get_subscription_count())

    def send_odometry(self, stamp_ns: int, odom_from_base: FloatArray) -> None:
        """Where the base is by the wheels."""
        pose = PoseWithCovariance(pose=pose_message(odom_from_base))
        self._odometry.publish(Odometry(header=header(stamp_ns, "wheels"), child_frame_id="base_link", pose=pose))

    def send_orientation(self, stamp_ns: int, world_from_imu: FloatArray) -> None:
        """How the IMU lies in a world whose z is up."""
        orientation = pose_message(world_from_imu).orientation
        self._imu.publish(Imu(header=header(stamp_ns, "imu_link"), orientation=orientation))

    def close(self) -> None:
        """Stop publishing."""
        self.node.destroy_node()
