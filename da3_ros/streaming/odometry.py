# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Camera poses to the pose, twist and covariance of the robot's base in the world (the `odom` frame of REP-105)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.registration import rotation_vector_from_matrix
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import Sim3, rigid, rigid_inverse
from da3_ros.streaming.aligner import AlignmentReport
from da3_ros.streaming.frame import Frame, Window
from da3_ros.streaming.scale import ScaleState

# Body axes (x forward, y left, z up) of an optical frame (x right, y down, z forward): REP-103.
BODY_FROM_OPTICAL = rigid([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], np.zeros(3))
# Noise of one pose even when windows agree perfectly: 1 mm (or a thousandth of a unit) and 0.05 degrees.
POSITION_VARIANCE_FLOOR = 1e-6
ROTATION_VARIANCE_FLOOR = 8e-7
# Added when track was lost, as the motion in the gap is unknown; and the most that is ever said, because
# robot_localization warns above 1e3 and rtabmap takes 9999 for a reset.
LOST_VARIANCE = 100.0
VARIANCE_LIMIT = 900.0


@dataclass(frozen=True, slots=True, eq=False)
class OdometryState:
    """The base at one instant.

    Attributes:
        stamp_ns: of the frame that the pose was taken from.
        world_from_base: (4, 4) rigid, world units.
        linear_velocity: (3,) in the base frame, world units per second; zero at the start of a segment.
        angular_velocity: (3,) in the base frame, radians per second.
        pose_covariance: (6, 6) of x y z and rotation about x y z, in the world frame.
        twist_covariance: (6, 6) the same order, in the base frame.
    """

    stamp_ns: int
    world_from_base: FloatArray
    linear_velocity: FloatArray
    angular_velocity: FloatArray
    pose_covariance: FloatArray
    twist_covariance: FloatArray


class Odometry:
    """Follows the base; the world begins where and as the base stood at the first window.

    Args:
        base_from_camera: (4, 4) rigid per camera, of its optical frame. Cameras that are not named are learned from
            sets where they appear beside a known one; with no name at all the first camera's body axes are the base.
            Offsets are taken in world units, so an up-to-scale world turns about the wrong point.
        path_length: how many poses are kept for the path.
    """

    def __init__(self, base_from_camera: Mapping[str, FloatArray], path_length: int = 1000) -> None:
        self._given: dict[str, FloatArray] = {
            camera: np.asarray(matrix, dtype=np.float64) for camera, matrix in base_from_camera.items()
        }
        self._path: deque[OdometryState] = deque(maxlen=path_length)
        self.reset()

    def reset(self) -> None:
        """Begin again: the next base pose is the origin."""
        self._base_from_camera = dict(self._given)
        self._path.clear()
        self._position_variance = POSITION_VARIANCE_FLOOR
        self._rotation_variance = ROTATION_VARIANCE_FLOOR
        self._scale_variance = 0.0
        self._step_variances = (0.0, 0.0)

    def place_cameras(self, base_from_camera: Mapping[str, FloatArray]) -> None:
        """Learn where cameras sit on the base, and begin again."""
        self._given = {camera: np.asarray(matrix, dtype=np.float64) for camera, matrix in base_from_camera.items()}
        self.reset()

    @property
    def path(self) -> tuple[OdometryState, ...]:
        """The latest states, oldest first."""
        return tuple(self._path)

    def begin_segment(self, window: Window, prediction: Prediction, scale: ScaleState) -> Sim3:
        """`world_from_window` of a window that follows from nothing: its first base pose is the last one known."""
        self._base_from_camera = {
            camera: matrix
            for camera, matrix in self._base_from_camera.items()
            if camera in self._given or matrix is BODY_FROM_OPTICAL
        }
        cameras = [frame.camera for frame in window.frame_sets[0].frames]
        known = [camera for camera in cameras if camera in self._base_from_camera] or cameras[:1]
        base_from_camera = self._base_from_camera.setdefault(known[0], BODY_FROM_OPTICAL)
        world_from_base = self._path[-1].world_from_base if self._path else np.eye(4)
        world_from_camera = world_from_base @ base_from_camera
        camera_from_window = Sim3.from_rigid(prediction.window_from_camera[cameras.index(known[0])]).inverse()
        metric = Sim3(scale.metres_per_unit, np.eye(3), np.zeros(3))
        return Sim3.from_rigid(world_from_camera) @ metric @ camera_from_window

    def advance(self, report: AlignmentReport) -> None:
        """Take in how much less is known after one more aligned window."""
        if report.new_segment:
            rotation = position = LOST_VARIANCE if self._path else 0.0
            self._scale_variance = 0.0
        else:
            variances = np.diagonal(report.covariance)
            rotation, position = float(variances[:3].mean()), float(variances[3:6].mean())
            self._scale_variance += float(variances[6])
        self._step_variances = (position, rotation)
        self._position_variance += position
        self._rotation_variance += rotation

    def follow(self, frames: Sequence[Frame], world_from_camera: Sequence[FloatArray]) -> OdometryState | None:
        """The base at one frame set, from its first camera whose place on the base is known.

        Args:
            frames: of one set.
            world_from_camera: (4, 4) of each.

        Returns:
            None when no camera of the set has been seen beside a known one yet.
        """
        known = [index for index, frame in enumerate(frames) if frame.camera in self._base_from_camera]
        if not known:
            return None
        frame = frames[known[0]]
        world_from_base = world_from_camera[known[0]] @ rigid_inverse(self._base_from_camera[frame.camera])
        for other, pose in zip(frames, world_from_camera, strict=True):
            if other.camera not in self._base_from_camera:
                self._base_from_camera[other.camera] = rigid_inverse(world_from_base) @ pose
        state = self._state(frame.stamp_ns, world_from_base)
        self._path.append(state)
        return state

    def _state(self, stamp_ns: int, world_from_base: FloatArray) -> OdometryState:
        linear: FloatArray = np.zeros(3)
        angular: FloatArray = np.zeros(3)
        linear_variance = angular_variance = VARIANCE_LIMIT
        position_step, rotation_step = self._step_variances
        if self._path and stamp_ns > self._path[-1].stamp_ns and position_step < LOST_VARIANCE:
            seconds = (stamp_ns - self._path[-1].stamp_ns) * 1e-9
            before_from_now = rigid_inverse(self._path[-1].world_from_base) @ world_from_base
            linear = before_from_now[:3, :3].T @ before_from_now[:3, 3] / seconds
            angular = rotation_vector_from_matrix(before_from_now[:3, :3]) / seconds
            stretch = self._scale_variance * float(before_from_now[:3, 3] @ before_from_now[:3, 3])
            self._position_variance += stretch
            linear_variance = (2 * POSITION_VARIANCE_FLOOR + position_step + stretch) / seconds**2
            angular_variance = (2 * ROTATION_VARIANCE_FLOOR + rotation_step) / seconds**2
        self._step_variances = (0.0, 0.0)
        return OdometryState(
            stamp_ns=stamp_ns,
            world_from_base=world_from_base,
            linear_velocity=linear,
            angular_velocity=angular,
            pose_covariance=_covariance(self._position_variance, self._rotation_variance),
            twist_covariance=_covariance(linear_variance, angular_variance),
        )


def _covariance(position: float, rotation: float) -> FloatArray:
    # rtabmap takes exactly 1 for "not filled in".
    bounded = [min(variance, VARIANCE_LIMIT) for variance in (position, rotation)]
    return np.diag(np.repeat([1.0 + 1e-6 if variance == 1.0 else variance for variance in bounded], 3))
