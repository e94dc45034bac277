# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Metres per world unit from the distance travelled, predicted against another odometry's."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import FloatArray, mean_rotation, rotation_angle
from da3_ros.streaming.scale import ScaleObservation
from da3_ros.streaming.scale_sources import Slope, largest_by_chance, slope_observation

# The external odometry must have moved so far: its noise, a millimetre or two, must not count.
MIN_DISTANCE_M = 0.3
# Once something is believed, one stretch of this length tells more than two of half of it.
FULL_DISTANCE_M = 0.6
# What is older is forgotten: the world drifts meanwhile.
MAX_STRETCH_NS = 10_000_000_000
MAX_SAMPLES = 256
# How late or early the external odometry's stamps may be.
DELAY_SIGMA_S = 0.05
# A camera whose place on the base nobody knows may be so far from it. When the base turns that camera goes another way
# than the base, by this share of it at most; beyond, nothing is said.
LEVER_M = 0.3
MAX_LEVER_SHARE = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """One place of a camera, predicted and by the external odometry; the drifts are those since the sample before."""

    stamp_ns: int
    world_from_camera: FloatArray
    odom_from_camera: FloatArray  # of the base where the camera's place on it is not known
    centre_noise: float
    scale_drift: float
    position_drift: float


class OdometryScale:
    """Distance travelled, predicted against an external odometry, stretch by stretch."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque()
        self.forget()

    def forget(self) -> None:
        """A new segment has another unit and another origin."""
        self._samples.clear()
        self._scale_drift = self._position_drift = 0.0

    def advance(self, scale_drift: float, position_drift: float) -> None:
        """Take in how far the world may have drifted with one more window.

        Args:
            scale_drift: variance that the logarithm of the world's unit gained.
            position_drift: variance of the world's shift per axis, world units squared.
        """
        self._scale_drift += scale_drift
        self._position_drift += position_drift

    def observe(
        self,
        stamp_ns: int,
        world_from_camera: FloatArray,
        odom_from_camera: FloatArray | None,
        centre_noise: float,
        believed: float | None = None,
        is_placed: bool = True,
    ) -> ScaleObservation | None:
        """Take in one new frame set.

        Args:
            stamp_ns: of the set; not after the last one begins a new stretch.
            world_from_camera: (4, 4) rigid, one camera of the set as predicted, world units.
            odom_from_camera: (4, 4) rigid, the same camera by the external odometry, metres; None when unknown.
            centre_noise: standard deviation of the predicted centre per axis, world units.
            believed: metres per unit to expect, None without a clue.
            is_placed: whether the camera's place on the base is known. If not, `odom_from_camera` is of the base, and
                all sets of a stretch must be of one camera.

        Returns:
            One observation, independent of all others, when this set ends a stretch that tells something.
        """
        if odom_from_camera is None or not np.isfinite((world_from_camera, odom_from_camera)).all():
            return None
        if self._samples and stamp_ns <= self._samples[-1].stamp_ns:
            self._samples.clear()
        drifts = (self._scale_drift, self._position_drift)
        self._scale_drift = self._position_drift = 0.0
        self._samples.append(_Sample(stamp_ns, world_from_camera, odom_from_camera, centre_noise, *drifts))
        if self._distance() < (MIN_DISTANCE_M if believed is None or self._is_long() else FULL_DISTANCE_M):
            while self._is_long():
                self._samples.popleft()
            return None
        slope = _stretch_slope(tuple(self._samples), is_placed)
        self._samples.clear()
        return None if slope is None else slope_observation("odom", slope, stamp_ns, believed)

    def _distance(self) -> float:
        """From the first place to the last, not along the path: noise at rest never adds up."""
        first, last = self._samples[0].odom_from_camera, self._samples[-1].odom_from_camera
        return float(np.linalg.norm(last[:3, 3] - first[:3, 3]))

    def _is_long(self) -> bool:
        age_ns = self._samples[-1].stamp_ns - self._samples[0].stamp_ns
        return age_ns >= MAX_STRETCH_NS or len(self._samples) >= MAX_SAMPLES


def window_scale(
    stamps_ns: Sequence[int],
    world_from_camera: FloatArray,
    odom_from_camera: Sequence[FloatArray | None],
    centre_noise: float,
    believed: float | None = None,
    is_placed: bool = True,
) -> ScaleObservation | None:
    """Distance travelled within one window, which no drift has touched.

    Args:
        stamps_ns: of N frame sets of the window, rising.
        world_from_camera: (N, 4, 4) rigid, one camera of each as this window predicts it, world units.
        odom_from_camera: the same cameras by the external odometry, (4, 4) each, metres; None where unknown.
        centre_noise: standard deviation of one predicted centre per axis, world units.
        believed: metres per unit to expect, None without a clue.
        is_placed: see `OdometryScale.observe`.

    Returns:
        None when the robot has not moved MIN_DISTANCE_M within the window.
    """
    samples = [
        _Sample(stamp_ns, ours, theirs, centre_noise, 0.0, 0.0)
        for stamp_ns, ours, theirs in zip(stamps_ns, world_from_camera, odom_from_camera, strict=True)
        if theirs is not None and np.isfinite((ours, theirs)).all()
    ]
    if len(samples) < 3:
        return None
    places = np.stack([sample.odom_from_camera[:3, 3] for sample in samples])
    if np.linalg.norm(places - places[-1], axis=1).max() < MIN_DISTANCE_M:
        return None
    slope = _stretch_slope(samples, is_placed)
    return None if slope is None else slope_observation("odom", slope, stamps_ns[-1], believed)


def _stretch_slope(samples: Sequence[_Sample], is_placed: bool) -> Slope | None:
    """Predicted places on the external ones, with the external stamps' delay as a nuisance."""
    world = np.stack([sample.world_from_camera for sample in samples])
    odom = np.stack([sample.odom_from_camera for sample in samples])
    if not is_placed and _lever_share(odom) > MAX_LEVER_SHARE:
        return None
    try:
        world_from_odom = _turn(world, odom) if is_placed else _turn_of_ways(world, odom)
    except DegenerateGeometryError:
        return None
    seconds = np.array([sample.stamp_ns - samples[0].stamp_ns for sample in samples]) * 1e-9
    known, predicted = odom[:, :3, 3], world[:, :3, 3] @ world_from_odom  # rows: R^T p
    velocity = np.gradient(known, seconds, axis=0)
    known, predicted, velocity = (rows - rows.mean(axis=0) for rows in (known, predicted, velocity))
    length = float(np.vdot(known, known))
    rough = float(np.vdot(known, predicted)) / length
    if rough <= 0:
        return None
    # Exact input must not divide by zero.
    view_variance = max(float(np.mean([sample.centre_noise**2 for sample in samples])), 1e-12 * rough**2 * length)
    # predicted = slope * (known + delay * velocity); the delay has a prior, whose weight depends on the noise.
    normal = np.array([[length, np.vdot(known, velocity)], [np.vdot(known, velocity), np.vdot(velocity, velocity)]])
    normal[1, 1] += view_variance / (rough * DELAY_SIGMA_S) ** 2
    inverse = np.linalg.inv(normal)
    gains = inverse[0, 0] * known + inverse[0, 1] * velocity  # slope = sum(gains * predicted)
    slope, delay = inverse @ (np.vdot(known, predicted), np.vdot(velocity, predicted))
    residual = predicted - slope * known - delay * velocity
    variance = _slope_variance(samples, gains, known, velocity, view_variance, rough)
    variance *= _excess(samples, residual, view_variance, fitted=2 if is_placed else 5)
    if not is_placed:
        # A way that was turned to fit is too long, as across it noise counts always for and never against it.
        slope -= view_variance / (rough * length)
        variance += (rough * _lever_share(odom)) ** 2
    return Slope(float(slope), math.sqrt(variance))


