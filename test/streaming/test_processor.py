# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The engine is asked with what is known, about windows that can be aligned; results follow the aligner's word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import numpy.typing as npt
import pytest

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid
from da3_ros.streaming.aligner import WindowAligner
from da3_ros.streaming.frame import FrameSet, Window
from da3_ros.streaming.intrinsics import IntrinsicsPolicy
from da3_ros.streaming.model_scale import ModelScale
from da3_ros.streaming.placement import Placement
from da3_ros.streaming.processor import Placed, WindowProcessor
from da3_ros.streaming.results import SetResult
from da3_ros.streaming.scale import ScaleTracker
from da3_ros.streaming.scale_watch import ScaleWatch
from test.streaming.oracle_world import ONE, PERIOD_NS, THREE, TWO, OracleWorld, Trajectory, curve, depth_of, still

# front looks along base x; left sits 20 cm to the left of it and looks along base y.
FRONT = np.array([[0, 0, 1, 0.1], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
LEFT = np.array([[1, 0, 0, 0.1], [0, 0, 1, 0.2], [0, -1, 0, 0], [0, 0, 0, 1.0]])
CORNER = {"front": FRONT, "left": LEFT}
# By hand: the rows are right, down and ahead of each camera in base axes, the last column minus these times its centre.
FRONT_FROM_BASE = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, -0.1], [0, 0, 0, 1.0]])
LEFT_FROM_BASE = np.array([[1, 0, 0, -0.1], [0, 0, -1, 0], [0, 1, 0, -0.2], [0, 0, 0, 1.0]])


class Listening(OracleWorld):
    """Remembers what it was asked."""

    def estimate(
        self,
        images: Sequence[npt.NDArray[np.uint8]],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: npt.ArrayLike | None = None,
        keys: Sequence[ViewKey] | None = None,
        *,
        effort: Effort = FULL_EFFORT,
    ) -> Prediction:
        assert keys is not None
        self.cameras, self.keys = tuple(cameras or ()), tuple(keys)
        self.told = None if camera_from_world is None else np.asarray(camera_from_world)
        return super().estimate(images, cameras, camera_from_world, keys, effort=effort)


@dataclass
class Bench:
    """A processor over an oracle world."""

    rig: Mapping[str, FloatArray]
    trajectory: Trajectory = curve
    conditioning: str = "none"
    odometry_at: Callable[[int], FloatArray | None] | None = None
    overlap: int = 2
    scale: str = "fixed"
    known: Mapping[str, FloatArray] | None = None
    spoil: Callable[[int, Prediction], Prediction] | None = None

    def __post_init__(self) -> None:
        self.world = Listening(self.rig, self.trajectory, spoil=self.spoil)
        ticks = count(step=1000)
        self.processor = WindowProcessor(
            self.world,
            aligner=WindowAligner(3),
            scales=ScaleWatch(ScaleTracker(self.scale), self.odometry_at, ModelScale(None)),
            intrinsics=IntrinsicsPolicy("auto"),
            placement=Placement(self.rig if self.known is None else self.known, next(iter(self.rig)), 100),
            conditioning=self.conditioning,
            odometry_at=self.odometry_at,
            overlap=self.overlap,
            now_ns=lambda: next(ticks),
        )

    def window(self, indices: Sequence[int], begin_ns: int = 0) -> Window:
        sets = []
        for index in indices:
            stamp_ns = begin_ns + index * PERIOD_NS
            sets.append(FrameSet(index, stamp_ns, tuple(self.world.frame(name, stamp_ns) for name in self.rig)))
        return Window(indices[-1], tuple(sets))

    def run(self, window: Window, new: int = 1) -> tuple[Placed, tuple[SetResult, ...]]:
        placed = self.processor.place(self.processor.bridged(window))
        return placed, self.processor.results(placed, placed.window.frame_sets[-new:])[1]


def indices(window: Window) -> list[int]:
    return [member.index for member in window.frame_sets]


