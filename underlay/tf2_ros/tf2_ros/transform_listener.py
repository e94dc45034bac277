# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Fills a buffer from /tf and /tf_static."""

from __future__ import annotations

import threading
from contextlib import suppress

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from tf2_ros.buffer import Buffer

AUTHORITY = "default_authority"  # a DDS message does not say which node sent it


class TransformListener:
    """Feeds ``buffer`` with every transform on ``/tf`` and ``/tf_static``, in the node's executor or its own thread."""

    def __init__(
        self,
        buffer: Buffer,
        node: Node,
        *,
        spin_thread: bool = False,
        qos: QoSProfile | int | None = None,
        static_qos: QoSProfile | int | None = None,
    ) -> None:
        if qos is None:
            qos = QoSProfile(depth=100, durability=DurabilityPolicy.VOLATILE, history=HistoryPolicy.KEEP_LAST)
        if static_qos is None:
            static_qos = QoSProfile(
                depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL, history=HistoryPolicy.KEEP_LAST
            )
        self.buffer = buffer
        self.node = node
        # Reentrant, so that a callback of the default group may wait for a transform while others come in.
        self.group = ReentrantCallbackGroup()
        self.tf_sub = node.create_subscription(TFMessage, "/tf", self.callback, qos, callback_group=self.group)
        self.tf_static_sub = node.create_subscription(
            TFMessage, "/tf_static", self.static_callback, static_qos, callback_group=self.group
        )
        if spin_thread:
            self._stopping = threading.Event()
            self.executor = SingleThreadedExecutor(context=node.context)
            self.dedicated_listener_thread = threading.Thread(
                target=_spin, args=(self.executor, node, self._stopping), name="tf2_listener"
            )
            self.dedicated_listener_thread.start()

    def __del__(self) -> None:
        # No join: the collector may run this in a thread that holds a lock the listener thread waits for.
        if hasattr(self, "dedicated_listener_thread") and self.dedicated_listener_thread.is_alive():
            self.executor.create_task(self._stopping.set)
        if hasattr(self, "tf_static_sub"):
            self.unregister()

    def unregister(self) -> None:
        """Stop listening."""
        self.node.destroy_subscription(self.tf_sub)
        self.node.destroy_subscription(self.tf_static_sub)

    def callback(self, data: TFMessage) -> None:
        for transform in data.transforms:
            self.buffer.set_transform(transform, AUTHORITY)

    def static_callback(self, data: TFMessage) -> None:
        for transform in data.transforms:
            self.buffer.set_transform_static(transform, AUTHORITY)


def _spin(executor: SingleThreadedExecutor, node: Node, stopping: threading.Event) -> None:
    executor.add_node(node)
    with suppress(ExternalShutdownException):
        while node.context.ok() and not stopping.is_set():
            executor.spin_once()
    executor.shutdown()
