# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Notices when the odometry that comes in is made of the odometry that goes out."""

from __future__ import annotations

import logging
import time

from rclpy.node import Node

from da3_ros.nodes.tf_owner import TfOwner
from da3_ros.nodes.tf_tree import TfTree
from da3_ros.ros.params import NodeParams

LOOK_PERIOD_S = 5.0
NOT_KNOWN_YET = "_NODE_NAMESPACE_UNKNOWN_/_NODE_NAME_UNKNOWN_"  # what rmw says of a node just discovered
_log = logging.getLogger(__name__)


class FeedbackGuard:
    """Looks now and then on the executor's thread, at TF whenever a pose is asked for; warns once about each loop.

    An echo is our own output come back unchanged: it says nothing, and is not used. Another node that takes our
    odometry and publishes the one that comes in is only suspected: it may have other sources besides.

    Attributes:
        echo: how our own output comes back; empty when it does not.
        suspicion: which node may pass it on; empty when none does.

    Args:
        node: owner of our topics.
        params: where the odometry comes from.
        tf: edges between the two frames of the incoming odometry.
        owner: which edges are ours.
    """

    def __init__(self, node: Node, params: NodeParams, tf: TfTree, owner: TfOwner) -> None:
        self._node = node
        self._topic, self._frame = params.odometry_topic, params.odometry_frame
        self._base_frame = params.base_frame
        self._tf, self._owner = tf, owner
        self._ours = ["~/odom", *(f"{name}/pose".lstrip("/") for name in params.cameras)]
        self._due_s = 0.0
        self._told: set[str] = set()
        self.echo = self._echo_of_settings(params)
        self.suspicion = ""
        self._warn()

    def look(self) -> None:
        """Look at the TF tree, and at most every five seconds at the graph of nodes."""
        self.look_at_tf()
        if not self.echo and time.monotonic() >= self._due_s:
            self._due_s = time.monotonic() + LOOK_PERIOD_S
            self.suspicion = self._suspicion()
        self._warn()

    def look_at_tf(self) -> None:
        """Look at the TF tree alone; for any thread."""
        if not self._frame or self.echo:
            return
        ours = sorted(self._owner.ours & self._tf.frames_between(self._frame, self._base_frame))
        if ours:
            way = f"TF {self._frame} <- {self._base_frame}"
            self.echo = f"{way} passes through '{ours[0]}', whose place in it this node itself publishes"
            self._warn()

    def _echo_of_settings(self, params: NodeParams) -> str:
        resolve = self._node.resolve_topic_name
        if self._topic and resolve(self._topic) == resolve("~/odom"):
            return f"odometry_topic {resolve(self._topic)} is this node's own output"
        if self._frame == params.odom_frame and params.tf_mode == "base":
            return f"odometry_frame and odom_frame are both '{self._frame}', and tf_mode 'base' publishes it"
        return ""

    def _suspicion(self) -> str:
        source = self._topic or "/tf"
        # Not our own node, nor a recorder of everything: a player publishes, but listens to nothing of ours.
        publishers = {_name(end) for end in self._node.get_publishers_info_by_topic(source)} - {NOT_KNOWN_YET}
        for topic in self._ours:
            resolved = self._node.resolve_topic_name(topic)
            listeners = {_name(end) for end in self._node.get_subscriptions_info_by_topic(resolved)}
            both = sorted(publishers & listeners - {self._node.get_fully_qualified_name()})
            if both:
                what = self._node.resolve_topic_name(source)
                return f"{both[0]} takes {resolved} and publishes {what}, which comes back as the robot's odometry"
        return ""

    def _warn(self) -> None:
        for text, effect in ((self.echo, "it is not used"), (self.suspicion, "scale and poses may confirm themselves")):
            if text and text not in self._told:
                self._told.add(text)
                _log.warning("feedback loop: %s: %s", text, effect)


def _name(endpoint: object) -> str:
    """Full name of the node behind a publisher or subscription."""
    namespace, name = getattr(endpoint, "node_namespace", "/"), getattr(endpoint, "node_name", "")
    return f"{namespace.rstrip('/')}/{name}"
