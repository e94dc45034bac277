# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Bad windows are held back with a reason; who is lost begins anew, but not with garbage."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import matrix_from_rotation_vector
from da3_ros.geometry.sim3 import Sim3, rigid
from da3_ros.streaming import track as tracks
from da3_ros.streaming.aligner import WindowAligner
from test.streaming.chaining import EXACT, assert_same, chain, predict, window_at, world_from_truth
from test.streaming.oracle_world import ONE, THREE, TWO, OracleWorld, curve

Damage = Callable[[Prediction], Prediction]


def garbage_depth(prediction: Prediction, seed: int = 5) -> Prediction:
    noise = np.random.default_rng(seed).uniform(0.1, 10.0, prediction.depth.shape)
    return replace(prediction, depth=noise.astype(np.float32))


def garbage_poses(prediction: Prediction) -> Prediction:
    generator = np.random.default_rng(5)
    views = len(prediction.depth)
    poses = rigid(matrix_from_rotation_vector(generator.normal(size=(views, 3))), generator.normal(size=(views, 3)))
    return replace(prediction, window_from_camera=poses)


def nan_pose(prediction: Prediction) -> Prediction:
    return replace(prediction, window_from_camera=prediction.window_from_camera * np.nan)


def jumping(prediction: Prediction) -> Prediction:
    """The newest two frame sets of three are ten scene depths away from all others."""
    poses = prediction.window_from_camera.copy()
    poses[-6:-3, :3, 3] += 10 * float(np.median(prediction.depth))
    poses[-3:, :3, 3] -= 10 * float(np.median(prediction.depth))
    return replace(prediction, window_from_camera=poses)


def no_depth(prediction: Prediction) -> Prediction:
    return replace(prediction, depth=prediction.depth * np.float32(np.nan))


def endless_depth(prediction: Prediction) -> Prediction:
    return replace(prediction, depth=np.full_like(prediction.depth, np.inf))


BAD = [
    (garbage_depth, r"the depths of only \d+% of the shared pixels agree"),
    (garbage_poses, r"the shared cameras disagree by \d+ times the expected noise"),
    (jumping, r"cameras jump or turn further than a camera can, in 50% of their images"),
    (nan_pose, "a predicted camera pose is not finite"),
    (no_depth, "no pixel has a depth"),
    (endless_depth, "no pixel has a depth"),
]


@pytest.mark.parametrize(("damage", "reason"), BAD)
def test_bad_window_is_held_and_the_next_good_one_follows_on(damage: Damage, reason: str) -> None:
    world = OracleWorld(THREE, curve, spoil=lambda k, p: damage(p) if k == 1 else p)

    first, bad, good = reports = chain(world, [0, 1, 2])

    assert not bad.ok
    assert re.search(reason, bad.reason)
    assert_same(bad.world_from_window, first.world_from_window, 1e-15)
    assert good.ok
    assert not good.new_segment
    assert_same(world_from_truth(world, reports, 2), world_from_truth(world, reports, 0), EXACT)


@pytest.mark.parametrize("damage", [nan_pose, no_depth, endless_depth])
def test_track_does_not_begin_with_an_unusable_window(damage: Damage) -> None:
    world = OracleWorld(ONE, curve, spoil=lambda k, p: damage(p) if k == 0 else p)

    bad, good = chain(world, [0, 1])

    assert not bad.ok
    assert good.ok
    assert good.new_segment


def test_new_segment_begins_after_too_many_rejected_windows() -> None:
    # From the second window on the oracle answers from another place altogether.
    def spoil(count: int, prediction: Prediction) -> Prediction:
        return prediction if count == 0 else garbage_depth(prediction)

    reports = chain(OracleWorld(ONE, curve, spoil=spoil), [0, 1, 2, 3, 3])

    assert [report.ok for report in reports] == [True, False, False, False, True]
    assert reports[4].new_segment
    assert [report.lost for report in reports] == [False, False, False, True, False]
    assert reports[4].reason == "lost after 3 rejected windows"


def test_good_window_ends_the_count_of_rejected_ones() -> None:
    world = OracleWorld(ONE, curve, spoil=lambda k, p: p if k in (0, 3) else garbage_depth(p, seed=k))

    reports = chain(world, [0, 1, 1, 1, 2, 2], max_rejected=3)

    assert [report.ok for report in reports] == [True, False, False, True, False, False]
    assert not any(report.lost for report in reports)


def test_garbage_while_lost_does_not_begin_a_segment() -> None:
    world = OracleWorld(ONE, curve, spoil=lambda k, p: p if k in (0, 7, 8) else garbage_depth(p, seed=k))

    reports = chain(world, [0, 1, 2, 3, 4, 5, 6, 7, 8])

    assert [report.ok for report in reports] == [True] + 7 * [False] + [True]
    assert [report.lost for report in reports] == 3 * [False] + 5 * [True] + [False]
    assert [report.new_segment for report in reports] == [True] + 7 * [False] + [True]
    assert all(report.reason for report in reports[1:])
    assert_same(reports[-1].world_from_window, Sim3.identity(), 1e-15)


def test_new_segment_follows_on_like_the_first() -> None:
    world = OracleWorld(ONE, curve, spoil=lambda k, p: p if k in (0, 5, 6, 7, 8) else garbage_depth(p, seed=k))

    reports = chain(world, [0, 1, 2, 3, 4, 5, 6, 7, 8])

    assert [report.new_segment for report in reports[6:]] == [True, False, False]
    assert_same(world_from_truth(world, reports, 8), world_from_truth(world, reports, 6), EXACT)


