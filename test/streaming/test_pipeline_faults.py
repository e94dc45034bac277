# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Every frame is accounted for and the stream goes on, whatever fails, loops or is reset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import Prediction
from da3_ros.streaming.results import WindowResult
from test.strategies import seeds
from test.streaming.metric_world import MarkedWorld, MetricModel, metric_pipeline
from test.streaming.oracle_world import ONE, PERIOD_NS, TWO, OracleWorld, curve
from test.streaming.piping import balance, feed_all, pipeline_of, set_results

LONG_S = 30.0


def test_set_that_was_skipped_is_not_handed_out_after_a_newer_one() -> None:
    world = OracleWorld(ONE, curve)
    pipeline = pipeline_of(world)
    indices = []
    for first, sets in ((0, 4), (4, 3), (7, 1)):
        for frame in world.frames(sets, first):
            pipeline.push(frame)
        window = pipeline.take(0.0)
        assert window is not None
        indices.append([new.frame_set.index for new in pipeline.process(window).new_sets])

    assert indices == [[0, 1, 2, 3], [5, 6], [7]]
    assert pipeline.counters().dropped == {"superseded": 1}


class EngineTroubleError(Exception):
    """What an engine might raise."""


def failing_at(*calls: int) -> Callable[[int, Prediction], Prediction]:
    def fail(call: int, prediction: Prediction) -> Prediction:
        if call in calls:
            raise EngineTroubleError(f"call {call}")
        return prediction

    return fail


def test_frames_of_a_failed_window_come_with_the_next_when_that_holds_them() -> None:
    world = OracleWorld(ONE, curve, spoil=failing_at(2))
    pipeline = pipeline_of(world)
    results = []

    for frame in world.frames(10):
        try:
            results += pipeline.feed(frame)
        except EngineTroubleError:
            assert frame.stamp_ns == 5 * PERIOD_NS

    assert [new.frame_set.index for new in set_results(results)] == list(range(10))
    assert sum(result.report.new_segment for result in results) == 1
    assert pipeline.counters().dropped == {}


def test_frames_of_failed_windows_are_counted_when_no_later_window_holds_them() -> None:
    world = OracleWorld(ONE, curve, spoil=failing_at(1))
    pipeline = pipeline_of(world, window_size=2, window_stride=1, overlap=1)
    results = []

    for frame in world.frames(3):
        with suppress(EngineTroubleError):
            results += pipeline.feed(frame)
    results += pipeline.finish()

    assert [new.frame_set.index for new in set_results(results)] == [0, 1]
    assert pipeline.counters().dropped == {"engine_failed": 1}
    assert balance(pipeline.counters()) == 0


def test_frames_of_rejected_windows_are_counted_and_never_handed_out() -> None:
    def no_depth(call: int, prediction: Prediction) -> Prediction:
        return prediction if call < 2 else replace(prediction, depth=prediction.depth * np.float32(np.nan))

    world = OracleWorld(ONE, curve, spoil=no_depth)
    pipeline = pipeline_of(world)

    results = feed_all(pipeline, world, 10) + pipeline.finish()

    assert [new.frame_set.index for new in set_results(results)] == list(range(5))
    assert pipeline.counters().dropped == {"not_aligned": 5}


def test_flush_counts_what_no_window_will_publish_but_spares_the_window_in_hand() -> None:
    world = OracleWorld(TWO, curve)
    pipeline = pipeline_of(world, window_size=1, overlap=1)
    for frame in world.frames(12):
        pipeline.push(frame)
    assert pipeline.take(0.0) is not None

    pipeline.flush()  # one window is being processed: its frames may yet be published
    pipeline.flush()

    assert pipeline.counters().in_flight > 0
    while pipeline.take(0.0) is not None:
        continue
    pipeline.flush()
    assert pipeline.counters().in_flight == 0
    assert balance(pipeline.counters()) == 0


def test_flush_spares_the_window_that_waits_to_be_taken() -> None:
    world = OracleWorld(ONE, curve)
    pipeline = pipeline_of(world)
    for frame in world.frames(4):
        pipeline.push(frame)

    pipeline.flush()

    window = pipeline.take(0.0)
    assert window is not None
    assert len(pipeline.process(window).new_sets) == 4
    assert pipeline.counters().dropped == {}


@pytest.mark.parametrize(("failing", "lost"), [(0, 4), (3, 1)])
def test_trouble_after_the_alignment_costs_one_window_and_the_next_begins_anew(failing: int, lost: int) -> None:
    world = MarkedWorld(ONE, curve)
    model = MetricModel(world)

    def asked(images: Sequence[npt.NDArray[np.uint8]], cameras: Sequence[PinholeCamera]) -> npt.NDArray[np.float32]:
        if len(model.asked) == failing:
            model.asked.append([])
            raise EngineTroubleError
        return model(images, cameras)

    pipeline, results = metric_pipeline(world, asked, metric_every=1), []
    for frame in world.frames(12):
        with suppress(EngineTroubleError):
            results += pipeline.feed(frame)

    assert [result.report.new_segment for result in results] == [at in (0, failing) for at in range(8)]
    assert all(result.report.ok and result.scale.is_metric for result in results)
    counters = pipeline.counters()
    assert counters.dropped == {"engine_failed": lost}
    assert counters.frames_published == len(set_results(results)) == 12 - lost
    assert (counters.windows, counters.in_flight, balance(counters)) == (8, 0, 0)