def test_engine_is_told_the_rig_as_computed_by_hand() -> None:
    bench = Bench(CORNER, conditioning="rig")

    bench.run(bench.window([0]))

    assert bench.world.told is not None
    np.testing.assert_allclose(bench.world.told, [FRONT_FROM_BASE, LEFT_FROM_BASE], atol=1e-15)
    assert [(key.camera, key.stamp_ns) for key in bench.world.keys] == [("front", 0), ("left", 0)]
    assert None not in bench.world.cameras


def test_engine_is_told_the_moved_rig_as_computed_by_hand() -> None:
    """Between the sets the base goes 0.5 m along x and turns left by a right angle: left then looks along -x."""

    def odometry_at(stamp_ns: int) -> FloatArray:
        turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
        return rigid(turn, [0.5, 0.0, 0.0]) if stamp_ns else np.eye(4)

    bench = Bench(CORNER, conditioning="odom", odometry_at=odometry_at)

    bench.run(bench.window([0, 1]), new=2)

    # Centres: front 0.1 ahead of (0.5, 0, 0) in y; left 0.1 ahead in y and 0.2 to the left in -x.
    front = np.array([[1, 0, 0, -0.5], [0, 0, -1, 0], [0, 1, 0, -0.1], [0, 0, 0, 1.0]])
    left = np.array([[0, 1, 0, -0.1], [0, 0, -1, 0], [-1, 0, 0, 0.3], [0, 0, 0, 1.0]])
    assert bench.world.told is not None
    np.testing.assert_allclose(bench.world.told, [FRONT_FROM_BASE, LEFT_FROM_BASE, front, left], atol=1e-15)


