# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Paths of base_link through a room: closed, smooth, and within the room's walkway.

A pose is a pure function of the absolute stamp, so that anyone who knows the seed and the stamp knows the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.simulation.room import Walkway

PERIOD_NS = 24_000_000_000
LINE_SAG_SHARE = 0.5  # how far a straight line may leave the walkway's centre line, as a share of its half width


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A closed path.

    Attributes:
        name: one of TRAJECTORIES.
        walkway: that it keeps to.
        period_ns: time of one round, above zero.
    """

    name: str
    walkway: Walkway
    period_ns: int = PERIOD_NS

    def __post_init__(self) -> None:
        if self.name not in TRAJECTORIES:
            raise ValueError(f"trajectory '{self.name}' is not one of {', '.join(TRAJECTORIES)}")
        if self.period_ns <= 0:
            raise ValueError(f"a trajectory's period must be above zero, not {self.period_ns} ns")

    def world_from_base(self, stamp_ns: int) -> FloatArray:
        """(4, 4) float64 rigid, metres, world z up with its origin on the floor."""
        phase = 2 * np.pi * (stamp_ns % self.period_ns) / self.period_ns
        return TRAJECTORIES[self.name](self.walkway, phase)


def _loop(walkway: Walkway, phase: float) -> FloatArray:
    """Round the room, facing ahead."""
    x, y = walkway.centre_line(np.array(phase))
    a, b = walkway.semi_axes_m
    return _level(x, y, float(np.arctan2(b * np.cos(phase), -a * np.sin(phase))))


def _handheld(walkway: Walkway, phase: float) -> FloatArray:
    """The loop with the sway of a walking carrier: all six degrees of freedom move."""
    sway = matrix_from_rotation_vector(
        (0.03 * np.sin(9 * phase), 0.025 * np.sin(13 * phase + 1), 0.04 * np.sin(7 * phase + 2))
    )
    shift = (0.02 * np.sin(11 * phase), 0.03 * np.sin(8 * phase), 0.025 * np.sin(15 * phase))
    return _loop(walkway, phase) @ rigid(sway, shift)


def _standing(walkway: Walkway, phase: float) -> FloatArray:
    """No motion at all."""
    del phase
    return _loop(walkway, np.pi / 5)


def _line(walkway: Walkway, phase: float) -> FloatArray:
    """Forth and back on a straight line along x, facing +x all the time."""
    a, b = walkway.semi_axes_m
    sag = LINE_SAG_SHARE * walkway.half_width_m
    # The ellipse is `sag` away from its lowest tangent at the ends; the line runs half way between.
    reach = a * np.sqrt(1 - (1 - sag / b) ** 2)
    return _level(float(reach * np.sin(phase)), -b + sag / 2, 0.0)


def _spin(walkway: Walkway, phase: float) -> FloatArray:
    """Rotation in place."""
    x, y = walkway.centre_line(np.array(4.0))
    return _level(x, y, phase)


def _level(x: float, y: float, yaw_rad: float) -> FloatArray:
    return rigid(matrix_from_rotation_vector((0, 0, yaw_rad)), (x, y, 0))


TRAJECTORIES: dict[str, Callable[[Walkway, float], FloatArray]] = {
    "loop": _loop,
    "handheld": _handheld,
    "standing": _standing,
    "line": _line,
    "spin": _spin,
}
