# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The similarity transform between two descriptions of the same points, or of the same cameras."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import (
    FloatArray,
    matrix_from_rotation_vector,
    nearest_rotation,
    quat_xyzw_from_matrix,
)
from da3_ros.geometry.sim3 import Sim3

# Spread in the second direction below this share of the first: the points lie on a line.
RANK_TOLERANCE = 1e-7
ITERATIONS = 20
# Tukey's 95 % efficient tuning constant of the Huber weight (Huber and Ronchetti 2009, "Robust statistics").
HUBER_SIGMAS = 1.345
# The assumed noise of the cameras counts as much as this many measurements of it.
NOISE_DEGREES_OF_FREEDOM = 6


@dataclass(frozen=True, slots=True)
class CameraNoise:
    """Standard deviations that are assumed before the data have spoken.

    Attributes:
        rotation_rad: of a camera's orientation, each axis.
        centre: of a camera's centre, each axis, target units.
        log_scale: of the given scale, relative.
    """

    rotation_rad: float
    centre: float
    log_scale: float


@dataclass(frozen=True, slots=True, eq=False)
class CameraRegistration:
    """Result of `register_cameras`.

    Attributes:
        target_from_source: the transform.
        covariance: (7, 7) of rotation vector (radians, target axes), translation at the middle of the cameras (target
            units) and log scale.
        deviations: (V,) disagreement of each camera in assumed standard deviations, root mean square of its six.
    """

    target_from_source: Sim3
    covariance: FloatArray
    deviations: FloatArray


