# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows in random gauges become one world, exactly, whatever the motion; bad ones are held back with a reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_angle
from da3_ros.geometry.sim3 import Sim3, rigid
from da3_ros.streaming.aligner import AlignmentReport, WindowAligner
from da3_ros.streaming.frame import FrameSet, Window
from test.strategies import seeds
from test.streaming.oracle_world import (
    ONE,
    PERIOD_NS,
    THREE,
    TWO,
    OracleWorld,
    Trajectory,
    curve,
    spin,
    still,
    straight,
)

# Depth is float32, and a wall seen head-on is rounded alike in every pixel: 6e-8 per window.
EXACT = 4e-7
START = Sim3(2.0, matrix_from_rotation_vector([0.3, -0.2, 0.1]), np.array([1.0, 2.0, 3.0]))


def window_at(world: OracleWorld, first: int, size: int = 4, index: int = 0) -> Window:
    sets = [
        FrameSet(k, k * PERIOD_NS, tuple(world.frame(camera, k * PERIOD_NS) for camera in world.rig))
        for k in range(first, first + size)
    ]
    return Window(index, tuple(sets))


def predict(world: OracleWorld, window: Window) -> Prediction:
    return world.estimate([f.image for f in window.views], keys=[f.key for f in window.views])


def aligner(max_rejected: int = 3) -> WindowAligner:
    return WindowAligner(lambda window, prediction: START, max_rejected)


def chain(world: OracleWorld, firsts: list[int], size: int = 4, max_rejected: int = 3) -> list[AlignmentReport]:
    windows = [window_at(world, first, size) for first in firsts]
    chained = aligner(max_rejected)
    return [chained.add(window, predict(world, window)) for window in windows]


def world_from_truth(world: OracleWorld, reports: list[AlignmentReport], index: int) -> Sim3:
    """Where truth lies in the world by window `index`; the same for all of them when alignment is exact."""
    return reports[index].world_from_window @ world.gauges[index]


def assert_same(ours: Sim3, theirs: Sim3, tolerance: float) -> None:
    assert ours.scale == pytest.approx(theirs.scale, rel=tolerance)
    assert rotation_angle(ours.rotation @ theirs.rotation.T) < tolerance
    np.testing.assert_allclose(ours.translation, theirs.translation, atol=tolerance * (10 + theirs.scale))


@pytest.mark.parametrize("rig", [ONE, TWO, THREE], ids=["one", "two", "three"])
@pytest.mark.parametrize("trajectory", [curve, straight, still, spin])
@pytest.mark.parametrize("stride", [1, 3])
def test_alignment_is_exact_in_random_gauges_whatever_the_motion(
    rig: dict[str, FloatArray], trajectory: Trajectory, stride: int
) -> None:
    world = OracleWorld(rig, trajectory)

    reports = chain(world, [stride * k for k in range(8)])

    assert all(report.ok for report in reports)
    assert [report.new_segment for report in reports] == [True] + [False] * 7
    assert [report.overlap_views for report in reports] == [0] + [(4 - stride) * len(rig)] * 7
    for index in range(1, 8):
        assert_same(world_from_truth(world, reports, index), world_from_truth(world, reports, 0), EXACT)


@settings(max_examples=20, deadline=None)
@given(seeds, st.sampled_from([curve, straight, still, spin]))
def test_alignment_does_not_depend_on_the_gauges(seed: int, trajectory: Trajectory) -> None:
    world = OracleWorld(ONE, trajectory, seed=seed)

    reports = chain(world, [0, 3, 6])

    assert_same(world_from_truth(world, reports, 2), world_from_truth(world, reports, 0), EXACT)


def test_report_says_how_the_windows_compare() -> None:
    world = OracleWorld(TWO, curve)

    first, second = chain(world, [0, 2])

    assert first.world_from_window is START
    assert second.scale_ratio == pytest.approx(world.gauges[0].scale / world.gauges[1].scale, rel=1e-6)
    assert second.residual < 1e-6
    assert second.inliers == pytest.approx(1.0)
    assert 0 < second.scale_sigma < 0.01
    assert np.linalg.eigvalsh(second.covariance).min() > 0
    assert second.reason == ""


