# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the cameras of a sequence are: candidates, of which the caller keeps what is free and sees something.

All candidates are drawn at once: C sequences of N upright cameras with a little roll.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from da3_ros.geometry.rotation import FloatArray
from da3_ros.simulation.room import Room

CANDIDATES = 40
HEIGHTS_M = (0.3, 1.8)
BELOW_CEILING_M = 0.35
RIG_CAMERAS = 4
NEIGHBOURS_RAD = (np.deg2rad(45), np.deg2rad(75))


@dataclass(frozen=True, slots=True, eq=False)
class Headings:
    """C sequences of N cameras.

    Attributes:
        position: (C, N, 3) world, metres.
        yaw_rad: (C, N) of the optical axis, counter-clockwise from x.
        down_rad: (C, N) tilt of the optical axis below the horizon.
        roll_rad: (C, N) about the optical axis.
    """

    position: FloatArray
    yaw_rad: FloatArray
    down_rad: FloatArray
    roll_rad: FloatArray

    def world_from_camera(self) -> FloatArray:
        """(C, N, 4, 4) float64 rigid, optical frames."""
        sin_yaw, cos_yaw = np.sin(self.yaw_rad), np.cos(self.yaw_rad)
        sin_down, cos_down = np.sin(self.down_rad), np.cos(self.down_rad)
        forward = np.stack((cos_down * cos_yaw, cos_down * sin_yaw, -sin_down), axis=-1)
        level = np.stack((sin_yaw, -cos_yaw, np.zeros_like(sin_yaw)), axis=-1)
        steep = np.cross(forward, level)
        sin_roll, cos_roll = np.sin(self.roll_rad)[..., None], np.cos(self.roll_rad)[..., None]
        right, down = level * cos_roll + steep * sin_roll, steep * cos_roll - level * sin_roll
        pose = np.zeros((*self.yaw_rad.shape, 4, 4))
        pose[..., :3, :] = np.stack((right, down, forward, self.position), axis=-1)
        pose[..., 3, 3] = 1
        return pose


Motion = Callable[[Room, np.random.Generator, int, float], Headings]


def path(room: Room, rng: np.random.Generator, views: int, view_rad: float) -> Headings:
    """A bent walk, looking anywhere but steadily."""
    del view_rad
    start = _places(room, rng)
    heading = rng.uniform(-np.pi, np.pi, (CANDIDATES, 1))
    length, bend = rng.uniform(0.6, 2.6, (CANDIDATES, 1)), rng.uniform(-0.35, 0.35, (CANDIDATES, 1))
    share = np.linspace(0, 1, views) + rng.uniform(-0.2, 0.2, (CANDIDATES, views)) / views
    along, aside = length * share, length * bend * 4 * share * (1 - share)
    x = start[:, :1] + along * np.cos(heading) - aside * np.sin(heading)
    y = start[:, 1:2] + along * np.sin(heading) + aside * np.cos(heading)
    z = start[:, 2:] + rng.normal(0, 0.12, (CANDIDATES, 1)) * share + rng.normal(0, 0.015, (CANDIDATES, views))
    turn = rng.choice((0.0, 0.0, np.pi / 2, -np.pi / 2, np.pi), (CANDIDATES, 1)) + rng.normal(0, 0.4, (CANDIDATES, 1))
    drift = rng.uniform(-0.9, 0.9, (CANDIDATES, 1)) * (share - 0.5)
    yaw = heading + turn + drift + rng.normal(0, 0.04, (CANDIDATES, views))
    return Headings(np.stack((x, y, z), axis=-1), yaw, _tilts(rng, views), rng.normal(0, 0.035, (CANDIDATES, views)))


