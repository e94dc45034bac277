# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Simulated rooms as sequences to evaluate on: those for validation, or, to compare, some of those for training."""

from __future__ import annotations

from collections.abc import Iterator

from da3_ros.evaluation.known_frames import HeldFrame, KnownSequence
from da3_ros.evaluation.true_windows import Overlap
from da3_ros.simulation.room_views import TRAINING_SEEDS, VALIDATION_SEEDS, RoomViews, draw_room_views


def room_sequences(rooms: int, first_room: int | None = None) -> Iterator[tuple[KnownSequence, Overlap]]:
    """Rooms, each with the overlap of its views; made one by one.

    Args:
        rooms: how many.
        first_room: take the rooms for training from this number on, as `TrainingConfig.first_room` counts them; None
            takes the rooms for validation, which no training uses, from their first on.

    Raises:
        ValueError: when there are not so many.
    """
    there = VALIDATION_SEEDS if first_room is None else TRAINING_SEEDS[first_room:]
    if rooms > len(there):
        what = "for validation" if first_room is None else f"for training from {first_room} on"
        raise ValueError(f"there are {len(there)} rooms {what}, not {rooms}")
    for seed in there[:rooms]:
        yield _sequence(seed, draw_room_views(seed))


def _sequence(seed: int, room: RoomViews) -> tuple[KnownSequence, Overlap]:
    def overlap(first: int, second: int) -> float:
        return float(min(room.overlap[first, second], room.overlap[second, first]))

    name = f"room {seed}"
    frames = tuple(
        HeldFrame(f"{name}, view {view}", room.camera, pose, image, depth)
        for view, (image, depth, pose) in enumerate(zip(room.images, room.depth, room.world_from_camera, strict=True))
    )
    return KnownSequence(name, "room", frames), overlap