def test_window_to_share_with_is_the_last_good_one_until_lost_and_then_the_newest() -> None:
    world = OracleWorld(ONE, curve, spoil=lambda k, p: p if k == 0 else garbage_depth(p, seed=k))
    windows = [window_at(world, first) for first in range(5)]
    aligner, wanted = WindowAligner(max_rejected=2), []

    for window in windows:
        aligner.add(window, predict(world, window))
        wanted.append(aligner.last_window)

    assert wanted == [windows[0], windows[0], *windows[2:]]
    assert aligner.anchors == ()


@pytest.mark.parametrize("damage", [nan_pose, no_depth, endless_depth])
def test_windows_of_one_set_go_on_after_a_time_without_depth(damage: Damage) -> None:
    """They never share a view, so no two of them can ever agree."""
    world = OracleWorld(TWO, curve, spoil=lambda k, p: damage(p) if 2 <= k < 7 else p)

    reports = chain(world, list(range(12)), size=1)

    assert not any(report.ok for report in reports[2:7])
    assert [report.ok for report in reports[8:]] == [True] * 4


@pytest.mark.parametrize("kind", ["depth", "poses"])
def test_views_of_a_camera_that_contradicts_two_others_are_distrusted(kind: str) -> None:
    def spoil(call: int, prediction: Prediction) -> Prediction:
        left = np.arange(1, len(prediction.depth), 3)
        depth, poses = prediction.depth.copy(), prediction.window_from_camera.copy()
        if kind == "depth":
            depth[left] = garbage_depth(prediction, seed=call).depth[left]
        else:
            poses[left] = garbage_poses(prediction).window_from_camera[np.roll(left, call)]
        return replace(prediction, depth=depth, window_from_camera=poses) if call else prediction

    world = OracleWorld(THREE, curve, spoil=spoil)

    reports = chain(world, [0, 1, 2, 3])

    assert all(report.ok for report in reports)
    for first, report in enumerate(reports[1:], 1):
        views = window_at(world, first).views
        assert report.distrusted == {frame.key for frame in views if frame.camera == "left"}
        assert_same(world_from_truth(world, reports, first), world_from_truth(world, reports, 0), 1e-4)


def test_nobody_is_distrusted_when_most_contradict_or_nothing_is_wrong() -> None:
    def spoil(call: int, prediction: Prediction) -> Prediction:
        depth, bad = prediction.depth.copy(), np.arange(len(prediction.depth)) % 3 > 0
        depth[bad] = garbage_depth(prediction, seed=call).depth[bad]
        return replace(prediction, depth=depth) if call == 2 else prediction

    reports = chain(OracleWorld(THREE, curve, spoil=spoil), [0, 1, 2])

    assert [report.distrusted for report in reports] == [frozenset()] * 3


def test_one_garbage_view_of_the_only_camera_does_not_move_the_world() -> None:
    def spoil(call: int, prediction: Prediction) -> Prediction:
        depth, poses = prediction.depth.copy(), prediction.window_from_camera.copy()
        depth[2], poses[2] = garbage_depth(prediction).depth[2], garbage_poses(prediction).window_from_camera[2]
        poses[2, :3, 3] = poses[3, :3, 3] + float(np.median(prediction.depth))
        return replace(prediction, depth=depth, window_from_camera=poses) if call == 1 else prediction

    world = OracleWorld(ONE, curve, spoil=spoil)

    reports = chain(world, [0, 1, 2, 5], size=6)

    assert all(report.ok for report in reports)
    assert reports[1].distrusted == {window_at(world, 1, 6).views[2].key}
    assert_same(world_from_truth(world, reports, 3), world_from_truth(world, reports, 0), 1e-4)


def test_new_segment_begins_when_nothing_is_shared() -> None:
    _, second = chain(OracleWorld(ONE, curve), [0, 10])

    assert second.ok
    assert second.new_segment
    assert second.reason == "no view is shared with the last good window"
    assert_same(second.world_from_window, Sim3.identity(), 1e-15)


def test_new_segment_begins_when_the_image_size_changes() -> None:
    def halve(count: int, prediction: Prediction) -> Prediction:
        if count == 0:
            return prediction
        return replace(prediction, depth=prediction.depth[:, ::2], confidence=prediction.confidence[:, ::2])

    assert chain(OracleWorld(ONE, curve, spoil=halve), [0, 1])[1].new_segment


def test_reset_begins_a_new_segment() -> None:
    world = OracleWorld(ONE, curve)
    windows = [window_at(world, 0), window_at(world, 1)]
    chained = WindowAligner()
    chained.add(windows[0], predict(world, windows[0]))

    chained.reset()

    assert chained.last_window is None
    assert chained.add(windows[1], predict(world, windows[1])).new_segment


def test_pixels_of_endless_depth_have_no_say() -> None:
    def endless_above(k: int, prediction: Prediction) -> Prediction:
        depth = prediction.depth.copy()
        depth[:, :14] = np.inf
        return replace(prediction, depth=depth)

    world = OracleWorld(ONE, curve, spoil=endless_above)

    reports = chain(world, [0, 1, 2])

    assert all(report.ok for report in reports)
    assert_same(world_from_truth(world, reports, 2), world_from_truth(world, reports, 0), EXACT)


def test_numbers_that_no_equation_can_be_solved_with_are_a_rejected_window(monkeypatch: pytest.MonkeyPatch) -> None:
    def singular(*_: object) -> None:
        raise np.linalg.LinAlgError("Singular matrix")

    world = OracleWorld(ONE, curve)
    aligner = WindowAligner()
    aligner.add(window_at(world, 0), predict(world, window_at(world, 0)))
    monkeypatch.setattr(tracks, "align", singular)

    report = aligner.add(window_at(world, 1), predict(world, window_at(world, 1)))

    assert (report.ok, report.reason) == (False, "Singular matrix")
