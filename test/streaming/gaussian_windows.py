# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows whose errors are exactly what their reports say: normal noise per view, chained by least squares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from da3_ros.geometry.pose_errors import PoseErrors, ViewNoise
from da3_ros.geometry.prediction import ViewKey
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, mean_rotation
from da3_ros.geometry.sim3 import Sim3, rigid, rigid_inverse
from da3_ros.geometry.view_registration import moved_jacobian, stepped
from da3_ros.streaming.alignment_report import AlignmentReport
from da3_ros.streaming.odometry import Odometry, OdometryState
from da3_ros.streaming.rig import BODY_FROM_OPTICAL, BasePose
from da3_ros.streaming.scale import ScaleState

PERIOD_NS = 100_000_000
NOISE = ViewNoise(rotation_rad=3.5e-3, centre=0.01, log_depth=5e-3)
METRES_PER_UNIT = 2.5
WORLD_FROM_TRUE = Sim3(1 / METRES_PER_UNIT, matrix_from_rotation_vector([0.4, -1.1, 0.7]), np.array([3.0, 1.0, -2.0]))
ONE = (BODY_FROM_OPTICAL,)
AHEAD = (rigid(matrix_from_rotation_vector([0.0, 0.2, 0.3]), [0.4, 0.1, 0.3]) @ BODY_FROM_OPTICAL,)
TWO = tuple(
    rigid(matrix_from_rotation_vector([0.0, 0.1, yaw]), [0.3, side, 0.2]) @ BODY_FROM_OPTICAL
    for yaw, side in ((0.5, 0.4), (-0.6, -0.5))
)
RELATIVE = ScaleState("relative", 1.0, float("inf"), 0)


def fixed(metres_per_unit: float, sigma: float = 0.0) -> ScaleState:
    return ScaleState("fixed", metres_per_unit, sigma, 0)


def report(
    errors: PoseErrors,
    noise: ViewNoise = NOISE,
    step_covariance: FloatArray | None = None,
    pivot: FloatArray | None = None,
    scale_drift: float = 0.0,
) -> AlignmentReport:
    """A good window; the first of a segment when it has no step."""
    return AlignmentReport(
        ok=True,
        reason="",
        new_segment=step_covariance is None,
        lost=False,
        world_from_window=Sim3.identity(),
        scale_ratio=1.0,
        scale_sigma=0.01,
        residual=0.0,
        inliers=1.0,
        overlap_views=3,
        noise=noise,
        errors=errors,
        step_covariance=np.zeros((7, 7)) if step_covariance is None else step_covariance,
        pivot=np.zeros(3) if pivot is None else pivot,
        scale_drift=scale_drift,
        distrusted=frozenset(),
    )


def base_from_cameras(
    keys: Sequence[ViewKey],
    odom_from_camera: FloatArray,
    rig: Sequence[FloatArray],
    weights: FloatArray | None = None,
) -> BasePose:
    """Mean orientation, then mean of where that puts the base; with equal weights when None."""
    weights = np.full(len(rig), 1 / len(rig)) if weights is None else weights
    places = np.stack(rig)
    rotation = mean_rotation(odom_from_camera[:, :3, :3] @ places[:, :3, :3].swapaxes(1, 2), weights)
    position = weights @ (odom_from_camera[:, :3, 3] - places[:, :3, 3] @ rotation.T)
    return BasePose(keys[0].stamp_ns, rigid(rotation, position), tuple(keys), weights, frozenset())