def noisy(prediction: Prediction, seed: int) -> Prediction:
    """3 % smooth and 1 % pixel depth noise, 1 cm at 3 m and 0.2 degrees of pose noise."""
    generator = np.random.default_rng(seed)
    views, height, width = prediction.depth.shape
    smooth = np.kron(generator.normal(size=(views, 4, 4)), np.ones((height // 4, width // 4)))
    depth = prediction.depth * np.exp(0.03 * smooth + 0.01 * generator.normal(size=prediction.depth.shape))
    unit = float(np.median(prediction.depth)) / 3.0
    poses = prediction.window_from_camera.copy()
    poses[:, :3, :3] = matrix_from_rotation_vector(3.5e-3 * generator.normal(size=(views, 3))) @ poses[:, :3, :3]
    poses[:, :3, 3] += 0.01 * unit * generator.normal(size=(views, 3))
    return replace(prediction, depth=depth.astype(np.float32), window_from_camera=poses)


def test_noise_moves_the_trajectory_by_little_and_about_as_much_as_reported() -> None:
    errors, sigmas = [], []
    for seed in range(20):
        world = OracleWorld(THREE, curve, seed=seed, spoil=lambda k, p, seed=seed: noisy(p, 1000 * seed + k))  # type: ignore[misc]
        reports = chain(world, [0, 2])
        truth, found = world_from_truth(world, reports, 0), world_from_truth(world, reports, 1)
        errors.append(np.log(found.scale / truth.scale))
        sigmas.append(reports[1].scale_sigma)
        assert rotation_angle(found.rotation @ truth.rotation.T) < np.deg2rad(0.6)

    assert np.std(errors) < 0.02
    assert 0.4 < np.std(errors) / np.mean(sigmas) < 2.5


def test_garbage_pixels_do_not_move_the_alignment() -> None:
    def spoil(count: int, prediction: Prediction) -> Prediction:
        depth = prediction.depth.copy()
        depth[np.random.default_rng(count).random(depth.shape) < 0.15] *= 7
        depth[:, :3] = np.nan
        return replace(prediction, depth=depth)

    world = OracleWorld(TWO, curve, spoil=spoil)
    reports = chain(world, [0, 2, 4])

    assert_same(world_from_truth(world, reports, 2), world_from_truth(world, reports, 0), 1e-3)


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


def no_depth(prediction: Prediction) -> Prediction:
    return replace(prediction, depth=prediction.depth * np.float32(np.nan))


BAD = [
    (garbage_depth, r"the depths of only \d+% of the shared pixels agree"),
    (garbage_poses, r"the shared cameras disagree by \d+ times the expected noise"),
    (nan_pose, "a predicted camera pose is not finite"),
    (no_depth, "no pixel has a depth"),
]


@pytest.mark.parametrize(("damage", "reason"), BAD)
def test_bad_window_is_held_and_the_next_good_one_follows_on(
    damage: Callable[[Prediction], Prediction], reason: str
) -> None:
    world = OracleWorld(THREE, curve, spoil=lambda k, p: damage(p) if k == 1 else p)

    first, bad, good = reports = chain(world, [0, 1, 2])

    assert not bad.ok
    assert re.search(reason, bad.reason)
    assert bad.world_from_window is first.world_from_window
    assert good.ok
    assert not good.new_segment
    assert_same(world_from_truth(world, reports, 2), world_from_truth(world, reports, 0), EXACT)


@pytest.mark.parametrize("damage", [nan_pose, no_depth])
def test_track_does_not_begin_with_an_unusable_window(damage: Callable[[Prediction], Prediction]) -> None:
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
    assert reports[4].reason.startswith("lost after 3 rejected windows: the depths of only")


def test_good_window_ends_the_count_of_rejected_ones() -> None:
    world = OracleWorld(ONE, curve, spoil=lambda k, p: p if k in (0, 3) else garbage_depth(p, seed=k))

    reports = chain(world, [0, 1, 1, 1, 2, 2], max_rejected=2)

    assert [report.ok for report in reports] == [True, False, False, True, False, False]


def test_new_segment_begins_when_nothing_is_shared() -> None:
    _, second = chain(OracleWorld(ONE, curve), [0, 10])

    assert second.ok
    assert second.new_segment
    assert second.reason == "no view is shared with the last good window"
    assert second.world_from_window is START


def test_new_segment_begins_when_the_image_size_changes() -> None:
    def halve(count: int, prediction: Prediction) -> Prediction:
        if count == 0:
            return prediction
        return replace(prediction, depth=prediction.depth[:, ::2], confidence=prediction.confidence[:, ::2])

    assert chain(OracleWorld(ONE, curve, spoil=halve), [0, 1])[1].new_segment


def test_reset_begins_a_new_segment() -> None:
    world = OracleWorld(ONE, curve)
    windows = [window_at(world, 0), window_at(world, 1)]
    chained = aligner()
    chained.add(windows[0], predict(world, windows[0]))

    chained.reset()

    assert chained.last_window is None
    assert chained.add(windows[1], predict(world, windows[1])).new_segment


def test_prediction_is_refused_when_it_has_other_views_than_the_window() -> None:
    world = OracleWorld(ONE, curve)

    with pytest.raises(ValueError, match="window of 3 views, but prediction of 4"):
        aligner().add(window_at(world, 0, size=3), predict(world, window_at(world, 0)))
