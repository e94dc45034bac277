# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.inference import estimator
from da3_ros.simulation.demo_views import DEMO_SEEDS
from da3_ros.simulation.room_views import TRAINING_SEEDS
from da3_ros.training.config import Stage, TrainingConfig
from da3_ros.training.shards import ShardReader
from da3_ros.training.windows import choose_views, draw_windows, normalised, plan_step
from test.closeness import assert_close
from test.strategies import seeds
from test.training.rooms import SIZE, write_rooms

STAGE = Stage(steps=9, sizes=(SIZE, (28, 56), (42, 42)), views=(1, 2, 3), views_per_step=6, zoom=0.6)
CONFIG = TrainingConfig("da3-nano", (STAGE,))


@given(step=st.integers(0, 1000))
def test_windows_are_a_function_of_seed_step_and_number(rooms: ShardReader, step: int) -> None:
    plan = plan_step(CONFIG, STAGE, step)
    everything = draw_windows(rooms, CONFIG, STAGE, step, range(plan.windows))
    last = draw_windows(rooms, CONFIG, STAGE, step, [plan.windows - 1])

    assert everything.images.shape == (plan.windows, plan.views, 3, *plan.size)
    assert torch.equal(last.images[0], everything.images[-1])
    assert torch.equal(last.depth[0], everything.depth[-1])
    assert torch.equal(last.world_from_camera[0], everything.world_from_camera[-1])


def test_another_seed_draws_other_windows(rooms: ShardReader) -> None:
    drawn = [draw_windows(rooms, replace(CONFIG, seed=seed), STAGE, 0, [0]).intrinsics.sum() for seed in range(8)]

    assert len({float(value) for value in drawn}) > 4


def test_share_of_windows_shows_the_demos_room(tmp_path: Path) -> None:
    write_rooms(tmp_path)
    write_rooms(tmp_path, seeds=DEMO_SEEDS[:2])
    reader = ShardReader(tmp_path)
    stage = replace(STAGE, sizes=(SIZE,), views=(1,), views_per_step=400, demo_share=0.25)
    focal = {False: 0.8, True: 0.5}  # shares of the width

    windows = draw_windows(reader, CONFIG, replace(stage, zoom=1.0), 0, range(400))

    shares = windows.intrinsics[:, 0, 0, 0] / SIZE[1]
    is_demo = (shares - focal[True]).abs() < 0.01
    assert ((shares - focal[False]).abs()[~is_demo] < 0.01).all()
    assert 0.18 < float(is_demo.float().mean()) < 0.32
    assert reader.of_demo == range(3, 5)


def test_the_demos_room_is_shown_as_it_is(tmp_path: Path) -> None:
    write_rooms(tmp_path, seeds=DEMO_SEEDS[:1])
    reader = ShardReader(tmp_path)
    stage = replace(STAGE, sizes=(SIZE,), views=(1,), views_per_step=40, demo_share=1.0, colour=1.0)

    windows = draw_windows(reader, CONFIG, stage, 0, range(40))

    seen = normalised(torch.from_numpy(reader.room(0).images).permute(0, 3, 1, 2).float() / 255)
    nearest = (windows.images[:, :, None] - seen).abs().flatten(3).amax(-1).amin(-1)  # neither mirrored nor cropped
    assert float(nearest.max()) < 1e-5


def test_cameras_side_by_side_see_each_other_in_the_demos_room_alone(tmp_path: Path) -> None:
    write_rooms(tmp_path, seeds=TRAINING_SEEDS[:1], far_overlap=0.3)
    write_rooms(tmp_path, seeds=DEMO_SEEDS[:1], far_overlap=0.3)
    reader = ShardReader(tmp_path)
    stage = replace(STAGE, sizes=(SIZE,), views=(2,), views_per_step=80)

    def baselines(demo_share: float) -> torch.Tensor:
        windows = draw_windows(reader, CONFIG, replace(stage, demo_share=demo_share), 0, range(40))
        return (windows.world_from_camera[:, 1] - windows.world_from_camera[:, 0])[:, :3, 3].norm(dim=-1)

    assert float(baselines(0.0).max()) == pytest.approx(0.15, abs=1e-5)  # between views that share 0.8
    assert float(baselines(1.0).max()) > 0.29


