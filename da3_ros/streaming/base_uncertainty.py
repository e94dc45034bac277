# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From the errors of camera poses to covariances of the base's pose and motion, to first order and in full.

An error of the base has six numbers, in the order of a message's covariance: true position minus estimate, then a
rotation vector e with R_true = exp(e) R; both in odom axes. That of a gauge has a seventh, the logarithm of the factor
by which everything placed through it must be stretched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from da3_ros.geometry.pose_errors import VIEW_ERRORS, PoseErrors, ViewNoise
from da3_ros.geometry.prediction import ViewKey
from da3_ros.geometry.rotation import FloatArray, rotation_vector_from_matrix
from da3_ros.geometry.sim3 import Sim3
from da3_ros.streaming.rig import BasePose

# robot_localization warns of variances above 1e3, and rtabmap takes 9999 for a reset.
VARIANCE_LIMIT = 900.0
# What nobody should believe to be better known, however well windows agree: 1 mm and 0.05 degrees.
FLOOR = np.repeat((1e-3, np.radians(0.05)), 3)


@dataclass(frozen=True, slots=True, eq=False)
class PlacedBase:
    """A base pose in odom, with the middle of the cameras that it was found from.

    Attributes:
        pose: the base, its views and their weights.
        middle: (3,) odom, weighted mean of the centres of their cameras.
    """

    pose: BasePose
    middle: FloatArray

    @property
    def position(self) -> FloatArray:
        """(3,) odom."""
        return self.pose.odom_from_base[:3, 3]

    def jacobian(self, odom_from_world: Sim3) -> FloatArray:
        """(6, 7N) of the base's errors by those of its N views, which are in world axes and units."""
        per_view = np.zeros((6, VIEW_ERRORS))
        per_view[:3, :3] = cross_matrix(self.middle - self.position) @ odom_from_world.rotation
        per_view[:3, 3:6] = odom_from_world.scale * odom_from_world.rotation
        per_view[3:, :3] = odom_from_world.rotation
        return np.kron(self.pose.weights, per_view)


@dataclass(frozen=True, slots=True, eq=False)
class GaugeErrors:
    """How uncertain the place of a window's gauge in odom is.

    Attributes:
        pivot: (3,) odom, the point that the shift is of and that rotation and stretch leave where it is.
        covariance: (7, 7) of shift, rotation vector, log scale.
    """

    pivot: FloatArray
    covariance: FloatArray

    def moved(self, pivot: FloatArray) -> GaugeErrors:
        """The same errors said of another pivot."""
        lever = np.eye(7)
        lever[:3] = _lever_rows(pivot - self.pivot, pivot - self.pivot)
        return GaugeErrors(pivot, lever @ self.covariance @ lever.T)

    def at(self, position: FloatArray, middle: FloatArray) -> FloatArray:
        """(6, 6) what they do to a base at that position, whose cameras' middle (3,) is stretched from the pivot."""
        lever = np.eye(6, 7)
        lever[:3] = _lever_rows(position - self.pivot, middle - self.pivot)
        return lever @ self.covariance @ lever.T

    def stepped(self, step: FloatArray, odom_from_world: Sim3, scale_variance: float) -> GaugeErrors:
        """After a step of the gauge about this pivot.

        Args:
            step: (7, 7) of rotation vector, shift, log scale in world axes and units, as an alignment reports it.
            odom_from_world: where the world lies.
            scale_variance: what the step adds to that of the log scale; the step's own also holds what the views
                shared with the window before already tell.
        """
        turned = np.zeros((7, 7))
        turned[:3, 3:6] = odom_from_world.scale * odom_from_world.rotation
        turned[3:6, :3] = odom_from_world.rotation
        covariance = self.covariance + turned @ step @ turned.T
        covariance[6, 6] += scale_variance
        return GaugeErrors(self.pivot, covariance)

    def with_scale_variance(self, variance: float) -> GaugeErrors:
        """After the scale has been corrected about the pivot, so that what is there stays as wrong as it was.

        A smaller variance means that the scale was measured: what is left of its old error is the share that a Kalman
        update leaves, old error times new variance over old. A larger one means independent drift.
        """
        covariance = self.covariance.copy()
        left = min(1.0, variance / covariance[6, 6]) if covariance[6, 6] > 0 else 0.0
        covariance[6, :6] *= left
        covariance[:6, 6] *= left
        covariance[6, 6] = variance
        return GaugeErrors(self.pivot, covariance)


def joint_covariance(errors: PoseErrors, noise: ViewNoise, views: Sequence[ViewKey]) -> FloatArray:
    """(7N, 7N) of N views; one that no joint error is known of has its own noise."""
    known = {key: index for index, key in enumerate(errors.keys)}
    at = np.array([known.get(view, -1) for view in views], dtype=np.intp)
    states = (VIEW_ERRORS * at[:, None] + np.arange(VIEW_ERRORS)).ravel()
    covariance = np.diag(np.tile(noise.variances, len(views)))
    inside = np.flatnonzero(states >= 0)
    covariance[np.ix_(inside, inside)] = errors.covariance[np.ix_(states[inside], states[inside])]
    return covariance


