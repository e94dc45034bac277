# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Views of the demo's room to train on: its rig at other places than the demo takes it to."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.simulation.free_space import clearance_m, coarse_depth
from da3_ros.simulation.furnishing import make_room
from da3_ros.simulation.ray_caster import RayCaster
from da3_ros.simulation.rig import Rig, three_camera_rig
from da3_ros.simulation.room_views import CLEARANCE_M, NEAREST_MEDIAN_M, RoomViews
from da3_ros.simulation.view_overlap import view_overlap

DEMO_ROOM = 0
DEMO_SEEDS = range(1 << 22, 1 << 23)  # of sequences; all of them are of the one room
STEP_M = (0.02, 0.5)  # from one instant to the next
TURN_RAD = 0.35  # most, from one instant to the next
SWAY_RAD, SWAY_M = 0.03, 0.03
ONE_CAMERA_SHARE = 0.4  # of the sequences; the others are of the whole rig


def draw_demo_views(seed: int, size: tuple[int, int] = (126, 168), views: int = 8) -> RoomViews:
    """Photograph the demo's room on a way of its own.

    Args:
        seed: of the way; one of DEMO_SEEDS.
        size: (H, W) of the images.
        views: how many.
    """
    rng = np.random.default_rng((seed, 0xDE30))
    rig, caster = three_camera_rig(size), _demo_room()
    camera = rig.cameras[0].camera
    poses = _free_way(rig, caster, views, rng)
    taken = [caster.view(camera, pose) for pose in poses]
    depth = np.stack([view.depth for view in taken])
    images = np.stack([view.image for view in taken])
    return RoomViews(images, depth, camera, poses, view_overlap(depth, camera, poses))


@lru_cache(maxsize=1)
def _demo_room() -> RayCaster:
    return RayCaster(make_room(DEMO_ROOM))


def _free_way(rig: Rig, caster: RayCaster, views: int, rng: np.random.Generator) -> FloatArray:
    """(N, 4, 4) poses of cameras that keep away from everything, and look at something that is not too near."""
    room = caster.room
    while True:
        poses = _way(rig, room.size_m[:2] / 2, views, rng)
        if (clearance_m(room, poses[:, :3, 3]) <= CLEARANCE_M).any():
            continue
        depth = coarse_depth(room, rig.cameras[0].camera, poses)
        if (np.median(depth, axis=(1, 2)) >= NEAREST_MEDIAN_M).all():
            return poses


def _way(rig: Rig, half_m: FloatArray, views: int, rng: np.random.Generator) -> FloatArray:
    """Poses of the rig's cameras by turns, or of one of them, while the rig goes ahead in a bend."""
    cameras = [int(rng.integers(len(rig.cameras)))] if rng.uniform() < ONE_CAMERA_SHARE else range(len(rig.cameras))
    x, y, yaw = rng.uniform((-half_m[0], -half_m[1], -np.pi), (half_m[0], half_m[1], np.pi))
    step = float(np.exp(rng.uniform(*np.log(STEP_M))))
    turn, aside = rng.uniform(-TURN_RAD, TURN_RAD), rng.normal(0, 0.3)
    poses: list[FloatArray] = []
    while len(poses) < views:
        sway = rigid(matrix_from_rotation_vector(rng.normal(0, SWAY_RAD, 3)), rng.normal(0, SWAY_M, 3))
        world_from_base = rigid(matrix_from_rotation_vector((0, 0, yaw)), (x, y, 0)) @ sway
        poses += [world_from_base @ rig.cameras[number].base_from_camera for number in cameras]
        x, y = x + step * np.cos(yaw + aside), y + step * np.sin(yaw + aside)
        yaw += turn * min(1.0, step / STEP_M[1] * 2)
    return np.stack(poses[:views])
