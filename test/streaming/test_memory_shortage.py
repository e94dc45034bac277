# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The stream goes on when memory is short: smaller windows and images, one account, odometry without leaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey
from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming.memory_relief import FIRST_WAIT, Step
from da3_ros.streaming.odometry import OdometryState
from da3_ros.streaming.results import WindowResult
from test.strategies import seeds
from test.streaming.oracle_world import CAMERA, HALF_CAMERA, ONE, TWO, OracleWorld, curve, straight
from test.streaming.piping import balance, feed_all, pipeline_of, set_results

CHUNKS, WINDOW, RESOLUTION = Step


@dataclass
class ShortOfMemory(OracleWorld):
    """Raises MemoryError when a call takes more than there is: a view takes 1, 0.9 in half chunks, a quarter at half
    the resolution. `memory` is told the number of the call.
    """

    memory: Callable[[int], float] = lambda call: np.inf
    asked: list[tuple[int, Effort]] = field(default_factory=list)

    def estimate(
        self,
        images: Sequence[npt.NDArray[np.uint8]],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: npt.ArrayLike | None = None,
        keys: Sequence[ViewKey] | None = None,
        *,
        effort: Effort = FULL_EFFORT,
    ) -> Prediction:
        self.asked.append((len(images), effort))
        taken = len(images) * (0.9 if effort.half_chunks else 1.0) * (0.25 if effort.half_resolution else 1.0)
        if taken > self.memory(len(self.asked) - 1):
            raise MemoryError(f"{taken} of memory")
        return super().estimate(images, cameras, camera_from_world, keys, effort=effort)


def short_world(memory: Callable[[int], float] | float, rig: Mapping[str, FloatArray] = ONE) -> ShortOfMemory:
    return ShortOfMemory(rig, curve, memory=memory if callable(memory) else lambda call: memory)


def until(call: int, short: float) -> Callable[[int], float]:
    """So little memory up to a call of the engine, and plenty afterwards."""
    return lambda number: short if number < call else np.inf


def indices(results: list[WindowResult]) -> list[int]:
    return [new.frame_set.index for new in set_results(results)]


@pytest.mark.parametrize(
    ("memory", "views", "steps"),
    [
        (3.6, [4, 4], (CHUNKS,)),
        (2.0, [4, 4, 2], (CHUNKS, WINDOW)),
        (0.5, [4, 4, 2, 2], (CHUNKS, WINDOW, RESOLUTION)),
    ],
)
def test_window_is_tried_again_at_once_with_no_less_than_it_takes(
    memory: float, views: list[int], steps: tuple[Step, ...]
) -> None:
    world = short_world(memory)
    pipeline = pipeline_of(world)

    (result,) = feed_all(pipeline, world, 4)

    assert [count for count, _ in world.asked] == views
    assert pipeline.relief == steps
    assert len(result.window.views) == views[-1]


def test_sets_cut_off_before_they_were_published_are_dropped_for_want_of_memory() -> None:
    world = short_world(2.0)
    pipeline = pipeline_of(world)

    results = feed_all(pipeline, world, 10) + pipeline.finish()

    assert indices(results) == list(range(2, 10))
    assert pipeline.counters().dropped == {"no_memory": 2}


def test_only_what_does_not_fit_is_lost_when_windows_stride_far() -> None:
    world = short_world(4.0)
    pipeline = pipeline_of(world, window_size=8, window_stride=4, overlap=2)

    results = feed_all(pipeline, world, 24) + pipeline.finish()

    assert [frame_set.index for frame_set in results[1].window.frame_sets] == [6, 7, 10, 11]
    assert indices(results) == [4, 5, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23]
    assert pipeline.counters().dropped == {"no_memory": 12}
    assert [result.report.new_segment for result in results] == [True, False, False, False, False]


def test_cut_windows_still_share_views_with_the_ones_before() -> None:
    world = ShortOfMemory(TWO, straight, memory=lambda call: 4.0)
    pipeline = pipeline_of(world)

    results = feed_all(pipeline, world, 30) + pipeline.finish()

    assert [result.report.new_segment for result in results] == [True] + [False] * (len(results) - 1)
    assert {result.report.overlap_views for result in results[1:]} == {2}
    np.testing.assert_allclose(steps_ahead(results), 0.05 * world.gauges[0].scale, rtol=1e-3)


def test_half_resolution_begins_a_segment_where_the_base_was_and_says_so() -> None:
    world = ShortOfMemory(TWO, straight, memory=lambda call: np.inf if call < 12 else 1.0)
    pipeline = pipeline_of(world, scale_mode="rig")

    before = feed_all(pipeline, world, 15)
    after = feed_all(pipeline, world, 15, first=15)

    assert pipeline.relief == (CHUNKS, WINDOW, RESOLUTION)
    assert [result.report.new_segment for result in after] == [True] + [False] * (len(after) - 1)
    assert after[0].report.reason == "the engine's images are 12x16 now, not 24x32"
    assert [state.is_reset for state in states_of(after)] == [True] + [False] * (len(after) - 1)
    assert not states_of(after)[0].linear_velocity.any()
    assert before[-1].scale.is_metric
    # Half a metre per second at 10 Hz, across the two segments too.
    np.testing.assert_allclose(steps_ahead([*before[-5:], *after]), 0.05, atol=1e-3)


