# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Rotation and translation of one frame in another, in plain floats: for single transforms faster than numpy."""

from __future__ import annotations

import math
from dataclasses import dataclass

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]  # x, y, z, w; unit length


@dataclass(frozen=True, slots=True)
class RigidTransform:
    """Maps points of frame b to frame a: ``p_a = rotation * p_b + translation`` for an ``a_from_b``."""

    rotation: Quaternion
    translation: Vector

    def __matmul__(self, other: RigidTransform) -> RigidTransform:
        x, y, z = rotate(self.rotation, other.translation)
        tx, ty, tz = self.translation
        return RigidTransform(multiply(self.rotation, other.rotation), (x + tx, y + ty, z + tz))

    def inverse(self) -> RigidTransform:
        """``b_from_a`` of this ``a_from_b``."""
        x, y, z, w = self.rotation
        conjugate = (-x, -y, -z, w)
        tx, ty, tz = self.translation
        return RigidTransform(conjugate, rotate(conjugate, (-tx, -ty, -tz)))


IDENTITY = RigidTransform((0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0))


def multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    """Hamilton product: the rotation b followed by the rotation a."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def rotate(rotation: Quaternion, vector: Vector) -> Vector:
    """The vector after the rotation, as ``v + w t + q x t`` with ``t = 2 q x v`` (no matrix, no second product)."""
    qx, qy, qz, qw = rotation
    vx, vy, vz = vector
    tx = 2.0 * (qy * vz - qz * vy)
    ty = 2.0 * (qz * vx - qx * vz)
    tz = 2.0 * (qx * vy - qy * vx)
    return (
        vx + qw * tx + qy * tz - qz * ty,
        vy + qw * ty + qz * tx - qx * tz,
        vz + qw * tz + qx * ty - qy * tx,
    )


def interpolate(start: RigidTransform, end: RigidTransform, ratio: float) -> RigidTransform:
    """Between two transforms of the same frames: translation along the line, rotation along the shorter arc."""
    ax, ay, az = start.translation
    bx, by, bz = end.translation
    translation = (ax + (bx - ax) * ratio, ay + (by - ay) * ratio, az + (bz - az) * ratio)
    return RigidTransform(slerp(start.rotation, end.rotation, ratio), translation)


def slerp(a: Quaternion, b: Quaternion, ratio: float) -> Quaternion:
    """Constant angular velocity from a to b (Shoemake, "Animating rotation with quaternion curves", 1985)."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    cosine = ax * bx + ay * by + az * bz + aw * bw
    half_angle_rad = math.acos(min(1.0, abs(cosine)))
    if half_angle_rad == 0.0:
        return a
    scale = 1.0 / math.sin(half_angle_rad)
    from_a = math.sin((1.0 - ratio) * half_angle_rad) * scale
    from_b = math.copysign(math.sin(ratio * half_angle_rad) * scale, cosine)  # b and -b are one rotation
    return (
        ax * from_a + bx * from_b,
        ay * from_a + by * from_b,
        az * from_a + bz * from_b,
        aw * from_a + bw * from_b,
    )


def with_canonical_sign(rotation: Quaternion) -> Quaternion:
    """The one of q and -q that upstream returns: w > 0, or below ``|w| = 1/2`` the largest of x, y, z > 0."""
    x, y, z, w = rotation
    leading = w if w * w > 0.25 else max(x, y, z, key=abs)
    return rotation if leading >= 0.0 else (-x, -y, -z, -w)
