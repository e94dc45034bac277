# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The whole stream without ROS or torch: one exact world, and every image handed out once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray, rotation_angle
from da3_ros.geometry.sim3 import rigid, rigid_inverse
from da3_ros.streaming.ledger import Counters
from da3_ros.streaming.results import SetResult
from da3_ros.streaming.rig import BODY_FROM_OPTICAL
from da3_ros.streaming.stream_config import StreamConfig
from test.streaming.oracle_world import (
    ONE,
    PERIOD_NS,
    THREE,
    TWO,
    OracleWorld,
    Trajectory,
    curve,
    depth_of,
    spin,
    still,
    straight,
)
from test.streaming.piping import balance, feed_all, pipeline_of, set_results


@pytest.mark.parametrize("rig", [ONE, TWO, THREE], ids=["one", "two", "three"])
@pytest.mark.parametrize("trajectory", [curve, straight, still, spin])
def test_trajectory_and_depth_equal_the_truth_when_the_scale_is_fixed(
    rig: dict[str, FloatArray], trajectory: Trajectory
) -> None:
    world = OracleWorld(rig, trajectory)
    pipeline = pipeline_of(world, scale_mode="fixed", fixed_scale=1 / first_gauge_of(rig))

    results = set_results(feed_all(pipeline, world, 20) + pipeline.finish())

    assert [result.frame_set.index for result in results] == list(range(20))
    assert_as_in_truth(results, world, 1.0)


@pytest.mark.parametrize("trajectory", [curve, straight, still, spin])
def test_relative_world_has_the_unit_of_its_first_window(trajectory: Trajectory) -> None:
    world = OracleWorld(ONE, trajectory)
    pipeline = pipeline_of(world)

    results = set_results(feed_all(pipeline, world, 20) + pipeline.finish())

    assert_as_in_truth(results, world, world.gauges[0].scale)


def assert_as_in_truth(results: list[SetResult], world: OracleWorld, scale: float) -> None:
    """Poses and depth of all views, the world being `scale` units per metre and beginning where the base did."""
    world_from_truth = rigid_inverse(world.trajectory(0.0))
    for result in results:
        for view in result.views:
            truth = world_from_truth @ world.pose(view.frame.key)
            assert rotation_angle(view.odom_from_camera[:3, :3] @ truth[:3, :3].T) < 1e-6
            np.testing.assert_allclose(view.odom_from_camera[:3, 3], scale * truth[:3, 3], atol=3e-6 * max(1.0, scale))
            expected = scale * depth_of(world.pose(view.frame.key))
            np.testing.assert_allclose(view.depth, expected, rtol=2e-6)


@pytest.mark.parametrize("rig", [ONE, THREE], ids=["one", "three"])
def test_odometry_is_metric_truth_when_the_scale_is_fixed(rig: dict[str, FloatArray]) -> None:
    world = OracleWorld(rig, curve)
    pipeline = pipeline_of(world, scale_mode="fixed", fixed_scale=1 / first_gauge_of(rig))

    results = set_results(feed_all(pipeline, world, 12))

    for result in results:
        assert result.odometry is not None
        truth = rigid_inverse(curve(0.0)) @ curve(result.frame_set.stamp_ns * 1e-9)
        np.testing.assert_allclose(result.odometry.odom_from_base, truth, atol=1e-6)
        assert result.odometry.stamp_ns == result.frame_set.stamp_ns
    assert len(pipeline.path) == 12


def first_gauge_of(rig: Mapping[str, FloatArray]) -> float:
    """Window units per metre of the oracle's first answer."""
    world = OracleWorld(rig, curve)
    feed_all(pipeline_of(world), world, 4)
    return world.gauges[0].scale


def test_every_image_is_handed_out_once_with_its_own_stamp_when_nothing_is_lost() -> None:
    world = OracleWorld(THREE, curve)
    pipeline = pipeline_of(world, window_size=5, window_stride=3, overlap=2)

    results = feed_all(pipeline, world, 21) + pipeline.finish()

    frames = [view.frame for result in set_results(results) for view in result.views]
    assert [frame.key for frame in frames] == [frame.key for frame in world.frames(21)]
    assert pipeline.counters() == Counters(
        frames_in=63, sets=21, windows=len(results), frames_published=63, dropped={}, in_flight=0
    )


@pytest.mark.parametrize("sets", [1, 2, 3])
def test_finish_hands_out_a_stream_that_is_shorter_than_a_window(sets: int) -> None:
    world = OracleWorld(TWO, curve)
    pipeline = pipeline_of(world)

    assert feed_all(pipeline, world, sets) == []
    results = set_results(pipeline.finish())

    assert len(results) == sets
    assert pipeline.counters().frames_published == 2 * sets


def test_depth_comes_with_the_first_set_when_windows_may_grow() -> None:
    world = OracleWorld(TWO, curve)
    pipeline = pipeline_of(world, min_sets=1)

    results = feed_all(pipeline, world, 6)

    assert [len(result.window.frame_sets) for result in results] == [1, 2, 3, 4, 4, 4]
    assert all(result.report.ok for result in results)
    assert sum(result.report.new_segment for result in results) == 1


