# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Rotations as 3x3 matrices: conversions, means and angles. Quaternions are xyzw, as in ROS messages."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.errors import DegenerateGeometryError

FloatArray = npt.NDArray[np.floating]


def matrix_from_quat_xyzw(quat_xyzw: npt.ArrayLike) -> FloatArray:
    """Rotation matrices of quaternions of any non-zero length.

    Args:
        quat_xyzw: (..., 4).

    Returns:
        (..., 3, 3) float64.

    Raises:
        DegenerateGeometryError: when a quaternion has length zero or is not finite.
    """
    quat = np.asarray(quat_xyzw, dtype=np.float64)
    norm = np.linalg.norm(quat, axis=-1, keepdims=True)
    if not (np.isfinite(norm).all() and (norm > 0).all()):
        raise DegenerateGeometryError("a rotation quaternion has length zero or is not finite")
    x, y, z, w = np.moveaxis(quat / norm, -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def quat_xyzw_from_matrix(rotation: npt.ArrayLike) -> FloatArray:
    """Unit quaternions with w >= 0 of rotation matrices.

    The largest of the four squared components is found first, so no division is ever by a small number
    (Shepperd, "Quaternion from rotation matrix", 1978).

    Args:
        rotation: (..., 3, 3) proper rotations.

    Returns:
        (..., 4) float64, xyzw.
    """
    m = np.asarray(rotation, dtype=np.float64)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    a, b, c = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    d, e, f = m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2]
    # Row k is the quaternion multiplied by four times its k-th component.
    rows = (
        (1 + xx - yy - zz, d, e, a),
        (d, 1 - xx + yy - zz, f, b),
        (e, f, 1 - xx - yy + zz, c),
        (a, b, c, 1 + xx + yy + zz),
    )
    outer = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
    largest = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), axis=-1)
    quat = np.take_along_axis(outer, largest[..., None, None], axis=-2)[..., 0, :]
    quat = quat / np.linalg.norm(quat, axis=-1, keepdims=True)
    return np.where(quat[..., 3:] < 0, -quat, quat)


def rotation_angle(rotation: npt.ArrayLike) -> FloatArray:
    """Angle of each rotation in radians, in [0, pi], accurate near zero and near pi.

    Args:
        rotation: (..., 3, 3).
    """
    quat = quat_xyzw_from_matrix(rotation)
    return 2 * np.arctan2(np.linalg.norm(quat[..., :3], axis=-1), quat[..., 3])


def matrix_from_rotation_vector(rotation_vector: npt.ArrayLike) -> FloatArray:
    """Exponential map: rotation by |v| radians about v.

    Args:
        rotation_vector: (..., 3) radians.

    Returns:
        (..., 3, 3) float64.
    """
    vector = np.asarray(rotation_vector, dtype=np.float64)
    angle = np.linalg.norm(vector, axis=-1, keepdims=True)
    # sin(a/2)/a through numpy's sinc(x) = sin(pi x)/(pi x), which is smooth at zero.
    half_sinc = 0.5 * np.sinc(angle / (2 * np.pi))
    return matrix_from_quat_xyzw(np.concatenate((half_sinc * vector, np.cos(angle / 2)), axis=-1))


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


def nearest_rotation(matrix: npt.ArrayLike) -> FloatArray:
    """Proper rotation nearest to each matrix in the Frobenius norm (Umeyama 1991, lemma; orthogonal Procrustes).

    Args:
        matrix: (..., 3, 3).

    Raises:
        DegenerateGeometryError: when a matrix has rank below two, so that the rotation is not determined.
    """
    u, singular, vt = np.linalg.svd(np.asarray(matrix, dtype=np.float64))
    if not (singular[..., 1] > 1e-12 * np.maximum(singular[..., 0], np.finfo(float).tiny)).all():
        raise DegenerateGeometryError("the matrix has rank below two: no rotation is nearest to it")
    sign = np.ones(singular.shape)
    sign[..., 2] = np.sign(np.linalg.det(u @ vt))
    return (u * sign[..., None, :]) @ vt


def mean_rotation(rotations: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> FloatArray:
    """Chordal mean of rotations (Hartley et al. 2013, "Rotation averaging", section 5.3).

    Args:
        rotations: (N, 3, 3).
        weights: (N,) non-negative; equal when None.

    Returns:
        (3, 3) float64.

    Raises:
        DegenerateGeometryError: when the rotations cancel.
    """
    stack = np.asarray(rotations, dtype=np.float64)
    weight = np.ones(len(stack)) if weights is None else np.asarray(weights, dtype=np.float64)
    return nearest_rotation(np.einsum("n,nij->ij", weight, stack))
