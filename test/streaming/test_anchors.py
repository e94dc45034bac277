# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Older frame sets that see the same as now stay in the windows, so that a slow robot does not drift."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.streaming import anchors
from da3_ros.streaming.aligner import WindowAligner
from da3_ros.streaming.alignment_report import AlignmentReport
from da3_ros.streaming.anchors import Anchors
from da3_ros.streaming.frame import Frame, FrameSet, Window
from da3_ros.streaming.sliding_window import with_anchors
from test.streaming.drawn_windows import NOISE, SCENE_DEPTH_M, DrawnWorld
from test.streaming.oracle_world import CAMERA, IMAGE, ONE, THREE, Trajectory, still

SETS, OVERLAP = 6, 2


def turning(rad_per_set: float) -> Trajectory:
    return lambda t: rigid(matrix_from_rotation_vector([0.0, 0.0, 10 * rad_per_set * t]), np.zeros(3))


def driving(metres_per_set: float) -> Trajectory:
    return lambda t: rigid(np.eye(3), [10 * metres_per_set * t, 0.0, 0.0])


def followed(world: DrawnWorld, aligner: WindowAligner, sets: int) -> Iterator[tuple[Window, AlignmentReport]]:
    """Windows of one new set each, with the anchors that the aligner wants."""
    for newest in range(SETS - 1, sets):
        window, last = world.window(range(newest - SETS + 1, newest + 1)), aligner.last_window
        if last is not None:
            window = with_anchors(window, aligner.anchors, last, OVERLAP)
        report = aligner.add(window, world.predict(window))
        assert report.ok
        assert not report.new_segment or last is None
        yield window, report


def wanted(aligner: WindowAligner) -> list[int]:
    return [anchor.index for anchor in aligner.anchors]


def test_robot_that_stands_keeps_the_anchors_of_its_beginning() -> None:
    world, aligner = DrawnWorld(ONE, still), WindowAligner()

    windows = [window for window, _ in followed(world, aligner, 40)]

    assert wanted(aligner) == [5, 6, 7]
    assert [member.index for member in windows[-1].frame_sets] == [5, 6, 7, 37, 38, 39]


@pytest.mark.parametrize("rig", [ONE, THREE], ids=["one", "three"])
def test_unit_and_place_do_not_drift_while_the_robot_stands(rig: dict[str, FloatArray]) -> None:
    world, aligner = DrawnWorld(rig, still, seed=2), WindowAligner()

    reports = [report for _, report in followed(world, aligner, 300)]

    truth = [report.world_from_window @ gauge for report, gauge in zip(reports, world.gauges, strict=True)]
    units = np.log([found.scale / truth[0].scale for found in truth])
    assert np.abs(units).max() < 4 * NOISE.log_depth
    turns = [found.rotation @ truth[0].rotation.T for found in truth]
    assert max(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)) for turn in turns) < 6 * NOISE.rotation_rad
    assert sum(report.scale_drift for report in reports) < 5 * NOISE.log_depth**2
    assert not any(report.step_covariance.any() for report in reports[1:])  # one base all the time


def test_anchor_is_replaced_when_the_view_turns_away() -> None:
    step = 0.05
    world, aligner = DrawnWorld(ONE, turning(step)), WindowAligner()

    firsts, rebased = [], []
    for window, report in followed(world, aligner, 60):
        firsts.append(wanted(aligner)[0])
        rebased.append(bool(report.step_covariance.any()))
        newest = window.frame_sets[-1].index
        assert (newest - firsts[-1]) * step < anchors.TURN_RAD + step

    assert firsts[0] == 5
    changes = np.flatnonzero(np.diff(firsts)) + 1
    assert len(changes) >= 4
    assert np.diff(firsts).min() >= 0
    # The base moves on exactly with the first anchor.
    np.testing.assert_array_equal(np.flatnonzero(rebased), changes)


def test_anchor_is_replaced_when_the_view_moves_away() -> None:
    step = 0.05
    world, aligner = DrawnWorld(ONE, driving(step)), WindowAligner()

    for window, _ in followed(world, aligner, 60):
        travelled = (window.frame_sets[-1].index - wanted(aligner)[0]) * step
        assert travelled < anchors.SHIFT_DEPTHS * SCENE_DEPTH_M * 1.1 + step

    assert wanted(aligner)[0] > 30


