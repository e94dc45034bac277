# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which way is up on the base, from an IMU (REP-145)."""

from __future__ import annotations

import logging
from collections import deque
from threading import Lock

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Imu

from da3_ros.geometry.rotation import FloatArray, matrix_from_quat_xyzw
from da3_ros.nodes.tf_tree import TfTree
from da3_ros.ros.log_bridge import throttled
from da3_ros.ros.qos import AdaptiveSubscription
from da3_ros.ros.stamps import to_ns
from da3_ros.streaming.gravity import StillForce

HISTORY = 1000  # orientations: 2.5 s at 400 Hz
DEPTH = 50  # messages that may wait while the executor is busy with an image
UNIT_TOLERANCE = 0.01
CONTRADICTION_RAD = np.deg2rad(10)
_log = logging.getLogger(__name__)


class Gravity:
    """Listens to an IMU from its making until `destroy`.

    Its orientation is taken where it has one (in a world whose z is up), at the stamp asked for; else, and where the
    orientation contradicts what is felt while nearly still, the mean specific force of the newest second.

    Args:
        node: owner of the subscription.
        topic: its name.
        base_frame: the base.
        tf: where the IMU's place on the base is looked up.
    """

    def __init__(self, node: Node, topic: str, base_frame: str, tf: TfTree) -> None:
        self._tf = tf
        self._base_frame = base_frame
        self._force = StillForce()
        self._ups: deque[tuple[int, FloatArray]] = deque(maxlen=HISTORY)
        self._frame = ""
        self._lock = Lock()
        self._subscription = AdaptiveSubscription(node, Imu, topic, self._on_message, depth=DEPTH)
        self.topic = self._subscription.topic

    def destroy(self) -> None:
        """Stop listening."""
        self._subscription.destroy()

    @property
    def publishers(self) -> int:
        """Publishers connected at present."""
        return self._subscription.publisher_count

    def up_in_base(self, stamp_ns: int) -> tuple[FloatArray | None, str]:
        """(3,) unit vector at about this stamp, or None and why not; never waits, for any thread."""
        with self._lock:
            frame, ups = self._frame, list(self._ups)
            felt, reason = self._force.up()
        if not frame:
            return None, f"no message with a frame_id on {self.topic} yet"
        try:
            base_from_imu = self._tf.lookup(self._base_frame, frame)
        except LookupError as error:
            return None, f"TF does not place the IMU '{frame}' on the base: {error}"
        up_in_imu = min(ups, key=lambda stamped: abs(stamped[0] - stamp_ns))[1] if ups else felt
        if up_in_imu is None:
            return None, reason
        if felt is not None and up_in_imu @ felt < np.cos(CONTRADICTION_RAD):
            degrees = np.rad2deg(np.arccos(np.clip(up_in_imu @ felt, -1, 1)))
            once = throttled("imu/contradiction", np.inf)
            _log.warning("%s: its orientation is %.0f degrees off gravity: not used", self.topic, degrees, extra=once)
            up_in_imu = felt
        return base_from_imu[:3, :3] @ up_in_imu, ""

    def _on_message(self, message: Imu) -> None:
        stamp_ns = to_ns(message.header.stamp)
        force, rate = message.linear_acceleration, message.angular_velocity
        with self._lock:
            self._frame = message.header.frame_id
            # REP-145: -1 says that there is no such measurement.
            if message.linear_acceleration_covariance[0] != -1:
                self._force.add(stamp_ns, (force.x, force.y, force.z), (rate.x, rate.y, rate.z))
            up = _up_of(message)
            if up is None:
                return
            if self._ups and stamp_ns < self._ups[-1][0]:
                self._ups.clear()  # time has jumped back
            self._ups.append((stamp_ns, up))


def _up_of(message: Imu) -> FloatArray | None:
    """(3,) the world's z in the IMU's axes by its orientation; None without a usable one."""
    quat_xyzw = np.array([getattr(message.orientation, axis) for axis in "xyzw"])
    is_unit = abs(np.linalg.norm(quat_xyzw) - 1) < UNIT_TOLERANCE
    # Drivers without an orientation often forget to say so, and leave zeros or the identity: nobody measures that.
    if message.orientation_covariance[0] == -1 or not is_unit or not quat_xyzw[:3].any():
        return None
    up: FloatArray = matrix_from_quat_xyzw(quat_xyzw)[2]  # R^T z is R's third row
    return up
