# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from da3_ros.evaluation.known_frames import KnownSequence
from da3_ros.evaluation.sequences import load_sequences
from da3_ros.evaluation.true_windows import REACH, draw_windows, paper_window, sequence_overlap
from test.evaluation.known_room import CAMERA, room_sequence


def long_sequence(count: int) -> KnownSequence:
    """As many frames; the last tells its number by where it stands."""
    room = room_sequence()
    return replace(room, frames=tuple(room.frames[0] for _ in range(count)))


def test_windows_are_spread_evenly_and_alike_in_every_run() -> None:
    sequence = long_sequence(100)

    drawn = draw_windows(sequence, 3, 5, lambda first, second: 1.0)

    again = draw_windows(sequence, 3, 5, lambda first, second: 1.0)
    assert [window.numbers for window in drawn.windows] == [window.numbers for window in again.windows]
    assert drawn.left_out == 0
    for place, window in zip((0, 25, 50, 74, 99), drawn.windows, strict=True):
        assert place in window.numbers
        assert list(window.numbers) == sorted(set(window.numbers))
        assert all(abs(number - place) <= REACH for number in window.numbers)


def test_only_frames_that_overlap_come_together_and_places_without_any_are_counted() -> None:
    sequence = long_sequence(30)

    drawn = draw_windows(sequence, 2, 30, lambda first, second: 0.3 if abs(first - second) == 5 < first else 0.1)

    assert drawn.left_out == 6  # places 0 to 5
    assert all(window.numbers[1] - window.numbers[0] == 5 for window in drawn.windows)


def test_near_frames_come_together_where_nothing_is_known_of_overlap() -> None:
    drawn = draw_windows(long_sequence(60), 3, 6, lambda first, second: float("nan"))

    assert all(max(window.numbers) - min(window.numbers) <= 8 for window in drawn.windows)


def test_short_sequence_gives_as_many_windows_as_it_has_frames() -> None:
    assert len(draw_windows(long_sequence(3), 2, 12, lambda first, second: 1.0).windows) == 3
    assert draw_windows(long_sequence(1), 2, 12).left_out == 1
    assert len(draw_windows(long_sequence(1), 1, 12).windows) == 1


def test_overlap_of_a_sequence_is_that_of_its_depth() -> None:
    overlap = sequence_overlap(room_sequence())

    assert overlap(0, 0) == 1.0
    assert 0.3 < overlap(0, 1) < 1.0
    assert overlap(0, 1) > overlap(0, 5)


def test_window_reads_images_depth_and_poses() -> None:
    sequence = room_sequence()
    (window,) = draw_windows(sequence, 3, 1).windows

    assert window.name.startswith("room 1: 0, ")
    assert [image.shape for image in window.read_images()] == [(*CAMERA.size, 3)] * 3
    small = CAMERA.resized((21, 28))
    assert window.depth_on((small,) * 3).shape == (3, 21, 28)
    np.testing.assert_array_equal(window.world_from_camera[0], sequence.frames[0].world_from_camera)


def test_paper_takes_all_frames_and_of_many_a_hundred_by_its_seed() -> None:
    assert paper_window(long_sequence(100)).numbers == tuple(range(100))
    numbers = list(range(250))
    random.seed(42)  # as the benchmark does it
    random.shuffle(numbers)

    assert paper_window(long_sequence(250)).numbers == tuple(sorted(numbers[:100]))


@pytest.mark.parametrize("name", ["hololens_indoor", "livingroom1_redwood"])
def test_windows_of_recorded_sequences_see_the_same(shared_data: Path, name: str) -> None:
    (sequence,) = load_sequences(shared_data / name)
    overlap = sequence_overlap(sequence)

    drawn = draw_windows(sequence, 2, 4, overlap)

    assert drawn.windows
    assert all(overlap(*window.numbers) >= 0.3 for window in drawn.windows)
