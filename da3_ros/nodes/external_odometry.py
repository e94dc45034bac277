# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The robot's own odometry, from a topic or from TF: where the base was at any image's stamp."""

from __future__ import annotations

import numpy as np
from nav_msgs.msg import Odometry
from rclpy.node import Node

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import FloatArray
from da3_ros.nodes.feedback_guard import FeedbackGuard
from da3_ros.nodes.robot_health import OdometryInputState
from da3_ros.nodes.tf_owner import TfOwner
from da3_ros.nodes.tf_tree import TfTree
from da3_ros.ros.params import NodeParams
from da3_ros.ros.qos import AdaptiveSubscription
from da3_ros.ros.stamps import to_ns
from da3_ros.ros.transform_messages import pose_to_matrix
from da3_ros.streaming.pose_history import PoseHistory

HISTORY = 4000  # poses: 10 s at 400 Hz
DEPTH = 50  # messages that may wait while the executor is busy with an image


class OdometryTopic:
    """Poses from nav_msgs/Odometry; another child frame than the base is taken to the base by TF, read once.

    Args:
        node: owner of the subscription.
        topic: its name.
        base_frame: the base.
        tf: where a child frame's place on the base is looked up.
    """

    def __init__(self, node: Node, topic: str, base_frame: str, tf: TfTree) -> None:
        self._tf = tf
        self._base_frame = base_frame
        self._history = PoseHistory(HISTORY)
        self._child_frame = base_frame
        self._child_from_base: FloatArray | None = np.eye(4)
        self._subscription = AdaptiveSubscription(node, Odometry, topic, self._on_message, depth=DEPTH)
        self.source = self._subscription.topic
        self.problem = ""

    def destroy(self) -> None:
        """Stop listening."""
        self._subscription.destroy()

    @property
    def publishers(self) -> int:
        """Publishers connected at present."""
        return self._subscription.publisher_count

    def newest_ns(self) -> int | None:
        """Stamp of the newest pose."""
        return self._history.newest_ns

    def at(self, stamp_ns: int) -> FloatArray | None:
        """The pose of the base, interpolated between neighbours; None when it is not known (yet)."""
        odom_from_child = self._history.at(stamp_ns)
        child_from_base = self._base_in_child()
        return None if odom_from_child is None or child_from_base is None else odom_from_child @ child_from_base

    def _on_message(self, message: Odometry) -> None:
        try:
            odom_from_child = pose_to_matrix(message.pose.pose)
        except DegenerateGeometryError as error:
            self.problem = f"its newest pose cannot be used: {error}"
            return
        if not np.isfinite(odom_from_child).all():
            self.problem = "its newest pose is not finite"
            return
        self.problem = ""
        child_frame = message.child_frame_id.lstrip("/") or self._base_frame
        if child_frame != self._child_frame:
            self._history.clear()
            self._child_frame = child_frame
            self._child_from_base = np.eye(4) if child_frame == self._base_frame else None
        self._history.add(to_ns(message.header.stamp), odom_from_child)

    def _base_in_child(self) -> FloatArray | None:
        if self._child_from_base is None:
            try:
                self._child_from_base = self._tf.lookup(self._child_frame, self._base_frame)
            except LookupError as error:
                self.problem = f"it is about '{self._child_frame}', which TF does not tie to the base: {error}"
        return self._child_from_base


class OdometryTf:
    """Poses from TF, at the exact stamp, interpolated by tf2.

    Args:
        odometry_frame: parent of them.
        base_frame: the base.
        tf: where they are looked up.
    """

    publishers = -1

    def __init__(self, odometry_frame: str, base_frame: str, tf: TfTree) -> None:
        self._frames = (odometry_frame, base_frame)
        self._tf = tf
        self.source = f"TF {odometry_frame} <- {base_frame}"
        self.problem = ""

    def destroy(self) -> None:
        """The tree is not ours to end."""

    def newest_ns(self) -> int | None:
        """Stamp of the newest pose."""
        try:
            stamp_ns, _ = self._tf.newest(*self._frames)
        except LookupError as error:
            self.problem = str(error)
            return None
        self.problem = "" if stamp_ns else "it never moves: only /tf_static ties the two frames"
        return stamp_ns or None

    def at(self, stamp_ns: int) -> FloatArray | None:
        """The pose of the base; None when it is not known (yet)."""
        try:
            return self._tf.lookup(*self._frames, stamp_ns)
        except LookupError:
            return None


class ExternalOdometry:
    """Counts what is asked of the robot's odometry, and withholds all of it while it is an echo of our own.

    Args:
        origin: where the poses come from.
        guard: knows echoes.
    """

    def __init__(self, origin: OdometryTopic | OdometryTf, guard: FeedbackGuard) -> None:
        self._origin = origin
        self._guard = guard
        self._asked = self._answered = 0
        self._asked_ns = 0

    def destroy(self) -> None:
        """Stop listening."""
        self._origin.destroy()

    def look(self) -> None:
        """Look for feedback loops; on the executor's thread, now and then."""
        self._guard.look()

    def at(self, stamp_ns: int) -> FloatArray | None:
        """(4, 4) rigid `odom_from_base` in metres at a stamp, or None when it is not known (yet); never waits."""
        pose = self._origin.at(stamp_ns)
        # After the pose, so that no edge can have come in between: the scale could not unlearn it.
        self._guard.look_at_tf()
        if self._guard.echo:
            pose = None
        self._asked += 1
        self._answered += pose is not None
        self._asked_ns = stamp_ns
        return pose

    @property
    def state(self) -> OdometryInputState:
        """For diagnostics."""
        origin, newest_ns = self._origin, self._origin.newest_ns()
        return OdometryInputState(
            source=origin.source,
            publishers=origin.publishers,
            age_ns=None if newest_ns is None or not self._asked else self._asked_ns - newest_ns,
            answered=self._answered,
            asked=self._asked,
            problem=origin.problem,
            echo=self._guard.echo,
            suspicion=self._guard.suspicion,
        )


def external_odometry(node: Node, params: NodeParams, tf: TfTree, owner: TfOwner) -> ExternalOdometry | None:
    """The odometry that the parameters name, or None when they name none."""
    if not (params.odometry_topic or params.odometry_frame):
        return None
    guard = FeedbackGuard(node, params, tf, owner)
    if params.odometry_topic:
        return ExternalOdometry(OdometryTopic(node, params.odometry_topic, params.base_frame, tf), guard)
    return ExternalOdometry(OdometryTf(params.odometry_frame, params.base_frame, tf), guard)