def gathering(room: Room, rng: np.random.Generator, views: int, view_rad: float) -> Headings:
    """Cameras on an arc around something, looking at it."""
    del view_rad
    thick = [solid.world_from_unit[:3, 3] for solid in room.primitives if sorted(solid.half_m.tolist())[1] > 0.1]
    thick.append(np.array([0.0, 0.0, 0.8]))
    target = np.array(thick)[rng.integers(len(thick), size=CANDIDATES)][:, None]
    distance = rng.uniform(1.2, 3.4, (CANDIDATES, 1)) * rng.uniform(0.8, 1.25, (CANDIDATES, views))
    width = rng.uniform(0.4, 1.5, (CANDIDATES, 1))
    angle = rng.uniform(-np.pi, np.pi, (CANDIDATES, 1)) + width * (rng.uniform(0, 1, (CANDIDATES, views)) - 0.5)
    level = _places(room, rng)[:, 2:] + rng.normal(0, 0.15, (CANDIDATES, views))
    offset = np.stack((distance * np.cos(angle), distance * np.sin(angle), level - target[..., 2]), axis=-1)
    down = np.arctan2(offset[..., 2], distance) * 0.8
    shape = (CANDIDATES, views)
    yaw = angle + np.pi + rng.normal(0, 0.14, shape)
    return Headings(target + offset, yaw, down + rng.normal(0, 0.07, shape), rng.normal(0, 0.04, shape))


def rig(room: Room, rng: np.random.Generator, views: int, view_rad: float) -> Headings:
    """Four cameras fixed to each other, at one instant after another: a fan, or two stereo pairs."""
    base, index = _places(room, rng), np.arange(views)
    camera, instant = index % RIG_CAMERAS, index // RIG_CAMERAS
    fixed = (CANDIDATES, RIG_CAMERAS)
    spacing = np.clip(view_rad * rng.uniform(0.5, 0.8, (CANDIDATES, 1)), *NEIGHBOURS_RAD)
    is_stereo = rng.uniform(0, 1, (CANDIDATES, 1)) < (0.35 if view_rad > np.deg2rad(75) else 0.7)
    fan = (np.arange(RIG_CAMERAS) - (RIG_CAMERAS - 1) / 2) * spacing
    pairs = (np.arange(RIG_CAMERAS) // 2 - 0.5) * spacing
    mounted = np.where(is_stereo, pairs, fan) + rng.normal(0, 0.02, fixed)
    side = np.where(is_stereo, (np.arange(RIG_CAMERAS) % 2 - 0.5) * rng.uniform(0.08, 0.35, (CANDIDATES, 1)), 0.0)
    radius, rise = rng.uniform(0.05, 0.22, (CANDIDATES, 1)), rng.normal(0, 0.02, fixed)
    motion = rng.uniform(-0.6, 0.6, (CANDIDATES, 1))
    heading = rng.uniform(-np.pi, np.pi, (CANDIDATES, 1)) + rng.normal(0, 0.25, (CANDIDATES, 1)) * instant
    step = rng.uniform(0.15, 0.7, (CANDIDATES, 1)) * instant
    yaw = heading + mounted[:, camera]
    x = base[:, :1] + step * np.cos(heading + motion) + radius * np.cos(yaw) + side[:, camera] * np.sin(yaw)
    y = base[:, 1:2] + step * np.sin(heading + motion) + radius * np.sin(yaw) - side[:, camera] * np.cos(yaw)
    z = base[:, 2:] + rise[:, camera] + np.zeros(views)
    down = rng.uniform(-0.05, 0.25, (CANDIDATES, 1)) + rng.normal(0, 0.02, fixed)[:, camera]
    sway = rng.normal(0, 0.02, (CANDIDATES, views // RIG_CAMERAS + 1))[:, instant]
    return Headings(np.stack((x, y, z), axis=-1), yaw, down, rng.normal(0, 0.015, fixed)[:, camera] + sway)


MOTIONS: tuple[Motion, ...] = (path, gathering, rig)


def _places(room: Room, rng: np.random.Generator) -> FloatArray:
    """(C, 3) points in the room."""
    half = room.size_m / 2 - 0.3
    high = min(HEIGHTS_M[1], room.size_m[2] - BELOW_CEILING_M)
    return rng.uniform((-half[0], -half[1], HEIGHTS_M[0]), (half[0], half[1], high), (CANDIDATES, 3))


def _tilts(rng: np.random.Generator, views: int) -> FloatArray:
    return rng.uniform(-0.1, 0.25, (CANDIDATES, 1)) + rng.normal(0, 0.03, (CANDIDATES, views))
