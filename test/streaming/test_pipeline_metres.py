# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Metres from networks that know them: which windows are asked about, what becomes of the scale, what sky may do."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming.model_scale import PATIENCE_WINDOWS
from da3_ros.streaming.results import WindowResult
from da3_ros.streaming.scale import BIAS
from test.streaming.metric_world import SKY_ROWS, MarkedWorld, MetricModel, MonocularWorld, metric_pipeline
from test.streaming.oracle_world import ONE, THREE, TWO, curve, depth_of
from test.streaming.piping import feed_all, set_results

EVERY = 5


def log_errors(world: MarkedWorld, results: Iterable[WindowResult]) -> list[float]:
    """Of published metres, window by window: the world's unit is that of its first window."""
    return [math.log(result.scale.metres_per_unit * world.gauges[0].scale) for result in results]


def with_sky(call: int, prediction: Prediction) -> Prediction:
    sky = np.zeros(prediction.depth.shape, dtype=np.bool_)
    sky[:, :SKY_ROWS] = True
    return replace(prediction, depth=np.where(sky, np.float32(np.nan), prediction.depth), sky=sky)


@pytest.mark.parametrize("bias", [-0.08, 0.08])
@pytest.mark.parametrize("rig", [ONE, THREE], ids=["one", "three"])
def test_scale_follows_the_metric_model_within_its_own_sigma(bias: float, rig: Mapping[str, FloatArray]) -> None:
    world = MarkedWorld(rig, curve)
    model = MetricModel(world, bias=bias, noise=0.03)
    pipeline = metric_pipeline(world, model, metric_every=EVERY)

    results = feed_all(pipeline, world, 40)

    assert all(result.scale.source == "model" and result.scale.is_metric for result in results)
    errors = log_errors(world, results)
    for error, result in zip(errors, results, strict=True):
        assert abs(error) < 2 * result.scale.sigma
        assert result.scale.sigma > BIAS["model"]
    # What is left is the bias, and no more.
    assert errors[-1] == pytest.approx(bias, abs=0.03)
    assert results[-1].scale.sigma < 1.05 * BIAS["model"]


def test_one_window_of_k_is_asked_about_once_metres_are_known() -> None:
    world = MarkedWorld(ONE, curve)
    model = MetricModel(world)

    results = feed_all(metric_pipeline(world, model, metric_every=EVERY), world, 43)

    windows = [result.window.frame_sets[-1].index for result in results]
    assert model.asked_sets == windows[::EVERY]
    ages = [result.scale.age_ns for result in results]
    assert [age == 0 for age in ages] == [at % EVERY == 0 for at in range(len(ages))]


@pytest.mark.parametrize("views", [1, 2, 5])
def test_newest_set_is_asked_about_first_and_cameras_take_turns(views: int) -> None:
    world = MarkedWorld(THREE, curve)
    model = MetricModel(world)

    results = feed_all(metric_pipeline(world, model, metric_every=2, metric_views=views), world, 20)

    newest = [result.window.frame_sets[-1] for result in results][::2]
    for call, (keys, frame_set) in enumerate(zip(model.asked, newest, strict=True)):
        cameras = [frame.camera for frame in frame_set.frames]
        turned = cameras[call % 3 :] + cameras[: call % 3]
        assert [key.camera for key in keys if key.stamp_ns == frame_set.stamp_ns] == turned[:views]
        assert (
            len({*keys}) == len(keys) == (min(views, 3) if call == 0 and len(results[0].window.views) == 3 else views)
        )


def test_model_is_asked_ever_more_rarely_while_it_has_no_answer() -> None:
    world = MarkedWorld(ONE, curve)
    model = MetricModel(world, blind_calls=frozenset(range(6)))

    results = feed_all(metric_pipeline(world, model, metric_every=8, min_sets=1), world, 60)

    assert model.asked_sets == [0, 2, 6, 14, 22, 30, 38, 46, 54]
    assert [result.scale.is_metric for result in results] == [False] * 38 + [True] * 22


