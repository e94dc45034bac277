# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from da3_ros.evaluation import demo_sequences
from da3_ros.evaluation.demo_sequences import CAMERAS, DEMO_SEQUENCES, FRAMES, PATHS
from da3_ros.evaluation.streamed import streamed
from da3_ros.geometry.sim3 import Sim3
from test.evaluation.known_room import knowing_predict, room_sequence

GAUGE = Sim3(2.0, np.eye(3), np.array([1.0, 0.0, 0.0]))


def test_network_that_knows_the_truth_walks_the_true_path() -> None:
    sequence = room_sequence(views=16)
    told: list[int] = []

    found = streamed(sequence, knowing_predict([sequence], GAUGE), told.append)

    centres = [frame.world_from_camera[:3, 3] for frame in sequence.frames]
    walked_m = sum(float(np.linalg.norm(after - before)) for before, after in pairwise(centres))
    assert (found.sequence, found.frames, found.placed) == (sequence.name, 16, 16)
    assert told == list(range(1, 17))
    assert found.length_m == pytest.approx(walked_m)
    assert found.ate_share < 1e-3
    assert found.rotation_median_deg < 0.05


def test_error_of_a_network_that_errs_is_in_the_trajectory() -> None:
    """Every window twice as large in its second half: the path bends out of shape."""
    sequence = room_sequence(views=16)
    knowing = knowing_predict([sequence], Sim3.identity())

    def stretching(images: object, cameras: object) -> object:
        answer = knowing(images, cameras)  # type: ignore[arg-type]
        poses = answer.window_from_camera.copy()
        poses[1::2, 1, 3] += 0.1
        return replace(answer, window_from_camera=poses)

    found = streamed(sequence, stretching)  # type: ignore[arg-type]

    assert found.ate_rmse_m > 0.01


def test_standing_camera_has_no_trajectory_error() -> None:
    frame = room_sequence().frames[0]
    standing = replace(room_sequence(), frames=(frame,) * 8)

    found = streamed(standing, knowing_predict([standing], Sim3.identity()))

    assert found.length_m == 0
    assert np.isnan(found.ate_rmse_m)
    assert np.isnan(found.ate_share)


def test_demo_sequences_are_of_all_paths_and_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    sequences = list(demo_sequences.demo_sequences())

    assert len(sequences) == DEMO_SEQUENCES == len(PATHS) * CAMERAS
    assert len({sequence.name for sequence in sequences}) == DEMO_SEQUENCES
    first = sequences[0].frames
    assert len(first) == FRAMES
    assert first[0].has_depth
    depth = first[3].read_depth()
    assert depth is not None
    assert depth.shape == first[3].calibration.size
    assert not np.array_equal(first[0].world_from_camera, first[1].world_from_camera)
