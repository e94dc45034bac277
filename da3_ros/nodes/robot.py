# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the rest of the robot tells: where its cameras sit, which way is up, how it moves by its own account."""

from __future__ import annotations

import logging
import time
from threading import Event

import numpy as np
from rclpy.node import Node

from da3_ros.geometry.rotation import FloatArray
from da3_ros.nodes.external_odometry import external_odometry
from da3_ros.nodes.gravity import Gravity
from da3_ros.nodes.rig_lookup import LOOK_PERIOD_S, RigLookup
from da3_ros.nodes.robot_health import GravityState, RigInputState, RobotState
from da3_ros.nodes.tf_owner import TfOwner
from da3_ros.nodes.tf_tree import TfTree
from da3_ros.ros.params import NodeParams
from da3_ros.streaming.frame import Window
from da3_ros.streaming.pipeline import Pipeline

PATIENCE_S = 2.0
ORIGIN_TOLERANCE_NS = 500_000_000
_log = logging.getLogger(__name__)


class Robot:
    """Everything that comes in besides images, from its making until `destroy`.

    `prepare`, `odometry_at` and `origin_at` are for the inference thread, all else for the executor's.

    Attributes:
        tf_owner: which edges are ours to publish.
    """

    def __init__(self, node: Node, params: NodeParams) -> None:
        self._params = params
        self._tf = TfTree(node)
        self.tf_owner = TfOwner(self._tf, params.odom_frame)
        self._deadline_s = time.monotonic() + PATIENCE_S
        # Of images seen one by one, no pose follows that a rig could be held against.
        self._placed_cameras = () if params.is_monocular else params.cameras
        self._rig = RigLookup(self._tf, params.base_frame, self._placed_cameras, PATIENCE_S)
        self._odometry = external_odometry(node, params, self._tf, self.tf_owner)
        self._gravity = Gravity(node, params.imu_topic, params.base_frame, self._tf) if params.imu_topic else None
        self._is_level, self._tilt_reason = False, ""
        self._begins = True
        self._stopping = Event()

    def destroy(self) -> None:
        """Stop listening."""
        self._tf.destroy()
        for part in (self._odometry, self._gravity):
            if part is not None:
                part.destroy()

    def stop(self) -> None:
        """End a wait of `prepare`; before the inference thread is waited for."""
        self._rig.stop()
        self._stopping.set()

    def begin(self) -> None:
        """A new trajectory begins with the next window: which way is up is asked anew."""
        self._begins = True

    def odometry_at(self, stamp_ns: int) -> FloatArray | None:
        """(4, 4) `odom_from_base` by the robot's own odometry, metres; None when it is not known (yet)."""
        return None if self._odometry is None else self._odometry.at(stamp_ns)

    def origin_at(self, stamp_ns: int) -> FloatArray | None:
        """(4, 4) `odom_from_base` by another node's TF at about this stamp, metres; None where none gives it."""
        if not self._has_foreign_origin:
            return None
        frames = self._params.odom_frame, self._params.base_frame
        try:
            return self._tf.lookup(*frames, stamp_ns)
        except LookupError as error:
            nearest, reason = self._newest_near(stamp_ns), str(error)
        if nearest is None:
            _log.warning("the trajectory begins at zero, not where TF has '%s' in '%s': %s", *reversed(frames), reason)
        return nearest

    def _newest_near(self, stamp_ns: int) -> FloatArray | None:
        """TF that began, or will come, a little after the image will do: while a robot starts up it stands."""
        try:
            newest_ns, pose = self._tf.newest(self._params.odom_frame, self._params.base_frame)
        except LookupError:
            return None
        return pose if abs(newest_ns - stamp_ns) <= ORIGIN_TOLERANCE_NS else None

    @property
    def _has_foreign_origin(self) -> bool:
        way = self._tf.frames_between(self._params.odom_frame, self._params.base_frame)
        return bool(way) and not way & self.tf_owner.ours

    def prepare(self, window: Window, pipeline: Pipeline) -> None:
        """Before a window: tell the pipeline what has become known; the first call waits a little for what is not."""
        placed = self._rig.poll(window.frame_sets[-1].frames)
        if placed is not None:
            self._begins |= pipeline.place_cameras(placed)
        if self._begins and self._gravity is not None:
            self._set_up(self._gravity, window.frame_sets[0].stamp_ns, pipeline)
        self._begins = False

    def look(self) -> None:
        """Now and then: look for feedback loops, and stop listening to TF when nothing more is wanted of it."""
        params = self._params
        if self._odometry is not None:
            self._odometry.look()
        wants_tf = params.odometry_topic or params.odometry_frame or params.imu_topic or params.tf_mode != "none"
        # A trajectory that begins at a reset asks for its origin again.
        if not (wants_tf or self._rig.missing or (params.has_track and self._has_foreign_origin)):
            self._tf.destroy()

    @property
    def state(self) -> RobotState:
        """For diagnostics."""
        missing = self._rig.missing
        rig = RigInputState(
            placed=len(self._placed_cameras) - len(missing),
            missing=missing,
            refused=self.tf_owner.refused,
            is_needed=self._params.tf_mode != "cameras" or self._params.scale_mode == "rig",
            has_looked=self._rig.has_looked,
        )
        odometry = None if self._odometry is None else self._odometry.state
        return RobotState(rig, odometry, self._gravity_state())

    def _gravity_state(self) -> GravityState | None:
        imu = self._gravity
        return None if imu is None else GravityState(imu.topic, imu.publishers, self._is_level, self._tilt_reason)

    def _set_up(self, gravity: Gravity, stamp_ns: int, pipeline: Pipeline) -> None:
        up, reason = gravity.up_in_base(stamp_ns)
        while up is None and time.monotonic() < self._deadline_s and not self._stopping.wait(LOOK_PERIOD_S):
            up, reason = gravity.up_in_base(stamp_ns)
        self._is_level, self._tilt_reason = up is not None, reason
        if up is None:
            _log.warning("which way is up is not known, so '%s' is upright: %s", self._params.base_frame, reason)
            pipeline.set_up(None)
            return
        pipeline.set_up(up)
        lean = np.rad2deg(np.arccos(np.clip(up[2], -1, 1)))
        _log.info("gravity is known: '%s' leans by %.1f degrees at the start", self._params.base_frame, lean)
