# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows with noisy poses as an aligner hands them over, and an external odometry: numbers only, no images."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, mean_rotation
from da3_ros.geometry.sim3 import Sim3, rigid

OPTICAL = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
ONE = {"front": rigid(OPTICAL, [0.2, 0.0, 0.3])}
TWO = {"left": rigid(OPTICAL, [0.1, 0.05, 0.3]), "right": rigid(OPTICAL, [0.1, -0.05, 0.3])}  # 10 cm
THREE = {
    **ONE,
    "left": rigid(matrix_from_rotation_vector([0.0, 0.0, 1.2]) @ OPTICAL, [0.1, 0.2, 0.3]),
    "right": rigid(matrix_from_rotation_vector([0.1, 0.0, -1.2]) @ OPTICAL, [0.1, -0.2, 0.3]),
}
METRES_PER_UNIT = 2.0
CENTRE_M, ROTATION = 0.01, math.radians(0.2)  # per axis and view
SIZE, STRIDE, PERIOD_NS = 8, 4, 100_000_000

Trajectory = Callable[[float], FloatArray]  # seconds -> (4, 4) truth_from_base


@functools.cache
def curve(t: float) -> FloatArray:
    return rigid(matrix_from_rotation_vector([0, 0.1 * np.sin(t), 0.5 * t]), [np.sin(t / 2), 1 - np.cos(t / 2), 0])


@functools.cache
def straight(t: float) -> FloatArray:
    return rigid(np.eye(3), [0.5 * t, 0, 0])


@functools.cache
def spin(t: float) -> FloatArray:
    return rigid(matrix_from_rotation_vector([0, 0, 0.9 * t]), [0.3, 0.1, 0])


@functools.cache
def still(t: float) -> FloatArray:
    return rigid(matrix_from_rotation_vector([0.1, 0, 0.4]), [0.5, -0.3, 0.2])


@functools.cache
def stop_and_go(t: float) -> FloatArray:
    """One metre in two seconds at up to 0.8 m/s, then two seconds of rest."""
    phase = min(t % 4, 2.0) / 2
    return rigid(np.eye(3), [t // 4 + phase**2 * (3 - 2 * phase), 0, 0])


@dataclass(frozen=True)
class Placed:
    """One window as an aligner hands it over; the last `new` sets have not been seen before."""

    cameras: list[str]
    sets: list[int]
    world_from_camera: FloatArray
    log_metres_per_unit: float
    new: range
    centre_noise: float
    scale_drift: float
    position_drift: float


def windows(
    rig: Mapping[str, FloatArray], trajectory: Trajectory, count: int, seed: int, drift: float = 0.003
) -> Iterator[Placed]:
    """Noisy poses, each window laid on the last one by the poses they share, with a random step of its scale."""
    generator = np.random.default_rng(seed)
    turn = matrix_from_rotation_vector(generator.normal(size=3))
    world_from_window, shared = Sim3(1 / METRES_PER_UNIT, turn, generator.normal(size=3)), (SIZE - STRIDE) * len(rig)
    before: FloatArray | None = None
    for first in range(0, count * STRIDE, STRIDE):
        views = [(k, camera) for k in range(first, first + SIZE) for camera in rig]
        seen = np.stack([trajectory(k * PERIOD_NS * 1e-9) @ rig[camera] for k, camera in views])
        seen[:, :3, 3] += CENTRE_M * generator.normal(size=(len(views), 3))
        seen[:, :3, :3] = (
            matrix_from_rotation_vector(ROTATION * generator.normal(size=(len(views), 3))) @ seen[:, :3, :3]
        )
        if before is not None:
            old, new = before[-shared:], seen[:shared]
            scale = world_from_window.scale * math.exp(drift * generator.normal())
            turn = mean_rotation(old[:, :3, :3] @ np.swapaxes(new[:, :3, :3], -1, -2))
            shift = old[:, :3, 3].mean(axis=0) - scale * turn @ new[:, :3, 3].mean(axis=0)
            world_from_window = Sim3(scale, turn, shift)
        noise = CENTRE_M * world_from_window.scale
        before, is_first = world_from_window.apply_to_poses(seen), before is None
        yield Placed(
            cameras=[camera for _, camera in views],
            sets=[k for k, _ in views],
            world_from_camera=before,
            log_metres_per_unit=-math.log(world_from_window.scale),
            new=range(first if is_first else first + SIZE - STRIDE, first + SIZE),
            centre_noise=noise,
            scale_drift=0.0 if is_first else drift**2,
            position_drift=0.0 if is_first else 2 * noise**2 / shared,
        )


@dataclass(frozen=True)
class ExternalOdometry:
    """What another odometry says, with what is wrong with it."""

    scale: float = 1.0
    delay_s: float = 0.0
    noise_m: float = 0.001
    drops: float = 0.0

    def at(self, trajectory: Trajectory, stamp_ns: int) -> FloatArray | None:
        generator = np.random.default_rng((stamp_ns, 3))
        odom_from_base = trajectory(stamp_ns * 1e-9 - self.delay_s).copy()
        odom_from_base[:3, 3] = self.scale * odom_from_base[:3, 3] + self.noise_m * generator.normal(size=3)
        return None if generator.random() < self.drops else odom_from_base