def test_newest_window_wins_and_bridges_when_inference_is_slow() -> None:
    world = OracleWorld(TWO, curve)
    pipeline = pipeline_of(world, scale_mode="fixed", fixed_scale=1 / first_gauge_of(TWO))

    results = []
    for frame in world.frames(60):
        pipeline.push(frame)
        if frame.stamp_ns % (10 * PERIOD_NS) == 9 * PERIOD_NS and frame.camera == "right":
            window = pipeline.take(0.0)
            assert window is not None
            results.append(pipeline.process(window))

    assert [[member.index for member in result.window.frame_sets] for result in results][:2] == [
        [6, 7, 8, 9],
        [8, 9, 18, 19],
    ]
    assert all(result.report.ok for result in results)
    assert sum(result.report.new_segment for result in results) == 1
    counters = pipeline.counters()
    assert counters.frames_published == 2 * (4 + 5 * 2)
    assert counters.dropped == {"superseded": 2 * (60 - 14)}
    assert balance(counters) == 0
    last = results[-1].new_sets[-1].views[0]
    reference = results[0].new_sets[0].views[0]
    ours = rigid_inverse(reference.odom_from_camera) @ last.odom_from_camera
    truth = rigid_inverse(world.pose(reference.frame.key)) @ world.pose(last.frame.key)
    np.testing.assert_allclose(ours[:3, 3], truth[:3, 3], atol=3e-6)


def test_health_and_times_are_reported() -> None:
    world = OracleWorld(TWO, curve)
    pipeline = pipeline_of(world)

    (result,) = feed_all(pipeline, world, 4)

    assert [camera.frames_used for camera in pipeline.health()] == [4, 4]
    assert result.times.queue_ns == 1000
    assert result.times.engine_ns == 1000
    assert result.times.alignment_ns == 2000  # the aligner, then scale and odometry
    assert result.scale.source == "relative"


@pytest.mark.parametrize(("size", "stride", "overlap"), [(4, 1, 4), (4, 3, 2), (4, 1, 0), (2, 2, 1)])
def test_config_is_refused_when_windows_could_not_overlap(size: int, stride: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="must be at least 1 and leave room"):
        StreamConfig(("a",), window_size=size, window_stride=stride, overlap=overlap)


def test_single_set_windows_give_depth_without_a_trajectory() -> None:
    world = OracleWorld(THREE, curve)
    pipeline = pipeline_of(world, window_size=1)

    results = feed_all(pipeline, world, 5)

    assert pipeline.counters().frames_published == 15
    assert all(result.report.new_segment for result in results)


def test_sets_that_come_too_fast_are_dropped_and_the_mean_rate_holds() -> None:
    world = OracleWorld(ONE, curve)
    pipeline = pipeline_of(world, window_size=1, min_period_ns=PERIOD_NS * 5 // 2)

    results = set_results(feed_all(pipeline, world, 100))

    indices = [result.frame_set.index for result in results]
    assert indices[:5] == [0, 3, 5, 8, 10]
    assert len(indices) == 40
    assert pipeline.counters().dropped == {"rate_limited": 60}


def test_flush_leaves_what_waits_for_more_frames_in_the_mailbox() -> None:
    world = OracleWorld(TWO, curve)
    pipeline = pipeline_of(world)
    for frame in world.frames(3):
        pipeline.push(frame)
    assert pipeline.take(0.0) is None

    pipeline.flush()

    window = pipeline.take(0.0)
    assert window is not None
    assert [member.index for member in window.frame_sets] == [0, 1, 2]
    assert len(pipeline.process(window).new_sets) == 3
    pipeline.flush()
    assert pipeline.take(0.0) is None


def test_stream_goes_on_in_the_same_world_after_a_flush() -> None:
    world = OracleWorld(TWO, curve)
    pipeline = pipeline_of(world)
    results = feed_all(pipeline, world, 7)
    pipeline.flush()

    results += feed_all(pipeline, world, 7, first=7)

    assert [result.frame_set.index for result in set_results(results)] == list(range(14))
    assert sum(result.report.new_segment for result in results) == 1


def test_rig_is_calibrated_anew_when_time_goes_back_though_windows_share_nothing() -> None:
    def in_metres(call: int, prediction: Prediction) -> Prediction:
        return replace(prediction, metres_per_unit=1 / world.gauges[call].scale)

    world = OracleWorld(TWO, curve, spoil=in_metres)
    pipeline = pipeline_of(world, base_from_camera={}, window_size=1, overlap=1, scale_mode="auto")
    before = feed_all(pipeline, world, 30)
    world.rig = {**TWO, "right": rigid(np.eye(3), [0.1, -0.25, 0.3]) @ BODY_FROM_OPTICAL}

    after = feed_all(pipeline, world, 30)

    rigs = [results[-1].rig for results in (before, after)]
    baselines = [rig.cameras["right"].reference_from_camera[0, 3] for rig in rigs if rig is not None]
    assert baselines == pytest.approx([0.1, 0.3], abs=1e-3)


def test_placed_cameras_move_the_base_and_begin_a_new_world() -> None:
    world = OracleWorld(ONE, curve)
    pipeline = pipeline_of(world)
    feed_all(pipeline, world, 6)
    base_from_camera = rigid(np.eye(3), [0.5, 0.0, 1.0]) @ BODY_FROM_OPTICAL

    pipeline.place_cameras({"front": base_from_camera})
    (result,) = feed_all(pipeline, world, 1, first=6)

    assert result.report.new_segment
    (new,) = result.new_sets
    assert new.odometry is not None
    np.testing.assert_allclose(
        new.views[0].odom_from_camera, new.odometry.odom_from_base @ base_from_camera, atol=1e-12
    )