@pytest.mark.parametrize(
    ("bench", "sets"),
    [
        (Bench(CORNER), [0]),
        (Bench(CORNER, conditioning="rig"), [0, 1]),
        (Bench(CORNER, conditioning="rig", known={"front": FRONT}), [0]),
        (Bench(ONE, conditioning="rig"), [0]),
        (Bench(CORNER, conditioning="odom"), [0, 1]),
        (Bench(CORNER, conditioning="odom", odometry_at=lambda ns: None if ns else np.eye(4)), [0, 1]),
        (Bench(ONE, conditioning="odom", odometry_at=lambda ns: np.eye(4)), [0, 1]),
    ],
    ids=["off", "two-sets", "unplaced", "one-view", "no-odometry", "late-odometry", "no-baseline"],
)
def test_engine_is_told_nothing_when_not_everything_is_known(
    bench: Bench, sets: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    bench.run(bench.window(sets))

    assert bench.world.told is None
    told = [record for record in caplog.records if "is not told the known poses" in record.message]
    assert bool(told) == (bench.conditioning != "none")
    assert all(record.__dict__["throttle_period_s"] > 10 for record in told)


def test_engine_is_never_told_a_rig_that_was_estimated_from_its_answers() -> None:
    bench = Bench(TWO, conditioning="rig", known={}, overlap=1)
    for first in range(15):
        bench.run(bench.window([first, first + 1]))
    assert bench.processor.rig is not None

    bench.run(bench.window([16]))

    assert bench.world.told is None


def test_window_holds_anchors_in_time_order_and_the_newest_sets() -> None:
    bench = Bench(TWO, still)
    seen = []
    for first in range(0, 60, 2):
        placed, _ = bench.run(bench.window(list(range(first, first + 6))), new=2)
        seen.append(indices(placed.window))
        assert placed.report.ok
        assert seen[-1] == sorted(set(seen[-1]))
        assert seen[-1][-2:] == [first + 4, first + 5]
        assert len(seen[-1]) == 6
        assert len(set(seen[-1]) & set(seen[-2] if len(seen) > 1 else seen[-1])) >= 2

    assert seen[-1][:3] == [5, 7, 9]  # the newest sets of the first windows
    assert [view.key for view in bench.window(seen[-1]).views] == list(bench.world.keys)


def test_window_after_skipped_ones_shares_the_overlap_with_the_last_good_one() -> None:
    bench = Bench(TWO)
    bench.run(bench.window([0, 1, 2, 3]))

    placed, _ = bench.run(bench.window([9, 10, 11, 12]))

    assert indices(placed.window) == [2, 3, 11, 12]
    assert placed.report.ok
    assert not placed.report.new_segment


def test_bag_loop_begins_a_new_world_at_the_origin() -> None:
    bench = Bench(TWO)
    for first in range(0, 20, 2):
        bench.run(bench.window([first + k for k in range(4)]), new=2)
    assert len(bench.processor.path) == 20

    placed, results = bench.run(bench.window([30, 31, 32, 33], begin_ns=-30 * PERIOD_NS), new=4)

    assert indices(placed.window) == [30, 31, 32, 33]
    assert placed.report.new_segment
    assert results[0].odometry is not None
    np.testing.assert_allclose(results[0].odometry.odom_from_base, np.eye(4), atol=1e-9)
    assert results[0].odometry.is_reset
    assert len(bench.processor.path) == 4


def test_rejected_window_hands_out_nothing_and_the_next_goes_on() -> None:
    def spoil(call: int, prediction: Prediction) -> Prediction:
        return replace(prediction, depth=prediction.depth * np.float32(np.nan)) if call == 1 else prediction

    bench = Bench(TWO, spoil=spoil)
    bench.run(bench.window([0, 1, 2, 3]), new=4)
    path = bench.processor.path

    placed, results = bench.run(bench.window([2, 3, 4, 5]), new=2)
    assert not placed.report.ok
    assert results == ()
    assert bench.processor.path == path

    placed, results = bench.run(bench.window([4, 5, 6, 7]), new=2)
    assert indices(placed.window) == [2, 3, 6, 7]
    assert [result.frame_set.index for result in results] == [6, 7]


def test_new_segment_finds_its_own_metres() -> None:
    def spoil(call: int, prediction: Prediction) -> Prediction:
        noise = np.random.default_rng(call).uniform(0.1, 10.0, prediction.depth.shape).astype(np.float32)
        return replace(prediction, depth=noise) if 2 <= call < 5 else prediction

    bench = Bench(THREE, scale="rig", spoil=spoil)
    windows = [bench.window(list(range(first, first + 4))) for first in range(0, 18, 2)]
    told = [bench.run(window, new=2) for window in windows]

    assert [placed.report.new_segment for placed, _ in told] == [True] + 5 * [False] + [True, False, False]
    for placed, results in told:
        for result in results:
            for view in result.views:
                expected = depth_of(bench.world.pose(view.frame.key))
                np.testing.assert_allclose(view.depth, expected, rtol=0.01, err_msg=str(placed.window.index))


def test_engine_trouble_leaves_everything_as_it_was() -> None:
    def fail(call: int, prediction: Prediction) -> Prediction:
        if call == 1:
            raise RuntimeError("out of memory")
        return prediction

    bench = Bench(TWO, spoil=fail)
    bench.run(bench.window([0, 1, 2, 3]), new=4)
    path = bench.processor.path

    with pytest.raises(RuntimeError, match="out of memory"):
        bench.run(bench.window([2, 3, 4, 5]), new=2)

    assert bench.processor.path == path
    placed, _ = bench.run(bench.window([2, 3, 4, 5]), new=2)
    assert placed.report.ok
    assert not placed.report.new_segment


@pytest.mark.parametrize(
    ("known", "told", "goes_on"),
    [({"left": TWO["left"]}, TWO, True), (TWO, {**TWO, "left": FRONT}, False), ({}, TWO, False)],
    ids=["one-more", "moved", "first"],
)
def test_world_begins_anew_only_when_the_base_is_another(
    known: dict[str, FloatArray], told: dict[str, FloatArray], goes_on: bool
) -> None:
    bench = Bench(TWO, known=known)
    bench.run(bench.window([0, 1, 2, 3]), new=4)

    bench.processor.place_cameras(told)
    placed, results = bench.run(bench.window([2, 3, 4, 5]), new=2)

    assert placed.report.new_segment is not goes_on
    assert len(bench.processor.path) == (6 if goes_on else 2)
    assert results[0].odometry is not None


def test_stages_are_timed() -> None:
    bench = Bench(ONE)

    placed, _ = bench.run(bench.window([0, 1]))

    assert (placed.engine_ns, placed.alignment_ns) == (1000, 1000)
