# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered rooms on disk: files of some tens of rooms, written once and read by slices.

A shard appears under its name when it is complete, so that training may read a folder while it is being filled, and an
interrupted run goes on where it was.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.simulation.demo_views import DEMO_SEEDS, draw_demo_views
from da3_ros.simulation.room_views import GENERATOR_VERSION, RoomViews, draw_room_views

SUFFIX = ".safetensors"
DTYPES: dict[str, type[np.generic]] = {
    "images": np.uint8,
    "depth": np.float16,
    "world_from_camera": np.float32,
    "intrinsics": np.float32,
    "overlap": np.float32,
}


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What one shard holds.

    Attributes:
        seeds: of its R rooms, in order.
        size: (H, W) of the images.
        views: N per room.
    """

    seeds: tuple[int, ...]
    size: tuple[int, int]
    views: int

    @property
    def name(self) -> str:
        """File name: first and last seed."""
        return f"rooms_{self.seeds[0]:09d}_{self.seeds[-1]:09d}{SUFFIX}"

    @property
    def metadata(self) -> dict[str, str]:
        """What the file says about itself; two shards with the same metadata hold the same bytes.

        One entry, as safetensors keeps no order of several.
        """
        about = {"generator": GENERATOR_VERSION, "seeds": self.seeds, "size": self.size, "views": self.views}
        return {"rooms": json.dumps(about)}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of all arrays."""
        lead = (len(self.seeds), self.views)
        return {
            "images": (*lead, *self.size, 3),
            "depth": (*lead, *self.size),
            "world_from_camera": (*lead, 4, 4),
            "intrinsics": (*lead, 3, 3),
            "overlap": (*lead, self.views),
        }