def states_of(results: Sequence[WindowResult]) -> list[OdometryState]:
    return [new.odometry for new in set_results(results) if new.odometry is not None]


def steps_ahead(results: Sequence[WindowResult]) -> list[float]:
    """How far the base went along x from one published pose to the next."""
    ahead = [float(state.odom_from_base[0, 3]) for state in states_of(results)]
    return [now - before for before, now in pairwise(ahead)]


def test_published_depth_matches_its_camera_when_the_resolution_is_halved() -> None:
    world = short_world(0.5)

    results = feed_all(pipeline_of(world), world, 6)

    for new in set_results(results):
        (view,) = new.views
        assert view.depth.shape == view.confidence.shape == view.image.shape[:2] == view.camera.size == (12, 16)
        assert view.camera == HALF_CAMERA


def test_all_is_taken_back_when_there_is_memory_again() -> None:
    world = short_world(until(8, 0.5))
    pipeline = pipeline_of(world)

    results = feed_all(pipeline, world, 3 * FIRST_WAIT + 12)

    assert pipeline.relief == ()
    assert world.asked[-1] == (4, FULL_EFFORT)
    assert results[-1].new_sets[0].views[0].camera == CAMERA
    assert sum(result.report.new_segment for result in results) == 2
    assert pipeline.counters().dropped == {"no_memory": 2}


def test_attempt_that_fails_costs_no_segment() -> None:
    world = short_world(0.5)
    pipeline = pipeline_of(world)

    results = feed_all(pipeline, world, 4 * FIRST_WAIT)

    assert (2, Effort(half_chunks=True)) in world.asked[4:]
    assert sum(result.report.new_segment for result in results) == 1


def test_shortage_passes_through_when_nothing_is_left_to_give_up_and_later_windows_go_on() -> None:
    world = short_world(until(4, 0.1))
    pipeline = pipeline_of(world)
    frames = world.frames(8)
    for frame in frames[:3]:
        pipeline.feed(frame)

    with pytest.raises(MemoryError, match="of memory"):
        pipeline.feed(frames[3])

    assert pipeline.counters().in_flight == 4
    results = [result for frame in frames[4:] for result in pipeline.feed(frame)]
    assert indices(results) == [3, 4, 5, 6, 7]
    assert balance(pipeline.counters()) == 0
    assert pipeline.counters().dropped == {"no_memory": 2, "engine_failed": 1}


def test_engine_that_refuses_what_is_left_of_a_window_gets_whole_ones_again() -> None:
    def refuse(call: int, prediction: Prediction) -> Prediction:
        if len(prediction.depth) < 4:
            raise RuntimeError("made for 4 views")
        return prediction

    world = short_world(until(2, 3.0))
    world.spoil = refuse
    pipeline = pipeline_of(world)
    published = []
    for frame in world.frames(3 * FIRST_WAIT):
        with suppress(RuntimeError):
            published += indices(pipeline.feed(frame))

    assert pipeline.relief == ()
    assert published[-1] == 3 * FIRST_WAIT - 1
    assert balance(pipeline.counters()) == 0


def test_reset_brings_no_memory_back() -> None:
    world = short_world(2.0)
    pipeline = pipeline_of(world)
    feed_all(pipeline, world, 6)
    asked = len(world.asked)

    pipeline.reset()
    feed_all(pipeline, world, 6, first=10)

    assert pipeline.relief == (CHUNKS, WINDOW)
    assert {views for views, _ in world.asked[asked:]} == {2}


@settings(max_examples=40, deadline=None)
@given(
    seed=seeds,
    size=st.integers(1, 8),
    stride=st.integers(1, 7),
    overlap=st.integers(1, 6),
    policy=st.sampled_from(["drop", "partial", "wait"]),
    slow=st.integers(1, 4),
    is_random=st.booleans(),
)
def test_every_frame_is_accounted_for_however_short_memory_is(
    seed: int, size: int, stride: int, overlap: int, policy: str, slow: int, is_random: bool
) -> None:
    generator = np.random.default_rng(seed)
    stride = min(stride, max(size - 1, 1))
    overlap = max(1, min(overlap, size - stride))
    budgets = generator.uniform(0.1, 20, 1000) if is_random else np.full(1000, generator.uniform(0.1, 20))
    world = short_world(lambda call: budgets[call % 1000], TWO)
    pipeline = pipeline_of(world, window_size=size, window_stride=stride, overlap=overlap, missing_camera=policy)
    frames = [frame for frame in world.frames(60) if generator.random() > 0.05]
    published: list[int] = []

    def process_one() -> None:
        window = pipeline.take(0.0)
        if window is not None:
            with suppress(MemoryError):
                result = pipeline.process(window)
                assert len(result.window.frame_sets) <= size
                published.extend(indices([result]))

    for number, frame in enumerate(frames):
        pipeline.push(frame)
        assert balance(pipeline.counters()) == 0
        if number % slow == 0:
            process_one()
            assert balance(pipeline.counters()) == 0
        if generator.random() < 0.01:
            pipeline.reset()
    world.memory = lambda call: np.inf
    published += indices(pipeline.finish())

    counters = pipeline.counters()
    assert counters.frames_in == len(frames)
    assert counters.in_flight == 0
    assert balance(counters) == 0
    assert published == sorted(set(published))