def test_anchors_of_the_beginning_are_found_again_after_a_full_turn() -> None:
    sets = 40
    world, aligner = DrawnWorld(ONE, turning(2 * np.pi / sets), seed=4), WindowAligner()

    seen = [(window, wanted(aligner)) for window, _ in followed(world, aligner, sets + 12)]

    halfway = seen[sets // 2][1]
    assert 5 not in halfway
    first = next(at for at, (window, _) in enumerate(seen[10:], 10) if window.frame_sets[0].index == 5)
    assert sets - 8 < first < sets + 8
    # The window holds it beside the newest sets, and what had drifted over the turn is known again.
    window = seen[first][0]
    assert [member.index for member in window.frame_sets[-OVERLAP:]] == [first + SETS - 2, first + SETS - 1]


def test_closing_a_turn_takes_the_drift_out() -> None:
    sets = 40
    before, after = [], []
    for seed in range(8):
        world, aligner = DrawnWorld(ONE, turning(2 * np.pi / sets), seed=seed), WindowAligner()
        reports = [report for _, report in followed(world, aligner, sets + 12)]
        truth = [report.world_from_window @ gauge for report, gauge in zip(reports, world.gauges, strict=True)]
        before.append(float(np.log(truth[sets - 14].scale / truth[0].scale)))
        after.append(float(np.log(truth[-1].scale / truth[0].scale)))

    assert np.std(after) < 0.8 * np.std(before)


@pytest.mark.parametrize("rig", [ONE, THREE], ids=["one", "three"])
def test_anchors_and_memory_are_bounded_on_a_long_way(rig: dict[str, FloatArray]) -> None:
    world, aligner = DrawnWorld(rig, driving(0.3)), WindowAligner()

    kept = [views_of(aligner) - len(window.views) for window, _ in followed(world, aligner, 60)]

    assert max(kept) <= anchors.MAX_VIEWS
    # The newest anchors are still in the window.
    assert kept[-1] > anchors.MAX_VIEWS - SETS * len(rig)
    assert len(aligner.anchors) <= anchors.NEAR


def test_images_stay_bounded_when_cameras_join() -> None:
    kept = Anchors()
    for index in range(100):
        frames = tuple(Frame(name, index, "", IMAGE, CAMERA) for name in "abcdef"[: 1 if index < 50 else 6])
        newest, pose = FrameSet(index, index, frames), rigid(np.eye(3), [float(index), 0.0, 0.0])
        poses = {frame.key: rigid(np.eye(3), [float(one.index), 0.0, 0.0]) for one in kept.kept for frame in one.frames}
        if index:
            kept.follow(newest, "a", pose, poses, 1.0)
        else:
            kept.begin(newest)
        assert sum(len(one.frames) for one in kept.kept) <= anchors.MAX_VIEWS

    assert [one.index for one in kept.kept] == [95, 96, 97, 98, 99]


def views_of(aligner: WindowAligner) -> int:
    return len(aligner._track.views) if aligner._track else 0


def back_and_forth(t: float) -> FloatArray:
    return rigid(np.eye(3), [0.6 * np.sin(1.5 * t), 0.0, 0.0])


def test_first_anchor_stays_the_first_while_it_is_near_though_an_older_one_comes_again() -> None:
    world, aligner = DrawnWorld(ONE, back_and_forth, seed=1), WindowAligner()

    wants = [wanted(aligner) for _ in followed(world, aligner, 80)]

    changes = [(before[0], after) for before, after in pairwise(wants) if before[0] != after[0]]
    assert len(changes) >= 3
    assert all(first not in after for first, after in changes)
    assert any(after[0] < first for first, after in changes)  # the older ones do come again


def test_anchor_that_is_wanted_is_always_in_the_track_or_the_window() -> None:
    """Back and forth over the same place: anchors come, go and come again."""
    world, aligner = DrawnWorld(THREE, back_and_forth, seed=1), WindowAligner()

    for _ in followed(world, aligner, 80):
        assert aligner._track is not None
        known = {frame.key for frame in aligner._track.views}
        assert all(frame.key in known for anchor in aligner.anchors for frame in anchor.frames)
        assert wanted(aligner) == list(dict.fromkeys(wanted(aligner)))


def test_newest_set_is_an_anchor_even_when_it_was_kept_and_seems_far_from_itself() -> None:
    """A window of nonsense may place a set it holds elsewhere than the track did."""
    newest = DrawnWorld(ONE, still).window(range(1)).frame_sets[0]
    kept = Anchors()
    kept.begin(newest)
    far = rigid(np.eye(3), [100.0, 0.0, 0.0])

    is_another = kept.follow(newest, newest.frames[0].camera, far, {newest.frames[0].key: np.eye(4)}, 1.0)

    assert not is_another
    assert kept.near == kept.kept == (newest,)