def umeyama(target: npt.ArrayLike, source: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Sim3:
    """Least-squares `target_from_source` between points (Umeyama 1991, eqs. 34-43, with weights).

    Args:
        target: (N, 3).
        source: (N, 3) the same points in another frame.
        weights: (N,) not negative; equal when None.

    Raises:
        DegenerateGeometryError: when the points coincide or lie on a line, so that the rotation is free.
    """
    target_points, source_points = np.asarray(target, dtype=np.float64), np.asarray(source, dtype=np.float64)
    weight = np.ones(len(source_points)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not weight.sum() > 0:
        raise DegenerateGeometryError("no point has a weight above zero")
    weight = weight / weight.sum()
    target_mean, source_mean = weight @ target_points, weight @ source_points
    target_offset, source_offset = target_points - target_mean, source_points - source_mean
    for offset in (target_offset, source_offset):
        spread = np.linalg.svd(offset * np.sqrt(weight)[:, None], compute_uv=False)
        if len(spread) < 2 or not spread[1] > RANK_TOLERANCE * spread[0]:
            raise DegenerateGeometryError("the points coincide or lie on a line: the rotation about it is free")
    covariance = np.einsum("n,ni,nj->ij", weight, target_offset, source_offset)
    rotation = nearest_rotation(covariance)
    scale = np.sum(rotation * covariance) / np.einsum("n,ni,ni->", weight, source_offset, source_offset)
    return Sim3(float(scale), rotation, target_mean - scale * (rotation @ source_mean))


def robust_umeyama(
    target: npt.ArrayLike, source: npt.ArrayLike, inlier_distance: float, weights: npt.ArrayLike | None = None
) -> Sim3:
    """As `umeyama`, with Huber weights found by iterated re-weighting.

    Args:
        target: (N, 3).
        source: (N, 3).
        inlier_distance: target units; points further off than this pull only in proportion to their direction.
        weights: (N,) not negative; equal when None.

    Raises:
        DegenerateGeometryError: as `umeyama`.
    """
    target_points = np.asarray(target, dtype=np.float64)
    given = np.ones(len(target_points)) if weights is None else np.asarray(weights, dtype=np.float64)
    transform = umeyama(target_points, source, given)
    for _ in range(ITERATIONS):
        distance = np.linalg.norm(target_points - transform.apply(source), axis=1)
        transform = umeyama(target_points, source, given * _huber(distance / inlier_distance))
    return transform


def register_cameras(
    target_from_camera: npt.ArrayLike,
    source_from_camera: npt.ArrayLike,
    scale: float,
    noise: CameraNoise,
    weights: npt.ArrayLike | None = None,
) -> CameraRegistration:
    """Robust `target_from_source` between two estimates of the same cameras, given the scale about as well as known.

    A camera fixes rotation and translation by itself, so one is enough, and neither motion nor a baseline is needed.
    Dense points of these cameras would add nothing but depth noise: both estimates see them along the same rays.
    The camera that most others agree with gives the start, then Gauss-Newton with Huber weights per camera over
    rotation, translation and scale, which the baselines improve when they are long compared with the noise.

    Args:
        target_from_camera: (V, 4, 4) rigid.
        source_from_camera: (V, 4, 4) rigid, the same cameras.
        scale: target units per source unit, from elsewhere (depth).
        noise: what to expect.
        weights: (V,) not negative; equal when None.

    Raises:
        DegenerateGeometryError: when no camera has a weight above zero.
    """
    target, source = np.asarray(target_from_camera, dtype=np.float64), np.asarray(source_from_camera, dtype=np.float64)
    weight = np.ones(len(target)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not weight.sum() > 0:
        raise DegenerateGeometryError("no camera has a weight above zero")
    transform = _most_agreed(target, source, scale, noise, weight)
    for _ in range(ITERATIONS):
        deviations = _deviations(transform, target, source, noise)
        robust_weight = weight * _huber(deviations)
        step, information = _gauss_newton_step(transform, target, source, scale, noise, robust_weight)
        transform = _stepped(transform, source, robust_weight, step)
        if np.abs(step).max() < 1e-12 * max(1.0, noise.centre):
            break
    deviations = _deviations(transform, target, source, noise)
    # The noise as it was found, held to the assumption while there is little to find it from.
    freedom = max(6 * (len(target) - 1), 0)
    found = 6 * np.sum(robust_weight * deviations**2) + NOISE_DEGREES_OF_FREEDOM
    covariance = np.linalg.inv(information) * found / (freedom + NOISE_DEGREES_OF_FREEDOM)
    return CameraRegistration(transform, covariance, deviations)


def rotation_vector_from_matrix(rotation: npt.ArrayLike) -> FloatArray:
    """Logarithm: axis times angle in radians, angle in [0, pi], accurate near zero.

    Args:
        rotation: (..., 3, 3).

    Returns:
        (..., 3) float64.
    """
    quat = quat_xyzw_from_matrix(rotation)
    sine = np.linalg.norm(quat[..., :3], axis=-1, keepdims=True)
    half_angle = np.arctan2(sine, quat[..., 3:])
    # angle / sin(angle / 2) through numpy's sinc(x) = sin(pi x)/(pi x), which is smooth at zero.
    return quat[..., :3] * (2 / np.sinc(half_angle / np.pi))


def _huber(sigmas: FloatArray) -> FloatArray:
    return np.minimum(1.0, HUBER_SIGMAS / np.maximum(sigmas, HUBER_SIGMAS))


def _most_agreed(target: FloatArray, source: FloatArray, scale: float, noise: CameraNoise, weight: FloatArray) -> Sim3:
    """The transform of the one camera to which the others are nearest, distances counted up to a bound."""
    candidates, costs = [], []
    for target_from_camera, source_from_camera in zip(target[weight > 0], source[weight > 0], strict=True):
        rotation = nearest_rotation(target_from_camera[:3, :3] @ source_from_camera[:3, :3].T)
        shift = target_from_camera[:3, 3] - scale * (rotation @ source_from_camera[:3, 3])
        candidates.append(Sim3(scale, rotation, shift))
        costs.append(weight @ np.minimum(_deviations(candidates[-1], target, source, noise), 10 * HUBER_SIGMAS))
    return candidates[int(np.argmin(costs))]


def _residuals(transform: Sim3, target: FloatArray, source: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rotation vectors (V, 3) and centre differences (V, 3) that the transform leaves, target minus moved source."""
    moved = transform.apply_to_poses(source)
    turned = np.einsum("vij,vkj->vik", target[:, :3, :3], moved[:, :3, :3])
    return rotation_vector_from_matrix(turned), target[:, :3, 3] - moved[:, :3, 3]


def _deviations(transform: Sim3, target: FloatArray, source: FloatArray, noise: CameraNoise) -> FloatArray:
    rotation, centre = _residuals(transform, target, source)
    squares = np.sum((rotation / noise.rotation_rad) ** 2 + (centre / noise.centre) ** 2, axis=1)
    return np.sqrt(squares / 6)


def _gauss_newton_step(
    transform: Sim3, target: FloatArray, source: FloatArray, scale: float, noise: CameraNoise, weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Step (7,) and information (7, 7) over rotation vector, translation at the cameras' middle, and log scale."""
    rotation, centre = _residuals(transform, target, source)
    moved = transform.apply(source[:, :3, 3])
    arm = moved - (weight @ moved) / weight.sum()
    jacobian = np.zeros((len(target), 6, 7))
    jacobian[:, :3, :3] = np.eye(3)
    jacobian[:, 3:, :3] = -_cross_matrix(arm)  # d(rotation x arm) = -[arm]x d(rotation)
    jacobian[:, 3:, 3:6] = np.eye(3)
    jacobian[:, 3:, 6] = arm
    residual = np.concatenate((rotation, centre), axis=1)
    precision = np.repeat((1 / noise.rotation_rad**2, 1 / noise.centre**2), 3)
    information = np.einsum("v,vki,k,vkj->ij", weight, jacobian, precision, jacobian)
    gradient = np.einsum("v,vki,k,vk->i", weight, jacobian, precision, residual)
    information[6, 6] += 1 / noise.log_scale**2
    gradient[6] += np.log(scale / transform.scale) / noise.log_scale**2
    return np.linalg.solve(information, gradient), information


def _stepped(transform: Sim3, source: FloatArray, weight: FloatArray, step: FloatArray) -> Sim3:
    """Apply a step of `_gauss_newton_step`: turn and stretch about the cameras' middle, then shift it."""
    middle = (weight @ source[:, :3, 3]) / weight.sum()
    moved_middle = transform.apply(middle) + step[3:6]
    rotation = nearest_rotation(matrix_from_rotation_vector(step[:3]) @ transform.rotation)
    stretched = float(transform.scale * np.exp(step[6]))
    return Sim3(stretched, rotation, moved_middle - stretched * (rotation @ middle))


def _cross_matrix(vectors: FloatArray) -> FloatArray:
    """(V, 3, 3) matrices [v]x with `[v]x @ a == v x a`."""
    return np.cross(vectors[:, None, :], np.eye(3)[None], axisb=-1).swapaxes(-1, -2)
