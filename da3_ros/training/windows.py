# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows to train on, drawn from rendered rooms: which room, which views, cropped, mirrored and coloured.

Everything a step sees is a function of the seed, the step and the window's number in it: a training that was
interrupted goes on as if it had not been, and processes that share a step need not talk about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from da3_ros.model.config import IMAGENET_MEAN, IMAGENET_STD
from da3_ros.training.config import Stage, TrainingConfig
from da3_ros.training.poor_truth import poor_depth
from da3_ros.training.shards import ShardReader, ShardRoom
from da3_ros.training.targets import Windows

GAIN, OFFSET, NOISE = 0.25, 0.06, 0.02  # of images from 0 to 1, at full strength of colour
DEMO_OVERLAP = 0.25  # at least, in the demo's room: cameras side by side on its rig share a third
MOST_OVERLAP = 1.05  # nothing shares so much; views are drawn in proportion to what is missing to it
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What all windows of one step have in common.

    Attributes:
        size: (H, W) of the images.
        views: V.
        windows: B, over all processes.
        knows_cameras: the network is given the cameras.
    """

    size: tuple[int, int]
    views: int
    windows: int
    knows_cameras: bool


def plan_step(config: TrainingConfig, stage: Stage, step: int) -> StepPlan:
    """Draw what a step is about; `step` counts over all stages."""
    rng = np.random.default_rng((config.seed, step))
    size = stage.sizes[int(rng.integers(len(stage.sizes)))]
    views = stage.views[int(rng.integers(len(stage.views)))]
    knows_cameras = bool(rng.uniform() < stage.known_cameras) and views > 1
    return StepPlan(size, views, stage.views_per_step // views, knows_cameras)


def draw_windows(
    rooms: ShardReader, config: TrainingConfig, stage: Stage, step: int, numbers: Sequence[int]
) -> Windows:
    """Some of the windows of a step.

    Args:
        rooms: to draw from.
        config: the seed, how much views overlap, and how much of depth is known.
        stage: of the step.
        step: counted over all stages.
        numbers: of the windows, below `plan_step(...).windows`.

    Raises:
        ValueError: when the rooms that the stage wants are not there, or have fewer views than a window.
    """
    plan = plan_step(config, stage, step)
    drawn = []
    for number in numbers:
        rng = np.random.default_rng((config.seed, step, 1 + number))  # a zero would be the plan's own chance
        room_number = _room_number(rooms, stage.demo_share, rng)
        room = rooms.room(room_number)
        # The demo's room is the one there is, seen by the one rig: there is nothing to vary.
        varied = stage if room_number not in rooms.of_demo else None
        least = config.overlap if varied else min(config.overlap, DEMO_OVERLAP)
        views = choose_views(room.overlap, plan.views, least, rng)
        drawn.append(_window(room, views, plan.size, varied, config.known_share, rng))
    return Windows(*(torch.stack(parts) for parts in zip(*drawn, strict=True)))


def _room_number(rooms: ShardReader, demo_share: float, rng: np.random.Generator) -> int:
    numbers = rooms.of_demo if rng.uniform() < demo_share else range(rooms.of_demo.start)
    if not numbers:
        raise ValueError("a stage wants rooms that are not there: render random rooms, and the demo's for demo_share")
    return numbers[int(rng.integers(len(numbers)))]


def choose_views(overlap: npt.NDArray[np.float32], count: int, least: float, rng: np.random.Generator) -> list[int]:
    """Views of one window, in random order: each shares enough with one before it, where there is any that does.

    Args:
        overlap: (N, N) share of view i's pixels that view j sees.
        count: of views.
        least: overlap, both ways.
        rng: for what is left to chance.

    Raises:
        ValueError: when there are fewer views than that.
    """
    if count > len(overlap):
        raise ValueError(f"a window of {count} views cannot be drawn from a room of {len(overlap)}")
    mutual = np.minimum(overlap, overlap.T)
    chosen = [int(rng.integers(len(mutual)))]
    while len(chosen) < count:
        shared = mutual[chosen].max(axis=0)
        shared[chosen] = -1
        enough = np.flatnonzero(shared >= least)
        if len(enough):
            strange = MOST_OVERLAP - shared[enough]  # views that differ teach more
            chosen.append(int(rng.choice(enough, p=strange / strange.sum())))
        else:
            chosen.append(int(shared.argmax()))
    return chosen


def normalised(images: Tensor) -> Tensor:
    """(..., 3, H, W) images from 0 to 1, as the network wants them."""
    return (images - images.new_tensor(IMAGENET_MEAN)[:, None, None]) / images.new_tensor(IMAGENET_STD)[:, None, None]


def _window(
    room: ShardRoom,
    views: Sequence[int],
    size: tuple[int, int],
    varied: Stage | None,
    known_share: float,
    rng: np.random.Generator,
) -> tuple[Tensor, ...]:
    """Fields of `Windows` for one window, varied as a stage says, or as it was seen."""
    top, left, height, width = _crop(room.camera.size, size, varied.zoom if varied else 1.0, rng)
    rows, columns = slice(top, top + height), slice(left, left + width)
    images = torch.from_numpy(room.images[views, rows, columns]).permute(0, 3, 1, 2).float() / 255
    images = functional.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)
    exact = torch.from_numpy(room.depth[views].astype(np.float32))
    known = exact
    if known_share < 1:
        spoiled = (poor_depth(depth, room.seed, view, known_share) for depth, view in zip(exact, views, strict=True))
        known = torch.stack(list(spoiled))
    depths = _nearest(torch.stack((known, exact))[..., rows, columns], size)
    poses = room.world_from_camera[views]
    if varied and rng.uniform() < 0.5:  # a mirrored room is a room
        images, depths, poses = images.flip(-1), depths.flip(-1), (MIRROR @ poses @ MIRROR).astype(np.float32)
    focal = (room.camera.fx_px * size[1] / width, room.camera.fy_px * size[0] / height)
    K = np.array([[focal[0], 0, size[1] / 2], [0, focal[1], size[0] / 2], [0, 0, 1]], np.float32)
    intrinsics = torch.from_numpy(np.repeat(K[None], len(views), axis=0))
    if varied:
        images = _coloured(images, varied.colour, rng)
    return normalised(images), *depths, torch.from_numpy(poses), intrinsics


def _crop(
    source: tuple[int, int], size: tuple[int, int], zoom: float, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """Top, left, height and width of a crop around the middle, of the shape of `size`."""
    H, W = source
    share = float(rng.uniform(zoom, 1.0)) * min(H / size[0], W / size[1])
    # Even margins keep the principal point in the middle.
    height, width = (side - 2 * round((side - share * wanted) / 2) for side, wanted in zip(source, size, strict=True))
    return (H - height) // 2, (W - width) // 2, height, width


def _nearest(depth: Tensor, size: tuple[int, int]) -> Tensor:
    """(..., H, W) depth at the pixels under the centres of another grid: depths of two surfaces have no mean."""
    rows, columns = (
        ((torch.arange(wanted) + 0.5) * side / wanted).long()
        for side, wanted in zip(depth.shape[-2:], size, strict=True)
    )
    return depth[..., rows[:, None], columns]


def _coloured(images: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """Other colours for a window, another exposure for each view, and noise; (V, 3, H, W) from 0 to 1."""
    if not strength:
        return images
    if rng.uniform() < 0.5 * strength:
        images = images[:, torch.from_numpy(rng.permutation(3))]
    shape = (len(images), 1, 1, 1)
    gain = torch.from_numpy(np.exp(rng.normal(0, GAIN * strength, shape)).astype(np.float32))
    offset = torch.from_numpy(rng.normal(0, OFFSET * strength, shape).astype(np.float32))
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    noise = torch.randn(images.shape, generator=generator) * float(rng.uniform(0, NOISE * strength))
    return (images * gain + offset + noise).clamp(0, 1)
