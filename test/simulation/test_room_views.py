# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid_inverse
from da3_ros.simulation.camera_motions import CANDIDATES, MOTIONS, NEIGHBOURS_RAD, rig
from da3_ros.simulation.free_space import clearance_m, coarse_depth
from da3_ros.simulation.furnishing import make_room
from da3_ros.simulation.lighting import LightDetail, bake_light
from da3_ros.simulation.ray_caster import RayCaster
from da3_ros.simulation.rig import base_from_optical
from da3_ros.simulation.room_variety import varied_room
from da3_ros.simulation.room_views import (
    CLEARANCE_M,
    FOCAL_SHARES,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    RoomViews,
    draw_room_views,
)
from da3_ros.simulation.sensor import develop
from da3_ros.simulation.texture_atlas import PAINTERS
from da3_ros.simulation.texture_bank import BANK_SIDE, ROOMS_PER_BANK, bank_atlas, colour_shares
from da3_ros.simulation.view_overlap import view_overlap
from test.simulation.surfaces import room_distance_m

SIZE = (48, 64)
SEEDS = tuple(TRAINING_SEEDS[:6])


@pytest.fixture(scope="module")
def drawn() -> dict[int, RoomViews]:
    """Two rooms of each kind of motion."""
    return {seed: draw_room_views(seed, SIZE) for seed in SEEDS}


def _world_points(views: RoomViews, index: int) -> FloatArray:
    points = views.camera.rays() * np.float64(views.depth[index])[..., None]
    pose = views.world_from_camera[index]
    return points.reshape(-1, 3) @ pose[:3, :3].T + pose[:3, 3]


