# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A robot whose cameras are placed without any error, so that its odometry can be compared digit by digit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from da3_ros.geometry.pose_errors import PoseErrors
from da3_ros.geometry.prediction import ViewKey
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import Sim3
from da3_ros.streaming.odometry import Odometry, OdometryState
from da3_ros.streaming.scale import ScaleState
from test.streaming.gaussian_windows import ONE, WORLD_FROM_TRUE, base_from_cameras, fixed, report

METRES_PER_UNIT = 1 / WORLD_FROM_TRUE.scale
METRIC = fixed(METRES_PER_UNIT, sigma=0.01)
SECOND_NS = 1_000_000_000
# Nothing joint is known: every view has its own noise.
NO_ERRORS = PoseErrors((), np.zeros((0, 0)))


def keys(rig: Sequence[FloatArray], stamp_ns: int) -> tuple[ViewKey, ...]:
    return tuple(ViewKey(str(camera), stamp_ns) for camera in range(len(rig)))


class Robot:
    """Drives through a world without noise, and tells its odometry."""

    def __init__(self, rig: Sequence[FloatArray] = ONE, weights: FloatArray | None = None) -> None:
        self.rig = rig
        self.weights = np.full(len(rig), 1 / len(rig)) if weights is None else weights
        self.odometry = Odometry()
        self.true_from_base: FloatArray = np.eye(4)
        self.stamp_ns = 0

    @property
    def world_from_camera(self) -> FloatArray:
        return WORLD_FROM_TRUE.apply_to_poses(self.true_from_base @ np.stack(self.rig))

    def begin(self, scale: ScaleState = METRIC) -> None:
        metric = Sim3(scale.metres_per_unit, np.eye(3), np.zeros(3)).apply_to_poses(self.world_from_camera)
        base = base_from_cameras(keys(self.rig, 0), metric, self.rig, self.weights).odom_from_base
        self.odometry.begin_segment(base, report(NO_ERRORS), scale)

    def advance(self, scale: ScaleState = METRIC) -> None:
        step = np.diag([1e-5] * 3 + [1e-4] * 3 + [1e-5])
        pivot = self.world_from_camera[0, :3, 3]
        self.odometry.advance(report(NO_ERRORS, step_covariance=step, pivot=pivot, scale_drift=1e-5), scale)

    def base_now(self) -> FloatArray:
        """As the cameras lie in odom now, whatever was published."""
        odom_from_camera = self.odometry.odom_from_world.apply_to_poses(self.world_from_camera)
        return base_from_cameras(keys(self.rig, 0), odom_from_camera, self.rig, self.weights).odom_from_base

    def follow(self, motion: FloatArray | None = None, after_ns: int = SECOND_NS) -> OdometryState:
        self.true_from_base = self.true_from_base @ (np.eye(4) if motion is None else motion)
        self.stamp_ns += after_ns
        odom_from_camera = self.odometry.odom_from_world.apply_to_poses(self.world_from_camera)
        base = base_from_cameras(keys(self.rig, self.stamp_ns), odom_from_camera, self.rig, self.weights)
        return self.odometry.follow(base, odom_from_camera)