def carried_covariance(covariance: FloatArray, odom_from_base: FloatArray, odom_from_camera: FloatArray) -> FloatArray:
    """(6, 6) of the pose of a camera that is fixed to the base, from that of the base's pose."""
    lever = np.eye(6)
    lever[:3, 3:] = -cross_matrix(odom_from_camera[:3, 3] - odom_from_base[:3, 3])
    return publishable(lever @ covariance @ lever.T, FLOOR) if covariance[0, 0] < VARIANCE_LIMIT else covariance


def motion_between(odom_from_before: FloatArray, odom_from_now: FloatArray) -> FloatArray:
    """(6,) shift and rotation vector from one rigid (4, 4) pose to another, in the axes of the second."""
    now = odom_from_now[:3, :3]
    turn = rotation_vector_from_matrix(odom_from_before[:3, :3].T @ now)
    return np.concatenate((now.T @ (odom_from_now[:3, 3] - odom_from_before[:3, 3]), turn))


def motion_jacobian(odom_from_before: FloatArray, odom_from_now: FloatArray) -> FloatArray:
    """(6, 12) of `motion_between` by the errors of the first pose, then of the second.

    The rotation vector by the inverse right Jacobian of SO(3) (Sola et al. 2018, "A micro Lie theory", eq. 144).
    """
    into_now = odom_from_now[:3, :3].T
    motion = motion_between(odom_from_before, odom_from_now)
    turn, angle = cross_matrix(motion[3:]), float(np.linalg.norm(motion[3:]))
    # (1 - a/2 cot(a/2)) / a^2, whose division cancels below: its series there.
    second = 1 / 12 + angle**2 / 720 if angle < 1e-2 else (1 - angle / 2 / np.tan(angle / 2)) / angle**2
    by_turn = (np.eye(3) + turn / 2 + second * turn @ turn) @ into_now
    jacobian = np.zeros((6, 12))
    jacobian[:3, :3], jacobian[:3, 6:9] = -into_now, into_now
    jacobian[:3, 9:] = into_now @ cross_matrix(odom_from_now[:3, 3] - odom_from_before[:3, 3])
    jacobian[3:, 3:6], jacobian[3:, 9:] = -by_turn, by_turn
    return jacobian


def motion_covariance(
    before: PlacedBase, now: PlacedBase, errors: FloatArray, odom_from_world: Sim3, scale_variance: float
) -> FloatArray:
    """(6, 6) of `motion_between` two base poses.

    Args:
        before: the first.
        now: the second.
        errors: (7N, 7N) of the views of both, in that order.
        odom_from_world: the errors of views are in world axes and units.
        scale_variance: of the logarithm of its scale.
    """
    by_pose = motion_jacobian(before.pose.odom_from_base, now.pose.odom_from_base)
    by_view = np.concatenate(
        (by_pose[:, :6] @ before.jacobian(odom_from_world), by_pose[:, 6:] @ now.jacobian(odom_from_world)), axis=1
    )
    # The way of the cameras is stretched, their levers to the base are not.
    by_scale = by_pose[:, 6:9] @ (now.middle - before.middle)
    return by_view @ errors @ by_view.T + scale_variance * np.outer(by_scale, by_scale)


def publishable(covariance: FloatArray, floor: FloatArray) -> FloatArray:
    """A covariance as consumers take it: finite, above zero, at most `VARIANCE_LIMIT`, never exactly one.

    Correlations stay. rtabmap takes exactly one for "not filled in".

    Args:
        covariance: (6, 6); one that is not finite says that nothing is known.
        floor: (6,) standard deviations; in no direction is it said to be less.
    """
    if not np.isfinite(covariance).all():
        return VARIANCE_LIMIT * np.eye(6)
    unit = np.minimum(floor, np.sqrt(VARIANCE_LIMIT))
    values, vectors = np.linalg.eigh(_limited((covariance + covariance.T) / 2) / np.outer(unit, unit))
    published = _limited((vectors * np.maximum(values, 1.0)) @ vectors.T * np.outer(unit, unit))
    published = (published + published.T) / 2
    diagonal = np.diagonal(published)
    np.fill_diagonal(published, np.where(diagonal == 1.0, 1.0 + 1e-6, diagonal))
    return published


def without_lengths(covariance: FloatArray) -> FloatArray:
    """What is left of the covariance (6, 6) of a pose or a twist when its unit of length is arbitrary: the rotation.

    Whoever takes the numbers for metres is off by a factor that nobody knows.
    """
    left = np.zeros((6, 6))
    left[:3, :3] = VARIANCE_LIMIT * np.eye(3)
    left[3:, 3:] = covariance[3:, 3:]
    return left


def cross_matrix(vector: FloatArray) -> FloatArray:
    """(3, 3) whose product with x is vector x x."""
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def _lever_rows(turned: FloatArray, stretched: FloatArray) -> FloatArray:
    """(3, 7) shift of a point by the errors of a gauge, from the pivot to what is turned and to what is stretched."""
    return np.concatenate((np.eye(3), -cross_matrix(turned), stretched[:, None]), axis=1)


def _limited(covariance: FloatArray) -> FloatArray:
    variances = np.maximum(np.diagonal(covariance), VARIANCE_LIMIT)
    shrink = np.sqrt(VARIANCE_LIMIT / variances)
    return covariance * np.outer(shrink, shrink)
