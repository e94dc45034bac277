# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from da3_ros.geometry.sim3 import rigid_inverse
from da3_ros.simulation import demo_views
from da3_ros.simulation.demo_views import DEMO_ROOM, DEMO_SEEDS, STEP_M, draw_demo_views
from da3_ros.simulation.free_space import clearance_m
from da3_ros.simulation.furnishing import make_room
from da3_ros.simulation.ray_caster import RayCaster
from da3_ros.simulation.rig import MAST_HEIGHT_M, three_camera_rig
from da3_ros.simulation.room_views import (
    CLEARANCE_M,
    NEAREST_MEDIAN_M,
    ROUGH_LIGHT,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    RoomViews,
)
from da3_ros.simulation.surface_look import build_look

SIZE = (42, 56)


@pytest.fixture(scope="module")
def drawn() -> list[RoomViews]:
    """Some sequences, under light that is made faster than the demo's."""
    room = make_room(DEMO_ROOM)
    caster = RayCaster(room, build_look(room, detail=ROUGH_LIGHT))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_views, "_demo_room", lambda: caster)
        return [draw_demo_views(seed, SIZE) for seed in DEMO_SEEDS[:12]]


def test_views_are_those_of_the_demos_camera(drawn: list[RoomViews]) -> None:
    expected = three_camera_rig(SIZE).cameras[0].camera

    for views in drawn:
        assert np.array_equal(views.camera.matrix, expected.matrix)
        assert views.images.shape == (8, *SIZE, 3)
        assert views.images.std() > 10
        assert np.isfinite(views.depth).all()
        assert np.median(views.depth, axis=(1, 2)).min() > 0.8 * NEAREST_MEDIAN_M


def test_depth_is_the_demos_rooms(drawn: list[RoomViews]) -> None:
    caster = RayCaster(make_room(DEMO_ROOM))
    views = drawn[0]

    assert np.array_equal(caster.depth(views.camera, views.world_from_camera[3]), views.depth[3])


def test_rig_goes_where_there_is_place_and_never_far(drawn: list[RoomViews]) -> None:
    room = make_room(DEMO_ROOM)
    whole = 0
    for views in drawn:
        positions = views.world_from_camera[:, :3, 3]
        assert (clearance_m(room, positions) > CLEARANCE_M).all()
        assert np.abs(positions[:, 2] - MAST_HEIGHT_M).max() < 0.25
        assert np.linalg.norm(np.diff(positions, axis=0), axis=1).max() < STEP_M[1] + 0.5
        between = rigid_inverse(views.world_from_camera[0]) @ views.world_from_camera[1]
        turned_rad = np.arccos((np.trace(between[:3, :3]) - 1) / 2)
        whole += int(turned_rad > np.deg2rad(45))
    assert 0 < whole < len(drawn)  # some sequences are of the whole rig, some of one camera


def test_sequences_differ_and_share_no_seed_with_random_rooms(drawn: list[RoomViews]) -> None:
    assert len({views.images.tobytes() for views in drawn}) == len(drawn)
    assert DEMO_SEEDS.start >= VALIDATION_SEEDS.stop > TRAINING_SEEDS.stop