def test_rooms_that_a_stage_wants_must_be_there(rooms: ShardReader) -> None:
    with pytest.raises(ValueError, match="the demo's for demo_share"):
        draw_windows(rooms, CONFIG, replace(STAGE, demo_share=1.0), 0, [0])


def test_windows_of_every_number_show_the_demos_room_whatever_their_number_of_views(tmp_path: Path) -> None:
    write_rooms(tmp_path)
    write_rooms(tmp_path, seeds=DEMO_SEEDS[:2])
    reader = ShardReader(tmp_path)
    stage = replace(STAGE, sizes=(SIZE,), views=(1, 2), views_per_step=4, demo_share=0.5, zoom=1.0)
    shares: dict[int, list[bool]] = {1: [], 2: []}

    for step in range(200):
        first = draw_windows(reader, CONFIG, stage, step, [0])
        shares[first.images.shape[1]].append(float(first.intrinsics[0, 0, 0, 0]) < 0.6 * SIZE[1])

    assert all(0.3 < np.mean(share) < 0.7 for share in shares.values()), shares


def test_poor_depth_of_a_view_is_the_same_whenever_it_is_drawn(rooms: ShardReader) -> None:
    config = replace(CONFIG, known_share=0.2)
    stage = replace(STAGE, sizes=(SIZE,), views=(4,), views_per_step=80, zoom=1.0)
    windows = draw_windows(rooms, config, stage, 0, range(20))

    known = {tuple(depth[~depth.isnan()].sort().values.tolist()) for depth in windows.depth.flatten(0, 1)}

    assert len(known) == 12  # three rooms of four views
    assert 0.15 < float((~windows.depth.isnan()).float().mean()) < 0.25
    assert not windows.exact_depth.isnan().any()


def test_window_of_more_views_than_a_room_has_is_refused(rooms: ShardReader) -> None:
    with pytest.raises(ValueError, match="window of 6 views cannot be drawn from a room of 4"):
        draw_windows(rooms, CONFIG, replace(STAGE, views=(6,)), 0, [0])


@given(step=st.integers(0, 300))
def test_crops_and_mirrors_keep_depth_and_cameras_true(rooms: ShardReader, step: int) -> None:
    windows = draw_windows(rooms, CONFIG, STAGE, step, [0])
    H, W = windows.size
    K = windows.intrinsics[0, 0].double()
    u = (torch.arange(W) + 0.5).expand(H, W)
    x = (u - K[0, 2]) / K[0, 0]
    depth = windows.depth[0].double()
    poses = windows.world_from_camera[0].double()
    across = depth * x + poses[:, 0, 3, None, None]  # all cameras look along z
    # The wall is z = distance + slope x: a plane in every view, the same one.
    A = torch.stack((across.flatten(), torch.ones_like(across).flatten()), dim=1)
    slope, distance = torch.linalg.lstsq(A, depth.flatten()[:, None]).solution.flatten()

    assert 0.19 < abs(float(slope)) < 0.45
    assert 1.9 < float(distance) < 2.7
    assert (A @ torch.stack((slope, distance)) - depth.flatten()).abs().max() < 0.03
    assert_close(K[:2, 2], (W / 2, H / 2))


@given(seed=seeds, count=st.integers(1, 6))
def test_chosen_views_share_enough_where_they_can(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    overlap = rng.uniform(0, 1, (6, 6)).astype(np.float32)

    views = choose_views(overlap, count, 0.3, rng)

    assert len(set(views)) == count
    mutual = np.minimum(overlap, overlap.T)
    for place in range(1, count):
        before, rest = views[:place], [view for view in range(6) if view not in views[:place]]
        best = mutual[np.ix_(before, rest)].max()
        assert mutual[before, views[place]].max() >= min(0.3, best)


def test_images_are_normalised_as_at_inference() -> None:
    pixels = torch.arange(2 * 4 * 5 * 3, dtype=torch.uint8).view(2, 4, 5, 3)

    at_inference = estimator.normalised(pixels)[0]

    assert_close(normalised(pixels.permute(0, 3, 1, 2) / 255), at_inference, 1e-6)


def test_a_stage_refuses_what_cannot_be_trained() -> None:
    with pytest.raises(ValueError, match="multiples of 14"):
        Stage(steps=1, sizes=((40, 56),))
    with pytest.raises(ValueError, match="holds no window of 3 views"):
        Stage(steps=1, sizes=(SIZE,), views=(2, 3), views_per_step=2)
