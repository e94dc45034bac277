# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The published trajectory: where the aligner's world lies in `odom` (REP-105), and the base's pose, twist, covariance.

The world has axes and unit of a segment's first window. In `odom` (REP-103: z up, metres once the scale is known) it
only ever moves in a way that leaves the base where it was said to be.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import Sim3, rigid, rigid_inverse
from da3_ros.streaming.alignment_report import AlignmentReport
from da3_ros.streaming.base_uncertainty import (
    FLOOR,
    VARIANCE_LIMIT,
    GaugeErrors,
    PlacedBase,
    joint_covariance,
    motion_between,
    motion_covariance,
    publishable,
    without_lengths,
)
from da3_ros.streaming.rig import BasePose
from da3_ros.streaming.scale import ScaleState

# rtabmap begins a new map when it reads this variance, and when it reads the identity pose anywhere but at the start.
RESET_VARIANCE = 9999.0
NOT_IDENTITY_M = 1e-6
IDENTITY_TOLERANCE = 1e-9
# Per axis, when track was lost and found again: the motion in between is unknown.
LOST_VARIANCE = 100.0
NO_SEGMENT = "the first window must be told by `begin_segment`"


@dataclass(frozen=True, slots=True, eq=False)
class OdometryState:
    """The base at one instant.

    Attributes:
        stamp_ns: of the frame set that it was found from.
        odom_from_base: (4, 4) rigid, metres, or the segment's unit while the scale is relative.
        linear_velocity: (3,) of the base in its own axes at this pose, metres (units) per second: the shift since the
            state before, over the time since then.
        angular_velocity: (3,) in the same axes, radians per second: the rotation vector since then, over that time.
        pose_covariance: (6, 6) of x y z and rotation about x y z, odom axes, relative to the place where odom began;
            in the unit of the pose, whose own arbitrariness is not in it: see `told_in_metres`.
        twist_covariance: (6, 6) of the velocities in the same order, base axes; in the unit of the velocities.
        is_reset: what follows is not a continuation of what was published before: the track was lost, the unit
            changed, or odom begins anew. Velocities are zero and all variances `RESET_VARIANCE`.
    """

    stamp_ns: int
    odom_from_base: FloatArray
    linear_velocity: FloatArray
    angular_velocity: FloatArray
    pose_covariance: FloatArray
    twist_covariance: FloatArray
    is_reset: bool


def told_in_metres(state: OdometryState, scale: ScaleState) -> OdometryState:
    """The state as it is handed out to those who take everything for metres.

    While the scale is relative, variances of position and velocity are `VARIANCE_LIMIT` and nothing is correlated with
    them; rotation is known all the same. A reset says nothing that could be taken away.
    """
    if scale.is_metric or state.is_reset:
        return state
    pose, twist = without_lengths(state.pose_covariance), without_lengths(state.twist_covariance)
    return replace(state, pose_covariance=pose, twist_covariance=twist)


