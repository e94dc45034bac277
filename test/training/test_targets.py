# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.rays import camera_from_rays
from da3_ros.model.camera_token import decode_cameras
from da3_ros.training.config import Stage, TrainingConfig
from da3_ros.training.shards import ShardReader
from da3_ros.training.targets import Windows, cameras, in_gauge, matches, ray_map, sampled
from da3_ros.training.windows import draw_windows
from test.closeness import assert_close
from test.strategies import seeds, sim3s
from test.training.rooms import SIZE

PLAIN = Stage(steps=1, sizes=(SIZE,), views=(3,), views_per_step=6, colour=0.0)


@pytest.fixture
def windows(rooms: ShardReader) -> Windows:
    return draw_windows(rooms, TrainingConfig("da3-nano", (PLAIN,)), PLAIN, 0, [0, 1])


def test_gauge_has_the_first_camera_as_its_world_and_points_one_unit_away(windows: Windows) -> None:
    gauged = in_gauge(windows)

    ray = ray_map(gauged, SIZE)
    points = gauged.depth[..., None] * ray[..., :3] + ray[..., 3:]
    assert_close(gauged.world_from_camera[:, 0], torch.eye(4).expand(2, 4, 4), 1e-6)
    assert_close(points.norm(dim=-1).flatten(1).mean(1), torch.ones(2))


@given(moved=sim3s())
def test_gauge_does_not_depend_on_the_world_and_unit_that_truth_came_in(rooms: ShardReader, moved: object) -> None:
    windows = draw_windows(rooms, TrainingConfig("da3-nano", (PLAIN,)), PLAIN, 0, [0])
    poses = windows.world_from_camera.double()
    turned = torch.from_numpy(moved.rotation) @ poses[..., :3, :3]  # type: ignore[attr-defined]
    centres = moved.scale * (torch.from_numpy(moved.rotation) @ poses[..., :3, 3:])  # type: ignore[attr-defined]
    other = torch.eye(4, dtype=torch.float64).repeat(1, 3, 1, 1)
    other[..., :3, :3], other[..., :3, 3] = turned, centres[..., 0] + torch.from_numpy(moved.translation)  # type: ignore[attr-defined]
    scale = moved.scale  # type: ignore[attr-defined]
    depth = scale * windows.depth.double()
    wide = Windows(windows.images, depth, depth, other, windows.intrinsics.double())

    first, second = in_gauge(windows), in_gauge(wide)

    assert_close(second.depth, first.depth, 1e-4)
    assert_close(second.world_from_camera, first.world_from_camera, 1e-4)


def test_unknown_depth_does_not_move_the_gauge(windows: Windows) -> None:
    depth = windows.depth.clone()
    depth[:, :, ::2] = torch.nan

    assert_close(in_gauge(replace(windows, depth=depth)).world_from_camera, in_gauge(windows).world_from_camera, 1e-2)


def test_rays_of_the_target_are_those_of_its_camera(windows: Windows) -> None:
    gauged = in_gauge(windows)
    rays = ray_map(gauged, (24, 32))

    found = camera_from_rays(rays[1, 2].numpy(), torch.ones(24, 32).numpy())

    _, intrinsics = decode_cameras(cameras(gauged), SIZE)
    assert_close(found.window_from_camera, gauged.world_from_camera[1, 2], 1e-5)
    assert_close(found.camera.resized(SIZE).fx_px, intrinsics[1, 2, 0, 0], 1e-5)


def test_cameras_of_the_target_decode_to_what_was_given(windows: Windows) -> None:
    gauged = in_gauge(windows)

    camera_from_world, intrinsics = decode_cameras(cameras(gauged), SIZE)

    assert_close(camera_from_world, gauged.world_from_camera.inverse(), 1e-5)
    assert_close(intrinsics, gauged.intrinsics, 1e-5)


def test_matched_patches_show_the_same_point(windows: Windows) -> None:
    gauged = in_gauge(windows)
    found = matches(gauged)
    columns = SIZE[1] // 14
    centres = torch.arange(0, 12)
    patch = found.patch[0, 1, 0]
    point = (gauged.depth[..., None] * ray_map(gauged, SIZE)[..., :3] + ray_map(gauged, SIZE)[..., 3:])[0]
    seen = patch >= 0
    assert seen.float().mean() > 0.5
    there = point[0, 14 * (patch // columns) + 7, 14 * (patch % columns) + 7]
    here = point[1, 14 * (centres // columns) + 7, 14 * (centres % columns) + 7]
    width = 14 / gauged.intrinsics[0, 0, 0, 0] * gauged.depth[0].max()
    assert ((there - here)[seen].abs() < 0.75 * width).all()
    assert (found.patch[:, [0, 1, 2], [0, 1, 2]] == -1).all()


def test_patches_lie_where_they_are_in_the_first_view(windows: Windows) -> None:
    place = matches(in_gauge(windows)).place[:, 0]

    rows, columns = torch.arange(3), torch.arange(4)
    expected = torch.stack(((columns + 0.5) / 4 + 0 * rows[:, None], (rows[:, None] + 0.5) / 3 + 0 * columns), dim=-1)
    assert (place - expected.flatten(0, 1)).abs().max() < 0.02  # the pixel beside the centre stands for it


def test_hidden_points_have_no_match(windows: Windows) -> None:
    nearer = windows.depth.clone()
    nearer[:, 0] *= 0.5

    assert (matches(in_gauge(replace(windows, exact_depth=nearer))).patch[:, 1, 0] == -1).all()


def test_matches_are_exact_where_depth_is_poor(windows: Windows) -> None:
    blank = replace(windows, depth=torch.full_like(windows.depth, torch.nan))

    ours, true = matches(blank), matches(windows)

    assert torch.equal(ours.patch, true.patch)
    assert (true.patch >= 0).any()


@given(seed=seeds, rows=st.integers(1, 9), columns=st.integers(1, 9))
def test_sampled_depth_is_that_of_the_pixel_under_each_centre(seed: int, rows: int, columns: int) -> None:
    depth = torch.rand(1, 1, 11, 13, generator=torch.Generator().manual_seed(seed))

    found = sampled(depth, (rows, columns))

    for i in range(rows):
        for j in range(columns):
            assert found[0, 0, i, j] == depth[0, 0, int((i + 0.5) * 11 / rows), int((j + 0.5) * 13 / columns)]