def test_new_segment_is_asked_about_at_once() -> None:
    world = MarkedWorld(ONE, curve)
    model = MetricModel(world)
    pipeline = metric_pipeline(world, model, metric_every=1000, min_sets=1)
    feed_all(pipeline, world, 10)

    pipeline.reset()
    results = feed_all(pipeline, world, 10, first=10)

    assert model.asked_sets == [0, 10]
    assert results[0].report.new_segment
    assert results[0].scale.is_metric


@pytest.mark.parametrize("mode", ["rig", "odom", "fixed", "relative"])
def test_model_is_never_asked_when_nobody_wants_its_metres(mode: str) -> None:
    world = MarkedWorld(TWO, curve)
    model = MetricModel(world)

    feed_all(metric_pipeline(world, model, scale_mode=mode), world, 20)

    assert model.asked == []


def test_view_without_calibration_gives_no_metres_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    world = MarkedWorld(TWO, curve, uncalibrated=frozenset(TWO))
    model = MetricModel(world)

    with caplog.at_level(logging.WARNING):
        results = feed_all(metric_pipeline(world, model, min_sets=1), world, PATIENCE_WINDOWS + 5)

    assert model.asked == []
    assert results[-1].scale.source == "relative"
    assert len(results) > PATIENCE_WINDOWS
    told = [record for record in caplog.records if "metres depend on the focal length" in record.message]
    assert len(told) == len(results) - PATIENCE_WINDOWS + 1
    assert all(record.__dict__["throttle_period_s"] > 10 for record in told)


def test_calibrated_camera_alone_is_asked_about() -> None:
    world = MarkedWorld(TWO, curve, uncalibrated=frozenset({"left"}))
    model = MetricModel(world)

    results = feed_all(metric_pipeline(world, model, metric_every=2, metric_views=3), world, 20)

    assert {key.camera for keys in model.asked for key in keys} == {"right"}
    assert results[-1].scale.source == "model"


def test_predicted_focal_lengths_give_metres_when_the_user_trusts_them() -> None:
    world = MarkedWorld(ONE, curve, uncalibrated=frozenset(ONE))
    model = MetricModel(world)

    results = feed_all(metric_pipeline(world, model, intrinsics="predicted"), world, 10)

    assert results[-1].scale.source == "model"


def test_engine_that_knows_its_unit_is_heard_in_every_window_without_a_second_network() -> None:
    def knowing(call: int, prediction: Prediction) -> Prediction:
        return replace(prediction, metres_per_unit=float(np.exp(0.05) / world.gauges[call].scale))

    world = MarkedWorld(ONE, curve, spoil=knowing)

    results = feed_all(metric_pipeline(world, None), world, 30)

    assert all(result.scale.source == "model" and result.scale.age_ns == 0 for result in results)
    np.testing.assert_allclose(log_errors(world, results), 0.05, atol=1e-3)
    assert BIAS["model"] < results[-1].scale.sigma < 1.02 * BIAS["model"]


def test_engine_that_knows_its_unit_makes_a_second_network_needless() -> None:
    def knowing(call: int, prediction: Prediction) -> Prediction:
        return replace(prediction, metres_per_unit=1 / world.gauges[call].scale)

    world = MarkedWorld(ONE, curve, spoil=knowing)
    model = MetricModel(world)

    feed_all(metric_pipeline(world, model), world, 10)

    assert model.asked == []


def test_views_of_nothing_but_sky_do_not_vote_against_a_window() -> None:
    def two_of_three_see_sky(call: int, prediction: Prediction) -> Prediction:
        sky = np.zeros(prediction.depth.shape, dtype=np.bool_)
        sky[np.arange(len(sky)) % 3 > 0] = True
        return replace(prediction, depth=np.where(sky, np.float32(np.nan), prediction.depth), sky=sky)

    world = MarkedWorld(THREE, curve, spoil=two_of_three_see_sky)

    results = feed_all(metric_pipeline(world, MetricModel(world), metric_every=EVERY), world, 12)

    assert [result.report.reason for result in results if not result.report.ok] == []
    assert all(result.report.inliers > 0.9 for result in results if not result.report.new_segment)


