# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Odometry as wheels or another estimator give it: true up to scale, delay and noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import Sim3, rigid, rigid_inverse


@dataclass(frozen=True, slots=True)
class OdometryErrors:
    """How far odometry is from the truth.

    Attributes:
        scale: its metres per true metre.
        scale_sigma: standard deviation of the logarithm of what that is off by, other in every run.
        delay_ns: what it says of an instant was true so much before.
        position_m: standard deviation of each coordinate, metres.
        creep_m_per_s: along its own x axis for ever, also while standing.
        rotation_rad: standard deviation of the rotation about each axis, radians.
        seed: other seeds give other noise.
    """

    scale: float = 1.0
    scale_sigma: float = 0.0
    delay_ns: int = 0
    position_m: float = 0.0
    creep_m_per_s: float = 0.0
    rotation_rad: float = 0.0
    seed: int = 0


def external_odometry(
    world_from_base: Callable[[int], FloatArray], start_ns: int, errors: OdometryErrors
) -> Callable[[int], FloatArray]:
    """`odom_from_base` by stamp: (4, 4) rigid, beginning as the identity at the start.

    Args:
        world_from_base: the truth, for any stamp.
        start_ns: where it begins; before it stands.
        errors: what is wrong with it.
    """
    scale = errors.scale * float(np.exp(np.random.default_rng(errors.seed).normal(0.0, errors.scale_sigma)))
    odom_from_world = Sim3(scale, np.eye(3), np.zeros(3)) @ Sim3.from_rigid(rigid_inverse(world_from_base(start_ns)))

    def odom_from_base(stamp_ns: int) -> FloatArray:
        generator = np.random.default_rng((errors.seed, stamp_ns))
        turn = matrix_from_rotation_vector(generator.normal(0.0, errors.rotation_rad, 3))
        noise = rigid(turn, generator.normal(0.0, errors.position_m, 3))
        pose = odom_from_world.apply_to_poses(world_from_base(max(stamp_ns - errors.delay_ns, start_ns)))
        creep = rigid(np.eye(3), (errors.creep_m_per_s * (stamp_ns - start_ns) * 1e-9, 0.0, 0.0))
        return np.asarray(creep @ pose @ noise)

    return odom_from_base
