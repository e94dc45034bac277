# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""While metres are not known, lengths are told with no certainty, and with `require_metric` not at all."""

from __future__ import annotations

import numpy as np
import pytest

from da3_ros.streaming.base_uncertainty import VARIANCE_LIMIT, carried_covariance
from test.streaming.metric_world import MarkedWorld, MetricModel, MonocularWorld, metric_pipeline
from test.streaming.oracle_world import ONE, TWO, curve
from test.streaming.piping import balance, feed_all, pipeline_of, set_results

BLIND = frozenset({0, 1, 2, 4, 5})  # calls in which the metric model knows nothing


@pytest.mark.parametrize("rig", [ONE, TWO], ids=["one", "two"])
def test_lengths_of_a_relative_unit_are_told_with_no_certainty_and_turns_with_their_own(rig: dict) -> None:
    world = MarkedWorld(rig, curve)

    told = [set_results(feed_all(pipeline_of(world, scale_mode=mode), world, 12)) for mode in ("relative", "fixed")]

    for relative, metric in zip(*told, strict=True):
        assert relative.odometry is not None
        assert metric.odometry is not None
        poses = relative.odometry.odom_from_base, relative.views[0].odom_from_camera
        of_camera = carried_covariance(relative.odometry.pose_covariance, *poses)
        for covariance in (relative.odometry.pose_covariance, relative.odometry.twist_covariance, of_camera):
            np.testing.assert_array_equal(covariance[:3, :3], VARIANCE_LIMIT * np.eye(3))
            assert not covariance[:3, 3:].any()
            assert not covariance[3:, :3].any()
        assert (np.diagonal(relative.odometry.pose_covariance)[3:] < 0.01).all()
        assert metric.odometry.pose_covariance[0, 0] < 1


def test_sets_are_withheld_and_counted_until_metres_are_known_and_again_after_a_reset() -> None:
    world = MarkedWorld(ONE, curve)
    model = MetricModel(world, blind_calls=BLIND)
    pipeline = metric_pipeline(world, model, metric_every=1000, min_sets=1, require_metric=True)

    before = feed_all(pipeline, world, 30)
    pipeline.reset()
    after = feed_all(pipeline, world, 30, first=30)

    withheld = 0
    for results in (before, after):
        is_metric = [result.scale.is_metric for result in results]
        first = is_metric.index(True)
        assert first > 0
        assert [len(result.new_sets) for result in results] == [0] * first + [1] * (len(results) - first)
        withheld += first
    counters = pipeline.counters()
    assert counters.dropped == {"not_metric": withheld}
    assert counters.frames_published == 60 - withheld
    assert balance(counters) == 0


def test_first_pose_that_is_told_in_metres_is_no_reset_and_one_after_a_loss_is() -> None:
    world = MarkedWorld(ONE, curve)
    model = MetricModel(world, blind_calls=frozenset({0, 2}))
    pipeline = metric_pipeline(world, model, metric_every=1000, min_sets=1, require_metric=True)

    before = set_results(feed_all(pipeline, world, 20))
    pipeline.reset()
    after = set_results(feed_all(pipeline, world, 20, first=20))

    resets = [[new.odometry.is_reset for new in told if new.odometry is not None] for told in (before, after)]
    assert resets == [[False] * len(before), [True] + [False] * (len(after) - 1)]
    assert len(before) == len(after) == 18
    assert len(pipeline.path) == len(after)


def test_images_one_by_one_without_metres_are_withheld_too() -> None:
    world = MonocularWorld(ONE, curve, is_metric=False)
    pipeline = metric_pipeline(world, None, window_size=1, require_metric=True)

    results = feed_all(pipeline, world, 5)

    assert set_results(results) == []
    assert pipeline.counters().dropped == {"not_metric": 5}