def _turn(world_from_camera: FloatArray, odom_from_camera: FloatArray) -> FloatArray:
    """World from odom (3, 3), as the camera's axes say."""
    return mean_rotation(world_from_camera[:, :3, :3] @ np.swapaxes(odom_from_camera[:, :3, :3], -1, -2))


def _turn_of_ways(world_from_camera: FloatArray, odom_from_base: FloatArray) -> FloatArray:
    """World from odom (3, 3), as the ways say; on a straight line any of those that do, as the length is the same."""
    ours, theirs = (poses[:, :3, 3] - poses[:, :3, 3].mean(axis=0) for poses in (world_from_camera, odom_from_base))
    u, _, vt = np.linalg.svd(ours.T @ theirs)
    return np.asarray(u * (1.0, 1.0, np.sign(np.linalg.det(u @ vt))) @ vt)


def _lever_share(odom_from_base: FloatArray) -> float:
    """How much further than the base a camera at an unknown place on it may have gone, as a share of the way."""
    turned = rotation_angle(odom_from_base[0, :3, :3].T @ odom_from_base[:, :3, :3]).max()
    went = np.linalg.norm(odom_from_base[:, :3, 3] - odom_from_base[0, :3, 3], axis=1).max()
    return float(LEVER_M * turned / went)


def _slope_variance(
    samples: Sequence[_Sample],
    gains: FloatArray,
    known: FloatArray,
    velocity: FloatArray,
    view_variance: float,
    rough: float,
) -> float:
    """Of the linear estimate sum(gains * predicted), seen from the unit at the end of the stretch."""
    later = np.cumsum(gains[::-1], axis=0)[::-1][1:]  # (N-1, 3): what a shift before sample k does
    position_drift = np.array([sample.position_drift for sample in samples[1:]])
    scale_drift = np.array([sample.scale_drift for sample in samples[1:]])
    moved = np.cumsum(np.einsum("nx,nx->n", gains, known)[::-1])[::-1][1:] - np.einsum("nx,nx->n", later, known[:-1])
    # A step of the unit before sample k leaves the share of the slope that was measured until then in the old unit.
    relative = float(scale_drift @ np.square(1 - moved)) + (DELAY_SIGMA_S * float(np.vdot(gains, velocity))) ** 2
    shifts = float(position_drift @ np.einsum("nx,nx->n", later, later))
    return view_variance * float(np.vdot(gains, gains)) + shifts + rough**2 * relative


def _excess(samples: Sequence[_Sample], residual: FloatArray, view_variance: float, fitted: int) -> float:
    """How much larger the residuals' square is than noise and drift explain; 1 when chance explains the rest."""
    explained = view_variance + sum(sample.position_drift for sample in samples[1:])
    freedom = max(3 * (len(samples) - 1) - fitted, 1)
    square = float(np.vdot(residual, residual)) / explained
    return square / freedom if square > largest_by_chance(freedom) else 1.0