class Odometry:
    """Places the world in odom window by window, and follows the base.

    Each good window is told by `begin_segment` or `advance`; then each of its new frame sets by `follow`.

    Args:
        path_length: how many states are kept for the path.
        is_metric_only: whether states are handed out in metres only, and withheld while the scale is relative.
    """

    def __init__(self, path_length: int = 1000, is_metric_only: bool = False) -> None:
        self._is_metric_only = is_metric_only
        self._path: deque[OdometryState] = deque(maxlen=path_length)
        self._level: FloatArray = np.eye(4)
        self._origin: FloatArray = np.eye(4)
        self._was_published = False
        self.reset()

    def reset(self) -> None:
        """Begin again: the next base pose is the origin."""
        self._path.clear()
        self._odom_from_world = Sim3.identity()
        self._is_reset = self._was_published
        self._scale: ScaleState | None = None
        self._report: AlignmentReport | None = None
        # The newest base pose and the covariance of its errors; none before the first since a reset.
        self._last: PlacedBase | None = None
        self._covariance = np.zeros((6, 6))
        # Of the gauge that `self._report` is relative to; none before the first base pose of a segment.
        self._gauge: GaugeErrors | None = None

    def set_up(self, up_in_base: npt.ArrayLike | None) -> None:
        """Learn which way is up at the first pose.

        It counts from the next origin on, unless that is known. There the base gets the smallest rotation that brings
        it level (about a horizontal axis, so nothing turns about the vertical), instead of the identity.

        Args:
            up_in_base: (3,) of any length, base axes; None when unknown, so that z of the first base pose is up.

        Raises:
            ValueError: when it has length zero or is not finite.
        """
        self._level = np.eye(4) if up_in_base is None else rigid(_levelling(up_in_base), np.zeros(3))

    @property
    def path(self) -> tuple[OdometryState, ...]:
        """The latest states, oldest first, all in one unit."""
        return tuple(self._path)

    @property
    def last_stamp_ns(self) -> int | None:
        """Of the newest base pose; None before the first since a reset."""
        return self._last.pose.stamp_ns if self._last else None

    @property
    def odom_from_world(self) -> Sim3:
        """Where the aligner's world lies; its scale is metres per world unit."""
        return self._odom_from_world

    def begin_segment(
        self,
        first_metric_from_base: npt.ArrayLike,
        report: AlignmentReport,
        scale: ScaleState,
        origin: FloatArray | None = None,
    ) -> None:
        """Take in a window that follows from nothing: the base goes on where it was last known, or from the origin.

        Args:
            first_metric_from_base: (4, 4) rigid, the base in the window's frame set that it goes on from, which is that
                of its newest pose or else the first one; in the world stretched to the scale's metres per unit.
            report: of the window.
            scale: what is known about metres.
            origin: (4, 4) rigid `odom_from_base` there, metres, for when no pose was told before; None where the
                base is the origin.
        """
        self._origin = self._level if origin is None else origin
        start = self._last.pose.odom_from_base if self._last else self._origin
        odom_from_metric = Sim3.from_rigid(start @ rigid_inverse(first_metric_from_base))
        self._odom_from_world = odom_from_metric @ Sim3(scale.metres_per_unit, np.eye(3), np.zeros(3))
        if self._scale and not (self._scale.is_metric and scale.is_metric):
            self._path.clear()
        self._is_reset = self._was_published
        self._gauge, self._report, self._scale = None, report, scale

    def advance(self, report: AlignmentReport, scale: ScaleState) -> None:
        """Take in a further good window of the segment, and what is known about metres now.

        A new scale stretches the world in odom about the middle of the last set's cameras, so that nothing that was
        published moves.

        Raises:
            ValueError: when no segment has begun.
        """
        if self._report is None or self._scale is None:
            raise ValueError(NO_SEGMENT)
        if self._gauge is not None:
            pivot = self._odom_from_world.apply(self._report.pivot)
            drift = 0.0 if self._scale.is_metric else self._report.scale_drift
            self._gauge = self._gauge.moved(pivot).stepped(self._report.step_covariance, self._odom_from_world, drift)
        self._stretch(scale)
        unit_changed = scale.is_metric != self._scale.is_metric
        self._report, self._scale = report, scale
        if unit_changed:
            self._forget_lengths()

    def follow(self, base_pose: BasePose, odom_from_camera: npt.ArrayLike) -> OdometryState:
        """The base at the next frame set of the window.

        Args:
            base_pose: in odom.
            odom_from_camera: (N, 4, 4) of its N views.

        Raises:
            ValueError: when no segment has begun, or a view has no pose.
        """
        cameras = np.asarray(odom_from_camera, dtype=np.float64)
        if cameras.shape != (len(base_pose.views), 4, 4):
            raise ValueError(f"poses {cameras.shape} for a base found from {len(base_pose.views)} views")
        now = PlacedBase(base_pose, base_pose.weights @ cameras[:, :3, 3])
        errors = self._own_covariance(now)
        if self._gauge is None:
            before = self._covariance + LOST_VARIANCE * np.eye(6) if self._last else np.zeros((6, 6))
            self._gauge, covariance = self._anchored(now, before + errors), before
        else:
            covariance = self._gauge.at(now.position, now.middle) + errors
        state = self._state(now, covariance)
        self._path.append(state)
        self._last, self._covariance = now, covariance
        # A reset that is withheld has still to be told.
        if not self._is_metric_only or (self._scale is not None and self._scale.is_metric):
            self._is_reset, self._was_published = False, True
        return state

    def _stretch(self, scale: ScaleState) -> None:
        fixed = self._last.middle if self._last else self._origin[:3, 3]
        ratio = scale.metres_per_unit / self._odom_from_world.scale
        if ratio != 1.0:
            self._odom_from_world = Sim3(ratio, np.eye(3), (1 - ratio) * fixed) @ self._odom_from_world
        if self._gauge is not None and scale.is_metric:
            self._gauge = self._gauge.moved(fixed).with_scale_variance(scale.sigma**2)

    def _forget_lengths(self) -> None:
        """Everything so far was in another unit: odom begins anew where the base is."""
        self._path.clear()
        self._is_reset = self._was_published
        if self._gauge is not None and self._last is not None:
            self._gauge = self._anchored(self._last, self._own_covariance(self._last))

    def _anchored(self, origin: PlacedBase, covariance: FloatArray) -> GaugeErrors:
        """The gauge's errors when odom is defined by a base pose where they amount to this covariance (6, 6)."""
        assert self._scale is not None
        joint = np.zeros((7, 7))
        joint[:6, :6] = covariance
        scale_variance = self._scale.sigma**2 if self._scale.is_metric else 0.0
        return GaugeErrors(origin.position, joint).moved(origin.middle).with_scale_variance(scale_variance)

    def _own_covariance(self, base: PlacedBase) -> FloatArray:
        """(6, 6) of a base's errors relative to the gauge."""
        jacobian = base.jacobian(self._odom_from_world)
        return jacobian @ self._errors_of(base) @ jacobian.T

    def _errors_of(self, *bases: PlacedBase) -> FloatArray:
        if self._report is None:
            raise ValueError(NO_SEGMENT)
        views = [view for base in bases for view in base.pose.views]
        return joint_covariance(self._report.errors, self._report.noise, views)

    def _state(self, now: PlacedBase, covariance: FloatArray) -> OdometryState:
        twist, twist_covariance = self._twist(now)
        return OdometryState(
            stamp_ns=now.pose.stamp_ns,
            odom_from_base=self._told(now.pose.odom_from_base),
            linear_velocity=twist[:3],
            angular_velocity=twist[3:],
            pose_covariance=RESET_VARIANCE * np.eye(6) if self._is_reset else publishable(covariance, FLOOR),
            twist_covariance=twist_covariance,
            is_reset=self._is_reset,
        )

    def _told(self, odom_from_base: FloatArray) -> FloatArray:
        is_start = self._is_reset or not self._was_published
        if is_start or np.abs(odom_from_base - np.eye(4)).max() > IDENTITY_TOLERANCE:
            return odom_from_base
        return rigid(odom_from_base[:3, :3], odom_from_base[:3, 3] + (NOT_IDENTITY_M, 0.0, 0.0))

    def _twist(self, now: PlacedBase) -> tuple[FloatArray, FloatArray]:
        """Mean velocity (6,) since the last pose, in base axes now, and its covariance (6, 6)."""
        last, gauge = self._last, self._gauge
        if self._is_reset:
            return np.zeros(6), RESET_VARIANCE * np.eye(6)
        if last is None or gauge is None or now.pose.stamp_ns <= last.pose.stamp_ns:
            return np.zeros(6), VARIANCE_LIMIT * np.eye(6)
        seconds = (now.pose.stamp_ns - last.pose.stamp_ns) * 1e-9
        twist = motion_between(last.pose.odom_from_base, now.pose.odom_from_base) / seconds
        scale_variance = float(gauge.covariance[6, 6])
        covariance = motion_covariance(last, now, self._errors_of(last, now), self._odom_from_world, scale_variance)
        return twist, publishable(covariance / seconds**2, FLOOR / seconds)


def _levelling(up_in_base: npt.ArrayLike) -> FloatArray:
    """(3, 3) the smallest rotation that turns a direction to +z."""
    up = np.asarray(up_in_base, dtype=np.float64)
    length = float(np.linalg.norm(up))
    if up.shape != (3,) or not (np.isfinite(length) and length > 0):
        raise ValueError(f"up must be three finite numbers that are not all zero, not {up.tolist()}")
    axis = np.cross(up, (0.0, 0.0, 1.0))
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9 * length:  # level already, or upside down, when any horizontal axis will do
        return matrix_from_rotation_vector((np.pi if up[2] < 0 else 0.0, 0.0, 0.0))
    return matrix_from_rotation_vector(np.arctan2(sine, up[2]) / sine * axis)