@pytest.mark.parametrize("sky_rows", [0, SKY_ROWS, 2 * SKY_ROWS])
def test_sky_never_alters_the_scale(sky_rows: int) -> None:
    """Whatever of the sky the metric network mistakes for something, as the window's own mask rules."""
    seen = []
    for spoil in (None, with_sky):
        world = MarkedWorld(ONE, curve, spoil=spoil)
        model = MetricModel(world, bias=0.05, sky_rows=sky_rows if spoil else 0)
        results = feed_all(metric_pipeline(world, model, metric_every=EVERY), world, 40)
        assert all(result.report.ok for result in results)
        seen.append((log_errors(world, results), [result.report.world_from_window.scale for result in results]))

    (bare, bare_units), (skied, skied_units) = seen
    np.testing.assert_allclose(skied, bare, atol=1e-5)
    np.testing.assert_allclose(skied_units, bare_units, rtol=1e-5)


def test_view_of_the_sky_has_neither_depth_nor_confidence_there() -> None:
    world = MarkedWorld(ONE, curve, spoil=with_sky)

    for new in set_results(feed_all(metric_pipeline(world, None), world, 10)):
        (view,) = new.views
        assert view.sky is not None
        assert view.sky[:SKY_ROWS].all()
        assert not view.sky[SKY_ROWS:].any()
        assert np.isnan(view.depth[:SKY_ROWS]).all()
        assert np.isfinite(view.depth[SKY_ROWS:]).all()
        assert (view.confidence[:SKY_ROWS] == 0).all()
        assert (view.confidence[SKY_ROWS:] == 1).all()


def test_time_of_the_metric_model_is_told_by_itself() -> None:
    world = MarkedWorld(ONE, curve)

    results = feed_all(metric_pipeline(world, MetricModel(world), metric_every=EVERY), world, 20)

    for at, result in enumerate(results):
        assert result.times.metric_ns == (1000 if at % EVERY == 0 else 0)


@pytest.mark.parametrize("places", [{}, THREE], ids=["unplaced", "placed"])
@pytest.mark.parametrize("metric", [True, False], ids=["metric", "relative"])
def test_views_seen_alone_give_depth_of_every_image_and_claim_no_pose(
    metric: bool, places: Mapping[str, FloatArray]
) -> None:
    world = MonocularWorld(THREE, curve, is_metric=metric)
    pipeline = metric_pipeline(world, None, window_size=1, base_from_camera=places)

    results = feed_all(pipeline, world, 20) + pipeline.finish()

    assert pipeline.counters().frames_published == 60
    assert pipeline.path == ()
    for result in results:
        assert result.report.ok
        assert not result.report.has_track
        assert result.scale.source == ("model" if metric else "relative")
        assert result.rig is None
    for new in set_results(results):
        assert new.odometry is None
        assert new.disagreeing == frozenset()
        for view in new.views:
            assert view.trusted
            assert np.isfinite(view.depth).all()
            assert np.isnan(view.odom_from_camera).all()


def test_metres_of_an_engine_that_sees_views_alone_are_metres() -> None:
    world = MonocularWorld(ONE, curve)

    results = feed_all(metric_pipeline(world, None, window_size=1), world, 10)

    for result, new in zip(results, set_results(results), strict=True):
        np.testing.assert_allclose(new.views[0].depth, depth_of(world.pose(new.views[0].frame.key)), rtol=1e-5)
        assert BIAS["model"] < result.scale.sigma < 0.1


def test_image_of_nothing_but_sky_is_published_as_such() -> None:
    def all_sky(call: int, prediction: Prediction) -> Prediction:
        sky = np.ones(prediction.depth.shape, dtype=np.bool_)
        return replace(prediction, depth=np.full_like(prediction.depth, np.nan), sky=sky)

    world = MarkedWorld(ONE, curve, spoil=all_sky)

    new = set_results(feed_all(metric_pipeline(world, None, window_size=1), world, 5))

    assert len(new) == 5
    assert all(one.views[0].sky is not None and one.views[0].sky.all() for one in new)


def test_window_of_one_set_with_poses_that_are_no_numbers_is_rejected() -> None:
    def lost(call: int, prediction: Prediction) -> Prediction:
        return replace(prediction, window_from_camera=np.full_like(prediction.window_from_camera, np.nan))

    world = MarkedWorld(ONE, curve, spoil=lost)

    results = feed_all(metric_pipeline(world, None, window_size=1), world, 3)

    assert not any(result.report.ok or result.new_sets for result in results)
