# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from da3_ros.simulation.furnishing import make_room
from da3_ros.simulation.rig import three_camera_rig
from da3_ros.simulation.room import WALLS, world_from_wall
from da3_ros.simulation.trajectory import TRAJECTORIES, Trajectory
from test.simulation.surfaces import box_distance_m

SEEDS = range(12)
CLEARANCE_M = 0.3
TIMES_NS = np.linspace(0, 24_000_000_000, 200, endpoint=False).astype(np.int64).tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_cameras_keep_clear_of_everything_on_every_trajectory(seed: int) -> None:
    room = make_room(seed)
    mounts = [camera.base_from_camera for camera in three_camera_rig().cameras]

    for name in TRAJECTORIES:
        trajectory = Trajectory(name, room.walkway)
        poses = np.array([trajectory.world_from_base(stamp_ns) for stamp_ns in TIMES_NS])
        centres = np.concatenate([(poses @ mount)[:, :3, 3] for mount in mounts])
        nearest = min(float(box_distance_m(solid, centres).min()) for solid in room.primitives)
        assert nearest >= CLEARANCE_M, f"{name} comes within {nearest:.2f} m"
        assert float((-box_distance_m(room.shell, centres)).min()) >= CLEARANCE_M


@pytest.mark.parametrize("seed", SEEDS)
def test_room_has_furniture_light_and_known_materials(seed: int) -> None:
    room = make_room(seed)

    named = {name for solid in (room.shell, *room.primitives) for name in solid.materials}

    assert named <= set(room.materials)
    assert len(room.primitives) > 100
    assert any(light.normal.any() for light in room.lights)


@pytest.mark.parametrize("seed", SEEDS)
def test_everything_is_inside_the_room(seed: int) -> None:
    room = make_room(seed)
    reach = room.size_m / 2 + 1e-9

    for solid in room.primitives:
        axes = solid.world_from_unit[:3, :3]
        extent = np.linalg.norm(axes, axis=1) if solid.shape == "ellipsoid" else np.abs(axes).sum(axis=1)
        offset = np.abs(solid.world_from_unit[:3, 3] - (0, 0, room.size_m[2] / 2))
        assert (offset + extent <= reach).all(), solid


def test_rooms_are_equal_for_equal_seeds_only() -> None:
    one, same, other = make_room(5), make_room(5), make_room(6)

    assert all(
        np.array_equal(a.world_from_unit, b.world_from_unit) and a.materials == b.materials
        for a, b in zip(one.primitives, same.primitives, strict=True)
    )
    assert one.materials == same.materials
    assert not np.array_equal(one.size_m, other.size_m)


@pytest.mark.parametrize("wall", WALLS)
def test_wall_frames_are_right_handed_and_look_inwards(wall: str) -> None:
    size = np.array([6.0, 5.0, 2.5])

    frame = world_from_wall(wall, size)

    assert np.linalg.det(frame[:3, :3]) == pytest.approx(1)
    assert frame[:3, 1] @ frame[:3, 3] < 0
    np.testing.assert_array_equal(frame[:3, 2], (0, 0, 1))
    assert np.abs(frame[:2, 3]).max() == size["xy".index(wall[1])] / 2