@lru_cache
def curve(index: int) -> FloatArray:
    """true_from_base, metres: about 0.8 m/s and 20 degrees/s on a hilly circle, after `index` periods."""
    angle = 0.035 * index
    position = [2.2 * np.sin(angle), 2.2 * (1 - np.cos(angle)), 0.2 * np.sin(3 * angle)]
    tilt = [0.1 * np.sin(2 * angle), 0.1 * np.cos(3 * angle), 0.0]
    return rigid(matrix_from_rotation_vector([0.0, 0.0, angle]) @ matrix_from_rotation_vector(tilt), position)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What was published for one set, and the truth relative to the first."""

    state: OdometryState
    odom_from_base: FloatArray
    window: int


class GaussianRun:
    """One robot, one seed.

    Args:
        rig: base_from_camera.
        seed: of all noise.
        size: sets per window.
        stride: new sets per window.
        scale_sigma: of each window's independent measurement of the scale; None: the scale is relative.
    """

    def __init__(
        self, rig: Sequence[FloatArray], seed: int, size: int = 8, stride: int = 4, scale_sigma: float | None = 0.02
    ) -> None:
        self.rig, self.size, self.stride, self.scale_sigma = rig, size, stride, scale_sigma
        self.rng = np.random.default_rng(seed)
        self.odometry = Odometry()
        # What the chain has made of the true world so far, and the scale tracker's error and its variance.
        self.estimate_from_truth = Sim3.identity()
        self.log_scale_error, self.log_scale_variance = 0.0, float("inf")

    def steps(self, windows: int) -> Iterator[Step]:
        before: FloatArray = np.zeros((0, 7))
        for window in range(windows):
            first = window * self.stride
            noise = self.rng.normal(size=(self.size * len(self.rig), 7)) * np.sqrt(NOISE.variances)
            if window == 0:
                new, errors = range(self.size), np.diag(np.tile(NOISE.variances, len(noise)))
                told = report(PoseErrors(self._keys(new), errors))
            else:
                new = range(first + self.size - self.stride, first + self.size)
                told = self._chained(before, noise, range(first, new.start), new)
            placed = {index: self._world_from_cameras(index, noise, index - first) for index in new}
            self._tell(told, self._scale(), placed[new.start])
            for index in new:
                yield Step(self._follow(index, placed[index]), self._truth(index), window)
            before = noise

    def _truth(self, index: int) -> FloatArray:
        truth = rigid_inverse(curve(0)) @ curve(index)
        if self.scale_sigma is None:
            truth[:3, 3] /= METRES_PER_UNIT
        return truth

    def _keys(self, indices: range) -> tuple[ViewKey, ...]:
        return tuple(ViewKey(str(camera), index * PERIOD_NS) for index in indices for camera in range(len(self.rig)))

    def _true_cameras(self, indices: range) -> FloatArray:
        return WORLD_FROM_TRUE.apply_to_poses(
            np.stack([curve(index) @ place for index in indices for place in self.rig])
        )

    def _world_from_cameras(self, index: int, noise: FloatArray, row: int) -> FloatArray:
        error = noise[row * len(self.rig) : (row + 1) * len(self.rig)]
        true = self._true_cameras(range(index, index + 1))
        shaken = rigid(matrix_from_rotation_vector(-error[:, :3]) @ true[:, :3, :3], true[:, :3, 3] - error[:, 3:6])
        return self.estimate_from_truth.apply_to_poses(shaken)

    def _chained(self, before: FloatArray, noise: FloatArray, shared: range, new: range) -> AlignmentReport:
        """Moves the estimate on by the least-squares step between two windows, and says what is known about it."""
        cameras = len(self.rig)
        old, now = before[-len(shared) * cameras :], noise[: len(shared) * cameras]
        centres = self._true_cameras(shared)[:, :3, 3]
        pivot = centres.mean(axis=0)
        jacobian = moved_jacobian(centres, pivot).reshape(-1, 7)
        weight = 1 / np.tile(2 * NOISE.variances, len(old))
        covariance = np.linalg.inv(jacobian.T @ (weight[:, None] * jacobian))
        gain = covariance @ jacobian.T * weight
        error = gain @ (old - now).ravel()
        # Errors of the newest published set and of the new views by all noise: of `old`, `now`, and the new views.
        newest = np.zeros((7 * cameras, 2 * old.size))
        newest[:, old.size - 7 * cameras : old.size] = np.eye(7 * cameras)
        by_new = moved_jacobian(self._true_cameras(new)[:, :3, 3], pivot).reshape(-1, 7)
        by_noise = np.concatenate((newest, by_new @ np.concatenate((gain, -gain), axis=1)))
        joint = by_noise * np.tile(NOISE.variances, 2 * len(old)) @ by_noise.T
        fresh = np.arange(7 * cameras, len(joint))
        joint[fresh, fresh] += np.tile(NOISE.variances, len(new) * cameras)
        keys = self._keys(range(shared.stop - 1, shared.stop)) + self._keys(new)
        told = report(
            PoseErrors(keys, joint), NOISE, covariance, self.estimate_from_truth.apply(pivot), covariance[6, 6]
        )
        self.estimate_from_truth = self.estimate_from_truth @ stepped(Sim3.identity(), pivot, -error)
        return told

    def _scale(self) -> ScaleState:
        """The tracker: a Kalman filter of a constant, told the world's drift by its measurements."""
        if self.scale_sigma is None:
            return RELATIVE
        measured, variance = self.rng.normal() * self.scale_sigma, self.scale_sigma**2
        gain = (
            1.0 if np.isinf(self.log_scale_variance) else self.log_scale_variance / (self.log_scale_variance + variance)
        )
        self.log_scale_error += gain * (measured - self.log_scale_error)
        self.log_scale_variance = gain * variance
        unit = METRES_PER_UNIT / self.estimate_from_truth.scale
        return fixed(unit * float(np.exp(-self.log_scale_error)), float(np.sqrt(self.log_scale_variance)))

    def _tell(self, told: AlignmentReport, scale: ScaleState, first: FloatArray) -> None:
        if told.new_segment:
            metric = Sim3(scale.metres_per_unit, np.eye(3), np.zeros(3)).apply_to_poses(first)
            self.odometry.begin_segment(
                base_from_cameras(self._keys(range(1)), metric, self.rig).odom_from_base, told, scale
            )
        else:
            self.odometry.advance(told, scale)

    def _follow(self, index: int, world_from_camera: FloatArray) -> OdometryState:
        odom_from_camera = self.odometry.odom_from_world.apply_to_poses(world_from_camera)
        base = base_from_cameras(self._keys(range(index, index + 1)), odom_from_camera, self.rig)
        return self.odometry.follow(base, odom_from_camera)
