# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of rooms that is made in no time: a slanted wall with a chequered pattern, seen from along a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from da3_ros.simulation.demo_views import DEMO_SEEDS
from da3_ros.simulation.room_views import TRAINING_SEEDS
from da3_ros.training.shards import DTYPES, ShardPlan

SIZE, VIEWS = (42, 56), 4


def write_rooms(folder: Path, seeds: Sequence[int] = TRAINING_SEEDS[:3], far_overlap: float = 0.8) -> None:
    """A shard of rooms under the name and with the metadata that `training.shards` gives.

    Views 0 and 1, and 2 and 3, share 0.8; all others `far_overlap`.
    """
    plan = ShardPlan(tuple(seeds), SIZE, VIEWS)
    pairs = np.kron(np.eye(VIEWS // 2), np.ones((2, 2)))
    overlap = np.where(pairs, 0.8, far_overlap)
    rooms = [{**_room(seed), "overlap": overlap} for seed in plan.seeds]
    arrays = {
        name: np.ascontiguousarray(np.stack([room[name] for room in rooms]).astype(dtype))
        for name, dtype in DTYPES.items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(arrays, folder / plan.name, plan.metadata)


def _room(seed: int) -> dict[str, np.ndarray]:
    """The wall z = distance + slope x, from cameras that look along z and move along x."""
    (H, W), focal = SIZE, (0.5 if seed in DEMO_SEEDS else 0.8) * SIZE[1]
    distance, slope = 2.0 + 0.3 * (seed % 3), 0.2 + 0.1 * (seed % 3)
    x = (np.arange(W) - (W - 1) / 2) / focal + np.zeros((H, 1))
    y = ((np.arange(H) - (H - 1) / 2) / focal)[:, None] + np.zeros((1, W))
    poses, depths, images = np.tile(np.eye(4), (VIEWS, 1, 1)), [], []
    for view in range(VIEWS):
        poses[view, 0, 3] = 0.15 * view
        depth = (distance + slope * poses[view, 0, 3]) / (1 - slope * x)
        across, down = depth * x + poses[view, 0, 3], depth * y
        chequers = (np.floor(3 * across + seed) + np.floor(3 * down)) % 2
        images.append(np.stack((200 * chequers, 120 + 60 * np.sin(4 * across), 120 + 60 * np.cos(5 * down)), axis=-1))
        depths.append(depth)
    K = np.array([[focal, 0, (W - 1) / 2], [0, focal, (H - 1) / 2], [0, 0, 1]])
    return {
        "images": np.array(images),
        "depth": np.array(depths),
        "world_from_camera": poses,
        "intrinsics": np.tile(K, (VIEWS, 1, 1)),
    }
