# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Simulated rooms that no network has been trained on, as sequences to evaluate on."""

from __future__ import annotations

from collections.abc import Iterator

from da3_ros.evaluation.known_frames import HeldFrame, KnownSequence
from da3_ros.evaluation.true_windows import Overlap
from da3_ros.simulation.room_views import VALIDATION_SEEDS, RoomViews, draw_room_views


def room_sequences(rooms: int) -> Iterator[tuple[KnownSequence, Overlap]]:
    """The first rooms for validation, each with the overlap of its views; made one by one.

    Raises:
        ValueError: when there are not so many.
    """
    if rooms > len(VALIDATION_SEEDS):
        raise ValueError(f"there are {len(VALIDATION_SEEDS)} rooms for validation, not {rooms}")
    for seed in VALIDATION_SEEDS[:rooms]:
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