def _seen_from(views: RoomViews, index: int, points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of world points: which are in view, their own depth, and that of the pixel where they fall."""
    camera_from_world = rigid_inverse(views.world_from_camera[index])
    local = points @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    pixel = np.nan_to_num(np.rint(views.camera.project(local)), nan=-1.0)
    height, width = views.camera.size
    inside = np.logical_and((pixel >= 0) & (pixel < (width, height)), local[:, 2:] > 0).all(axis=1)
    column, row = np.where(inside[:, None], pixel, 0).astype(int).T
    return inside, local[:, 2], np.float64(views.depth[index][row, column])


def test_views_have_the_promised_shapes_and_types(drawn: dict[int, RoomViews]) -> None:
    for views in drawn.values():
        assert views.images.shape == (8, *SIZE, 3)
        assert views.images.dtype == np.uint8
        assert views.depth.shape == (8, *SIZE)
        assert views.depth.dtype == np.float32
        assert views.world_from_camera.dtype == np.float64
        assert views.overlap.dtype == np.float32
        turns = views.world_from_camera[:, :3, :3]
        np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.tile(np.eye(3), (8, 1, 1)), atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(turns), 1)


def test_views_are_equal_for_equal_seeds_only(drawn: dict[int, RoomViews]) -> None:
    again = draw_room_views(SEEDS[1], SIZE)

    for name in ("images", "depth", "world_from_camera", "overlap"):
        np.testing.assert_array_equal(getattr(again, name), getattr(drawn[SEEDS[1]], name))
    assert again.camera == drawn[SEEDS[1]].camera
    assert not np.array_equal(again.depth, drawn[SEEDS[4]].depth)


@pytest.mark.parametrize("seed", SEEDS)
def test_depth_is_that_of_the_room(drawn: dict[int, RoomViews], seed: int) -> None:
    views, room = drawn[seed], varied_room(seed)

    for index in range(0, 8, 3):
        distance = room_distance_m(room, _world_points(views, index))
        assert np.abs(distance).max() < 2e-6


@pytest.mark.parametrize("seed", SEEDS)
def test_depth_reprojected_into_another_view_agrees_or_is_hidden(drawn: dict[int, RoomViews], seed: int) -> None:
    views = drawn[seed]
    first, second = np.unravel_index(np.argmax(views.overlap - 2 * np.eye(8)), (8, 8))

    inside, depth, found = _seen_from(views, int(second), _world_points(views, int(first)))

    relative = found[inside] / depth[inside] - 1
    assert inside.mean() > 0.3
    assert np.median(np.abs(relative)) < 0.01
    assert (relative < 0.05).mean() > 0.9  # nothing is seen through what stands before it, save on edges


def test_overlap_is_what_each_pixel_says(drawn: dict[int, RoomViews]) -> None:
    views = drawn[SEEDS[0]]
    full = view_overlap(views.depth, views.camera, views.world_from_camera, step=1)

    for i in range(8):
        points = _world_points(views, i)
        for j in range(8):
            inside, depth, found = _seen_from(views, j, points)
            expected = float(np.logical_and(inside, np.abs(found - depth) < 0.05 * depth).mean())
            assert full[i, j] == pytest.approx(expected, abs=2e-3)
    assert np.abs(full - views.overlap).max() < 0.06  # every third pixel tells nearly as much
    np.testing.assert_allclose(np.diag(full), 1)


def test_unknown_depth_counts_as_unseen(drawn: dict[int, RoomViews]) -> None:
    views = drawn[SEEDS[0]]
    depth = views.depth.copy()
    depth[0, :24] = np.nan

    overlap = view_overlap(depth, views.camera, views.world_from_camera, step=1)

    assert overlap[0, 0] == pytest.approx(0.5)
    assert np.isfinite(overlap).all()
    assert overlap[1, 0] <= views.overlap[1, 0] + 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_cameras_keep_away_from_solids_and_see_something(drawn: dict[int, RoomViews], seed: int) -> None:
    views = drawn[seed]
    centres = views.world_from_camera[:, :3, 3]

    assert (clearance_m(varied_room(seed), centres) > CLEARANCE_M).all()
    assert (room_distance_m(varied_room(seed), centres) > 0.25).all()
    assert np.median(views.depth, axis=(1, 2)).min() > 0.7
    assert 20 < views.images.mean() < 235
    assert views.images.std() > 10


@pytest.mark.parametrize("seed", SEEDS)
def test_many_pairs_see_the_same(drawn: dict[int, RoomViews], seed: int) -> None:
    overlap = drawn[seed].overlap
    partners = np.where(np.eye(8, dtype=bool), 0, overlap) > 0.3

    assert partners.sum() >= 8
    camera = drawn[seed].camera
    assert FOCAL_SHARES[0] <= camera.fx_px / SIZE[1] <= FOCAL_SHARES[1]
    assert (camera.cx_px, camera.cy_px) == ((SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2)


def test_validation_shares_neither_rooms_nor_textures_with_training() -> None:
    training, validation = (
        {seeds[0] // ROOMS_PER_BANK, seeds[-1] // ROOMS_PER_BANK} for seeds in (TRAINING_SEEDS, VALIDATION_SEEDS)
    )

    assert len(VALIDATION_SEEDS) == 200
    assert len(TRAINING_SEEDS) >= 20_000
    assert max(training) < min(validation)


def test_neighbours_on_a_rig_are_as_far_apart_as_promised() -> None:
    headings = rig(make_room(0), np.random.default_rng(1), 8, np.deg2rad(80))
    instants = headings.world_from_camera().reshape(CANDIDATES, 2, 4, 4, 4)

    axes = instants[:, 0, :, :3, 2]
    angle = np.arccos(np.clip((axes[:, :-1] * axes[:, 1:]).sum(-1), -1, 1))
    is_pair = angle[:, 0] < np.deg2rad(10)

    assert 0 < is_pair.sum() < CANDIDATES
    apart = np.concatenate((angle[~is_pair].ravel(), angle[is_pair][:, 1]))
    assert (apart > NEIGHBOURS_RAD[0] - 0.15).all()
    assert (apart < NEIGHBOURS_RAD[1] + 0.15).all()
    fixed = np.linalg.inv(instants[:, :, 0]) @ instants[:, :, 1]
    assert np.abs(fixed[:, 0, :3, 3] - fixed[:, 1, :3, 3]).max() < 0.02


@pytest.mark.parametrize("motion", MOTIONS, ids=lambda motion: motion.__name__)
def test_cameras_of_all_motions_are_upright_and_of_any_number(motion: object) -> None:
    headings = motion(make_room(0), np.random.default_rng(0), 5, 1.2)  # type: ignore[operator]

    pose = headings.world_from_camera()

    assert pose.shape == (CANDIDATES, 5, 4, 4)
    assert (pose[..., 2, 1] < -0.5).all()  # the image's down is the world's down


def test_few_rays_see_what_the_caster_sees() -> None:
    room, camera = make_room(3), PinholeCamera.from_field_of_view((90, 120), 1.3)
    poses = np.array([base_from_optical((x, 0.3, 1.9), 0.4 + x, 0.2) for x in (0.0, 0.5)])

    depth = coarse_depth(room, camera, poses, (9, 12))

    for pose, few in zip(poses, depth, strict=True):
        np.testing.assert_allclose(few, RayCaster(room).depth(camera.resized((9, 12)), pose), rtol=1e-4)


def test_shadows_are_the_same_within_cones() -> None:
    room = varied_room(SEEDS[2])
    rough = LightDetail(0.4, 0.4, 2, 1, 1, 3, 0.05, 0.1)
    cones = LightDetail(0.4, 0.4, 2, 1, 1, 3, 0.05, 0.1, has_cones=True)

    one, other = (bake_light(room, detail).irradiance for detail in (rough, cones))

    differs = (one - other).abs().amax(0) > 1e-4
    assert differs.float().mean() < 0.002  # grazing rays are rounded either way
    assert one.std() > 0.05


def test_bank_textures_look_as_if_they_were_painted_in_the_room() -> None:
    room = varied_room(SEEDS[0])
    name = "rug"
    look = room.materials[name]
    atlas = bank_atlas({name: look}, SEEDS[0])
    packed = atlas.texels[: BANK_SIDE**2].numpy()
    texels = np.stack([packed >> shift & 255 for shift in (0, 8, 16)], axis=-1)

    matches = []
    for variant in range(12):
        shares = colour_shares(look.pattern, len(look.colours), SEEDS[0] // ROOMS_PER_BANK, variant)[: BANK_SIDE**2]
        picture = np.clip(shares[:, :-3] @ np.array(look.colours, np.float32) + shares[:, -3:], 0, 1)
        matches.append(np.abs(picture * 255 - texels).max())

    assert min(matches) <= 1
    assert atlas.side == BANK_SIDE


@pytest.mark.parametrize("pattern", sorted(PAINTERS))
def test_painters_are_affine_in_their_colours(pattern: str) -> None:
    rng, colours = np.random.default_rng(5), [tuple(c) for c in np.random.default_rng(6).uniform(0, 1, (6, 3))]

    def painted(chosen: list[tuple[float, ...]]) -> FloatArray:
        return np.asarray(PAINTERS[pattern](np.random.default_rng(9), chosen, 32))  # type: ignore[index, arg-type]

    other = [tuple(c) for c in rng.uniform(0, 1, (6, 3))]
    middle = [tuple((np.array(a) + b) / 2) for a, b in zip(colours, other, strict=True)]
    np.testing.assert_allclose(painted(middle), (painted(colours) + painted(other)) / 2, atol=1e-5)


def test_a_sensor_keeps_the_picture_recognisable() -> None:
    pictures = torch.rand(3, 8, 12, 3, generator=torch.Generator().manual_seed(0)).repeat_interleave(4, 1)

    images = develop(pictures.repeat_interleave(4, 2), np.random.default_rng(2))

    assert images.shape == (3, 32, 48, 3)
    flat = pictures.repeat_interleave(4, 2).numpy().ravel()
    assert np.corrcoef(images.ravel(), flat)[0, 1] > 0.9