def test_bag_loop_begins_a_new_segment_at_the_origin() -> None:
    world = OracleWorld(TWO, curve)
    pipeline = pipeline_of(world)

    results = feed_all(pipeline, world, 40) + feed_all(pipeline, world, 40) + pipeline.finish()

    segments = [result for result in results if result.report.new_segment]
    assert len(segments) == 2
    np.testing.assert_allclose(segments[1].new_sets[0].odometry.odom_from_base, np.eye(4), atol=1e-9)  # type: ignore[union-attr]
    assert balance(pipeline.counters()) == 0
    assert pipeline.counters().frames_published >= 150
    for result in results:
        stamps = [member.stamp_ns for member in result.window.frame_sets]
        assert stamps == sorted(stamps)


def test_reset_drops_what_is_under_way_and_begins_anew() -> None:
    world = OracleWorld(TWO, curve)
    pipeline = pipeline_of(world)
    for frame in world.frames(8)[:-1]:
        pipeline.push(frame)

    pipeline.reset()

    assert pipeline.take(0.0) is None
    assert pipeline.counters().dropped == {"reset": 15}
    assert pipeline.counters().in_flight == 0
    results = feed_all(pipeline, world, 6, first=20)
    assert results[0].report.new_segment
    assert results[0].new_sets[0].odometry is not None
    np.testing.assert_allclose(results[0].new_sets[0].odometry.odom_from_base, np.eye(4), atol=1e-9)


def test_reset_while_the_engine_works_voids_its_answer() -> None:
    world = OracleWorld(ONE, curve)
    pipeline = pipeline_of(world)

    def reset_once(call: int, prediction: Prediction) -> Prediction:
        if call == 1:
            pipeline.reset()
        return prediction

    world.spoil = reset_once
    results = feed_all(pipeline, world, 12)

    assert results[1].new_sets == ()
    assert results[2].report.new_segment
    assert pipeline.counters().dropped == {"reset": 1}
    assert balance(pipeline.counters()) == 0


def test_unusable_images_are_part_of_the_account() -> None:
    pipeline = pipeline_of(OracleWorld(ONE, curve))

    pipeline.count_unusable("bad_encoding")
    pipeline.count_unusable("bad_encoding")

    counters = pipeline.counters()
    assert (counters.frames_in, counters.dropped, balance(counters)) == (2, {"bad_encoding": 2}, 0)


def test_close_wakes_the_thread_that_takes() -> None:
    pipeline = pipeline_of(OracleWorld(ONE, curve))
    with ThreadPoolExecutor(1) as pool:
        taking = pool.submit(pipeline.take, None)
        pipeline.close()

        assert taking.result(LONG_S) is None


def test_account_balances_and_results_stay_in_order_when_two_threads_work() -> None:
    world = OracleWorld(TWO, curve)
    pipeline = pipeline_of(world)
    results: list[WindowResult] = []

    def infer() -> None:
        while (window := pipeline.take(None)) is not None:
            results.append(pipeline.process(window))

    with ThreadPoolExecutor(1) as pool:
        inferring = pool.submit(infer)
        for frame in world.frames(200):
            pipeline.push(frame)
            assert balance(pipeline.counters()) == 0
        pipeline.close()
        inferring.result(LONG_S)
    pipeline.finish()

    indices = [new.frame_set.index for new in set_results(results)]
    assert indices == sorted(set(indices))
    assert pipeline.counters().in_flight == 0
    assert balance(pipeline.counters()) == 0


@settings(max_examples=25, deadline=None)
@given(
    seed=seeds,
    size=st.integers(1, 5),
    stride=st.integers(1, 5),
    overlap=st.integers(1, 4),
    policy=st.sampled_from(["drop", "partial", "wait"]),
    slow=st.integers(1, 4),
)
def test_every_frame_is_accounted_for_whatever_happens(
    seed: int, size: int, stride: int, overlap: int, policy: str, slow: int
) -> None:
    generator = np.random.default_rng(seed)
    stride = min(stride, max(size - 1, 1))
    overlap = max(1, min(overlap, size - stride))
    world = OracleWorld(TWO, curve, spoil=failing_at(*np.flatnonzero(generator.random(200) < 0.1)))
    pipeline = pipeline_of(world, window_size=size, window_stride=stride, overlap=overlap, missing_camera=policy)
    frames = [frame for frame in world.frames(40) if generator.random() > 0.1]
    frames = frames[:60] + frames[:20] if generator.random() < 0.5 else frames
    published: list[int] = []

    def process_one() -> None:
        window = pipeline.take(0.0)
        if window is not None:
            with suppress(EngineTroubleError):
                published.extend(new.frame_set.index for new in pipeline.process(window).new_sets)

    for number, frame in enumerate(frames):
        pipeline.push(frame)
        assert balance(pipeline.counters()) == 0
        if number % slow == 0:
            process_one()
            assert balance(pipeline.counters()) == 0
        if generator.random() < 0.01:
            pipeline.reset()
    world.spoil = None
    published += [new.frame_set.index for new in set_results(pipeline.finish())]

    counters = pipeline.counters()
    assert counters.frames_in == len(frames)
    assert counters.in_flight == 0
    assert balance(counters) == 0
    assert published == sorted(set(published))