def render_shards(
    folder: Path,
    seeds: Sequence[int],
    rooms_per_shard: int = 32,
    workers: int = 2,
    size: tuple[int, int] = (126, 168),
    views: int = 8,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Render rooms into shards that are not there yet.

    With more than one worker the caller's main module is imported anew by each: keep the call behind a main guard.

    Args:
        folder: is made when missing.
        seeds: of the rooms, see `simulation.room_views`; the last shard may hold fewer than the others.
        rooms_per_shard: at least one.
        workers: processes, each with one thread; with one nothing is started.
        size: (H, W).
        views: per room.
        progress: told how many shards are there, and of how many.

    Returns:
        All shards in the order of the seeds.

    Raises:
        ValueError: when there is nothing to render, or when a shard of that name holds something else.
    """
    if not seeds or rooms_per_shard < 1 or workers < 1:
        raise ValueError(f"give seeds, rooms per shard and workers, not {len(seeds)}, {rooms_per_shard} and {workers}")
    starts = range(0, len(seeds), rooms_per_shard)
    plans = [ShardPlan(tuple(seeds[first : first + rooms_per_shard]), size, views) for first in starts]
    folder.mkdir(parents=True, exist_ok=True)
    missing = [plan for plan in plans if not _is_there(folder / plan.name, plan)]
    progress(len(plans) - len(missing), len(plans))
    if workers == 1:
        threads = torch.get_num_threads()
        _be_one_thread()
        try:
            for done, plan in enumerate(missing, len(plans) - len(missing) + 1):
                write_shard(folder, plan)
                progress(done, len(plans))
        finally:
            torch.set_num_threads(threads)
    else:
        _write_in_parallel(folder, missing, len(plans), workers, progress)
    return [folder / plan.name for plan in plans]


def _write_in_parallel(
    folder: Path, missing: list[ShardPlan], total: int, workers: int, progress: Callable[[int, int], None]
) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _be_one_thread) as pool:
        pending = [pool.submit(write_shard, folder, plan) for plan in missing]
        try:
            for done, future in enumerate(as_completed(pending), total - len(missing) + 1):
                future.result()
                progress(done, total)
        finally:
            pool.shutdown(cancel_futures=True)


def _be_one_thread() -> None:
    """Pictures are too small for more: beside other jobs two that wait for each other took twenty times as long."""
    torch.set_num_threads(1)


def write_shard(folder: Path, plan: ShardPlan) -> None:
    """Render one shard under a temporary name, then give it its own."""
    drawn = (draw_demo_views if seed in DEMO_SEEDS else draw_room_views for seed in plan.seeds)
    rooms = [draw(seed, plan.size, plan.views) for draw, seed in zip(drawn, plan.seeds, strict=True)]
    # safetensors writes memory as it lies
    arrays = {name: np.ascontiguousarray(np.stack([_stored(room, name) for room in rooms])) for name in DTYPES}
    temporary = folder / f".{plan.name}.{os.getpid()}"
    save_file(arrays, temporary, plan.metadata)
    temporary.replace(folder / plan.name)


def _stored(room: RoomViews, name: str) -> npt.NDArray[Any]:
    if name == "intrinsics":
        return np.broadcast_to(room.camera.matrix, (len(room.images), 3, 3)).astype(DTYPES[name])
    array: npt.NDArray[Any] = getattr(room, name)
    return array.astype(DTYPES[name])


def _is_there(path: Path, plan: ShardPlan) -> bool:
    if not path.is_file():
        return False
    found = _metadata(path)
    if found != plan.metadata:
        raise ValueError(f"{path} holds {found} where {plan.metadata} is to be rendered: use another folder")
    return True


def _metadata(path: Path) -> Mapping[str, str]:
    try:
        with safe_open(path, framework="np") as file:
            metadata: Mapping[str, str] = file.metadata() or {}
            return metadata
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is no shard of rooms ({error}): delete it and render again") from error


@dataclass(frozen=True, slots=True, eq=False)
class ShardRoom:
    """One room as it was stored.

    Attributes:
        seed: it was rendered from.
        images: (N, H, W, 3) uint8 RGB.
        depth: (N, H, W) float16 z along the optical axis, metres; NaN unknown.
        camera: of all views.
        world_from_camera: (N, 4, 4) float32 rigid, optical frames, metres.
        overlap: (N, N) float32 share of view i's pixels that view j sees.
    """

    seed: int
    images: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float16]
    camera: PinholeCamera
    world_from_camera: npt.NDArray[np.float32]
    overlap: npt.NDArray[np.float32]


class _Shard:
    """One open, memory-mapped file; only what is asked for is read."""

    def __init__(self, path: Path) -> None:
        metadata = _metadata(path)
        try:
            about = json.loads(metadata["rooms"])
            (height, width), seeds = about["size"], tuple(map(int, about["seeds"]))
            self.plan = ShardPlan(seeds, (int(height), int(width)), int(about["views"]))
            generator = about["generator"]
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"{path} does not say which rooms it holds: render it again") from error
        if generator != GENERATOR_VERSION:
            raise ValueError(
                f"{path} was rendered by generator {generator}, and this is {GENERATOR_VERSION}: use another folder"
            )
        self.path = path
        self._file = safe_open(path, framework="np")
        self._check()

    def _check(self) -> None:
        names = set(self._file.keys())
        for name, shape in self.plan.shapes.items():
            if name not in names:
                raise ValueError(f"{self.path} lacks '{name}': render it again")
            stored = self._file.get_slice(name)
            found, kind = tuple(stored.get_shape()), stored[:0].dtype
            if found != shape or kind != DTYPES[name]:
                right = f"type {np.dtype(DTYPES[name])} and shape {shape}"
                raise ValueError(f"'{name}' in {self.path} has type {kind} and shape {found}, not {right}")
        for name in ("world_from_camera", "intrinsics", "overlap"):
            if not np.isfinite(self._file.get_tensor(name)).all():
                raise ValueError(f"'{name}' in {self.path} holds a NaN or infinity: render it again")

    def room(self, index: int) -> ShardRoom:
        parts = {name: self._file.get_slice(name)[index] for name in DTYPES}
        if not np.isfinite(parts["depth"]).any(axis=(1, 2)).all():
            raise ValueError(f"a view of room {self.plan.seeds[index]} in {self.path} has no depth: render it again")
        k = parts["intrinsics"][0].astype(np.float64)
        camera = PinholeCamera(self.plan.size, float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2]))
        kept = {name: part for name, part in parts.items() if name != "intrinsics"}
        return ShardRoom(seed=self.plan.seeds[index], camera=camera, **kept)


class ShardReader:
    """Rooms of the shards in a folder, numbered through.

    Args:
        folder: of shards.
        seeds: of the rooms, in order, those of the demo's room last; all that are there by default.

    Raises:
        ValueError: when there is no shard, or not every room; when one is malformed, or was rendered by another
            version of the generator; when sizes or numbers of views differ.
    """

    def __init__(self, folder: Path, seeds: Sequence[int] | None = None) -> None:
        paths = sorted(path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))
        if not paths:
            raise ValueError(f"there are no shards in {folder}: render some")
        shards = [_Shard(path) for path in paths]
        # Plans of another length may have left a room in two shards: they hold the same of it.
        places = {seed: (shard, index) for shard in shards for index, seed in enumerate(shard.plan.seeds)}
        self.seeds = tuple(sorted(places) if seeds is None else seeds)
        missing = [seed for seed in self.seeds if seed not in places]
        if missing:
            raise ValueError(
                f"{folder} lacks {len(missing)} of {len(self.seeds)} rooms, the first of seed {missing[0]}: render them"
            )
        self._places = [places[seed] for seed in self.seeds]
        kinds = {(shard.plan.size, shard.plan.views) for shard, _ in self._places}
        if len(kinds) != 1:
            raise ValueError(f"the shards in {folder} differ in size or number of views: {sorted(kinds)}")
        ((self.size, self.views),) = kinds

    def __len__(self) -> int:
        return len(self.seeds)

    @cached_property
    def of_demo(self) -> range:
        """Numbers of the rooms that are the demo's: the last ones."""
        return range(sum(seed not in DEMO_SEEDS for seed in self.seeds), len(self))

    def room(self, index: int) -> ShardRoom:
        """Room number `index`, from zero on.

        Raises:
            IndexError: when there are not so many.
            ValueError: when one of its views has no depth at all.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"there is no room {index} among {len(self)}")
        shard, place = self._places[index]
        return shard.room(place)
