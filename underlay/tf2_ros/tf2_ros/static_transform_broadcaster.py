# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Publishes the transforms of fixed frames on /tf_static, for those who join later too."""

from __future__ import annotations

from collections.abc import Iterable

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from tf2_ros.transform_broadcaster import as_list

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL, history=HistoryPolicy.KEEP_LAST)


class StaticTransformBroadcaster:
    """Sends on ``/tf_static`` everything it was ever given, so that the one latched message is complete.

    As in upstream, a child frame keeps its first transform: what is static cannot be changed.
    """

    def __init__(self, node: Node, qos: QoSProfile | int | None = None) -> None:
        self.pub_tf = node.create_publisher(TFMessage, "/tf_static", LATCHED if qos is None else qos)
        self.net_message = TFMessage()

    def sendTransform(self, transform: TransformStamped | Iterable[TransformStamped]) -> None:
        sent = {known.child_frame_id for known in self.net_message.transforms}
        for new in as_list(transform):
            if new.child_frame_id not in sent:
                sent.add(new.child_frame_id)
                self.net_message.transforms.append(new)
        self.pub_tf.publish(self.net_message)
