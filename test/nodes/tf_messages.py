# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""TF as other nodes would send it, handed to a tree without any DDS."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
from rclpy.node import Node
from tf2_msgs.msg import TFMessage

from da3_ros.nodes.tf_tree import TfTree
from da3_ros.ros.stamps import header
from da3_ros.ros.transform_messages import transform_message


class SilentNode:
    """What a TfTree asks of a node, without a graph behind it: the subscriptions are fed by hand."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Any] = {}

    def create_subscription(self, message_type: type[Any], topic: str, callback: Any, *_: Any, **__: Any) -> str:
        self.callbacks[topic] = callback
        return topic

    def destroy_subscription(self, topic: str) -> None:
        self.callbacks.pop(topic, None)  # a listener ends twice: when it is told to, and when it is collected


class HandFedTree(TfTree):
    """A tree whose TF comes from `send`."""

    def __init__(self) -> None:
        self.node = SilentNode()
        super().__init__(cast(Node, self.node))

    def send(
        self, parent: str, child: str, pose: npt.ArrayLike | None = None, stamp_ns: int = 0, is_static: bool = False
    ) -> None:
        """One edge: `parent_from_child`, (4, 4), identity when None."""
        matrix = np.eye(4) if pose is None else np.asarray(pose)
        message = TFMessage(transforms=[transform_message(matrix, header(stamp_ns, parent), child)])
        self.node.callbacks["/tf_static" if is_static else "/tf"](message)
