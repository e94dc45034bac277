# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from da3_ros.evaluation import demo_sequences
from da3_ros.evaluation.demo_sequences import CAMERAS, DEMO_SEQUENCES, FRAMES, PATHS
from da3_ros.evaluation.known_frames import HeldFrame, KnownRig, KnownSequence
from da3_ros.evaluation.streamed import streamed
from da3_ros.geometry.sim3 import Sim3
from test.evaluation.known_room import knowing_predict, room_sequence

GAUGE = Sim3(2.0, np.eye(3), np.array([1.0, 0.0, 0.0]))


def alone(sequence: KnownSequence) -> KnownRig:
    return KnownRig(sequence.name, (sequence,))


def beside(sequence: KnownSequence, offset_m: float) -> KnownSequence:
    """A camera carried beside another; only its images and places are another's."""
    offset = np.eye(4)
    offset[0, 3] = offset_m
    frames = [
        HeldFrame(f.name, f.calibration, f.world_from_camera @ offset, f.read_image()[::-1], depth)
        for f in sequence.frames
        if (depth := f.read_depth()) is not None
    ]
    return KnownSequence("beside", "room", tuple(frames))


def test_network_that_knows_the_truth_walks_the_true_path() -> None:
    sequence = room_sequence(views=16)
    told: list[int] = []

    found = streamed(alone(sequence), knowing_predict([sequence], GAUGE), told.append)

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

    found = streamed(alone(sequence), stretching)  # type: ignore[arg-type]

    assert found.ate_rmse_m > 0.01


def test_cameras_of_a_rig_are_streamed_together_under_one_alignment() -> None:
    first = room_sequence(views=8)
    rig = KnownRig("two", (first, beside(first, 0.4)))
    true, wrong = (knowing_predict(carried, GAUGE) for carried in (rig.cameras, (first, beside(first, 0.6))))

    found, misplaced = streamed(rig, true), streamed(rig, wrong)

    assert (found.sequence, found.frames, found.placed) == ("two", 16, 16)
    assert found.length_m == pytest.approx(streamed(alone(first), true).length_m)
    assert found.ate_share < 1e-3
    assert misplaced.ate_rmse_m > 0.05


def test_rig_with_a_frame_too_few_is_refused() -> None:
    first = room_sequence()
    fewer = replace(first, name="fewer", frames=first.frames[:-1])

    with pytest.raises(ValueError, match=r"rig two have unlike numbers of frames \(room 1: 6, fewer: 5\)"):
        KnownRig("two", (first, fewer))


def test_standing_camera_has_no_trajectory_error() -> None:
    frame = room_sequence().frames[0]
    standing = replace(room_sequence(), frames=(frame,) * 8)

    found = streamed(alone(standing), knowing_predict([standing], Sim3.identity()))

    assert found.length_m == 0
    assert np.isnan(found.ate_rmse_m)
    assert np.isnan(found.ate_share)


def test_demo_sequences_are_of_all_paths_and_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    sequences = list(demo_sequences.demo_sequences())
    rigs = list(demo_sequences.demo_rigs())

    assert len(sequences) == DEMO_SEQUENCES == len(PATHS) * CAMERAS
    assert len({sequence.name for sequence in sequences}) == DEMO_SEQUENCES
    assert [sequence.name for rig in rigs for sequence in rig.cameras] == [sequence.name for sequence in sequences]
    assert len({rig.name for rig in rigs}) == len(PATHS)
    first = sequences[0].frames
    assert len(first) == FRAMES
    assert first[0].has_depth
    depth = first[3].read_depth()
    assert depth is not None
    assert depth.shape == first[3].calibration.size
    assert not np.array_equal(first[0].world_from_camera, first[1].world_from_camera)
