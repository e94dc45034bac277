# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Every source of scale is asked about every window; late odometry is waited for, in order, but not for ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from da3_ros.geometry.pose_errors import PoseErrors, ViewNoise
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import Sim3, rigid
from da3_ros.streaming.alignment_report import AlignmentReport
from da3_ros.streaming.frame import Window
from da3_ros.streaming.model_scale import ModelScale
from da3_ros.streaming.rig import BODY_FROM_OPTICAL
from da3_ros.streaming.scale import ScaleObservation, ScaleState, ScaleTracker
from da3_ros.streaming.scale_watch import MAX_WAITING, PATIENCE_NS, ScaleWatch
from test.streaming.drawn_windows import DrawnWorld
from test.streaming.gaussian_windows import report
from test.streaming.oracle_world import ONE, PERIOD_NS, THREE, TWO, Trajectory, curve, straight

NOISE = ViewNoise(rotation_rad=1e-4, centre=1e-4, log_depth=1e-4)
METRES_PER_UNIT = 2.0
# Of the curve's metre per second: too slow to go far within a window, and fast enough.
SLOW, FAST = 0.4, 1.5
NO_ERRORS = PoseErrors((), np.zeros((0, 0)))
# Looks down by 30 degrees and to the left by 40, away from the base's origin.
ASKEW = rigid(matrix_from_rotation_vector([0.0, 0.5, 0.7]), [0.3, 0.2, 0.5]) @ BODY_FROM_OPTICAL


class Spy(ScaleTracker):
    """Remembers what it was told."""

    def __init__(self, mode: str = "auto") -> None:
        self.heard: list[ScaleObservation] = []
        super().__init__(mode)

    def observe(self, observations: Sequence[ScaleObservation], stamp_ns: int) -> ScaleState:
        self.heard += observations
        return super().observe(observations, stamp_ns)

    def stamps(self, source: str) -> list[int]:
        return [one.stamp_ns for one in self.heard if one.source == source]


def slow_odometry(stamp_ns: int) -> FloatArray:
    return curve(SLOW * 1e-9 * stamp_ns)


def fast_odometry(stamp_ns: int) -> FloatArray:
    return curve(FAST * 1e-9 * stamp_ns)


@dataclass
class Watched:
    """Windows of exact cameras, one new set each, in a world of METRES_PER_UNIT."""

    rig: Mapping[str, FloatArray] = field(default_factory=lambda: ONE)
    odometry_at: Callable[[int], FloatArray | None] | None = slow_odometry
    speed: float = SLOW
    size: int = 4
    places: Mapping[str, FloatArray] | None = None  # the rig's
    path: Trajectory = curve
    distrusted: frozenset[str] = frozenset()
    spoil: Callable[[Prediction, Window], Prediction] | None = None

    def __post_init__(self) -> None:
        exact = ViewNoise(0.0, 0.0, 0.0)
        self.world = DrawnWorld(self.rig, lambda t: self.path(self.speed * t), noise=exact)
        self.tracker = Spy()
        self.watch = ScaleWatch(self.tracker, self.odometry_at, ModelScale(None))

    def look(self, newest: int) -> ScaleState:
        window = self.world.window(range(max(newest - self.size + 1, 0), newest + 1))
        prediction = self.world.predict(window)
        world_from_window = Sim3(1 / METRES_PER_UNIT, np.eye(3), np.ones(3)) @ self.world.gauges[-1].inverse()
        if self.spoil is not None:
            prediction = self.spoil(prediction, window)
        told: AlignmentReport = replace(
            report(NO_ERRORS, NOISE, step_covariance=np.zeros((7, 7))),
            world_from_window=world_from_window,
            distrusted=frozenset(frame.key for frame in window.views if frame.camera in self.distrusted),
        )
        places = self.rig if self.places is None else self.places
        return self.watch.look(window, prediction, told, window.frame_sets[-1:], places)

    def run(self, sets: int) -> ScaleState:
        return [self.look(newest) for newest in range(sets)][-1]


def test_rig_odometry_and_model_are_all_asked() -> None:
    def knowing_its_unit(prediction: Prediction, window: Window) -> Prediction:
        """Each window's gauge is random, and its engine knows by how much."""
        gauge = watched.world.gauges[-1]
        return replace(prediction, metres_per_unit=1 / gauge.scale)

    watched = Watched(THREE, spoil=knowing_its_unit)

    state = watched.run(40)

    assert len(watched.tracker.stamps("rig")) == 40
    assert len(watched.tracker.stamps("odom")) >= 2
    assert len(watched.tracker.stamps("model")) == 40
    assert state.source == "rig"
    assert state.metres_per_unit == pytest.approx(METRES_PER_UNIT, rel=5e-3)
    for one in watched.tracker.heard:
        assert one.log_metres_per_unit == pytest.approx(np.log(METRES_PER_UNIT), abs=0.01), one


def test_engine_without_poses_is_asked_for_nothing_that_poses_tell() -> None:
    watched = Watched(THREE, spoil=lambda prediction, window: replace(prediction, has_poses=False))

    assert watched.run(40).source == "relative"
    assert watched.tracker.heard == []


def straight_odometry(stamp_ns: int) -> FloatArray:
    return straight(1e-9 * stamp_ns)


@pytest.mark.parametrize(
    "watched",
    [
        Watched({"front": ASKEW}),
        Watched({"front": ASKEW}, straight_odometry, speed=1.0, path=straight, places={}),
        Watched({"askew": ASKEW, **ONE}, places=ONE),
    ],
    ids=["placed", "unplaced", "one of two"],
)
def test_odometry_alone_tells_metres_where_the_rig_cannot(watched: Watched) -> None:
    state = watched.run(40)

    assert {one.source for one in watched.tracker.heard} == {"odom"}
    assert state.source == "odom"
    assert state.metres_per_unit == pytest.approx(METRES_PER_UNIT, rel=5e-3)


def test_odometry_tells_nothing_of_a_camera_at_an_unknown_place_while_the_base_turns() -> None:
    watched = Watched({"front": ASKEW}, places={})

    assert watched.run(40).source == "relative"
    assert watched.tracker.heard == []


def test_ways_of_cameras_at_unknown_places_are_never_mixed() -> None:
    """The first camera is trusted in every other window only; the two are half a metre apart."""
    rig = {"front": BODY_FROM_OPTICAL, "back": rigid(np.eye(3), [-0.5, 0.0, 0.0]) @ BODY_FROM_OPTICAL}
    watched = Watched(rig, straight_odometry, speed=1.0, path=straight, places={})

    for newest in range(40):
        watched.distrusted = frozenset({"front"} if newest % 16 > 8 else ())
        watched.look(newest)

    assert watched.tracker.heard
    for one in watched.tracker.heard:
        assert one.log_metres_per_unit == pytest.approx(np.log(METRES_PER_UNIT), abs=0.01), one


@pytest.mark.parametrize("delay", [1, 4, 9])
def test_late_odometry_is_used_later_and_says_the_same(delay: int) -> None:
    now = [0]
    prompt = Watched()
    watched = Watched(odometry_at=lambda ns: slow_odometry(ns) if ns <= now[0] - delay * PERIOD_NS else None)
    prompt.run(60)

    for newest in range(60 + delay):
        now[0] = newest * PERIOD_NS
        watched.look(newest)

    found, expected = watched.tracker.heard, prompt.tracker.heard
    assert len(expected) >= 3
    assert [one.stamp_ns for one in found] == [one.stamp_ns for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.log_metres_per_unit == pytest.approx(other.log_metres_per_unit, abs=1e-6)
        assert one.sigma == pytest.approx(other.sigma, rel=1e-6)


def test_set_that_odometry_never_knows_is_waited_for_as_long_as_patience_lasts() -> None:
    missing, patience = 20, PATIENCE_NS // PERIOD_NS
    watched = Watched(
        odometry_at=lambda ns: None if ns == missing * PERIOD_NS else fast_odometry(ns), speed=FAST, size=2
    )

    told_at: dict[int, int] = {}
    for newest in range(60):
        watched.look(newest)
        told_at.update({stamp_ns // PERIOD_NS: newest for stamp_ns in watched.tracker.stamps("odom")[len(told_at) :]})

    held = [index for index in told_at if missing < index <= missing + patience]
    assert held
    for index, newest in told_at.items():
        assert newest == (missing + patience if index in held else index)


def test_odometry_that_never_answers_costs_no_memory_and_no_other_source() -> None:
    watched = Watched(TWO, odometry_at=lambda stamp_ns: None)

    watched.run(MAX_WAITING + 50)

    assert len(watched.watch._waiting) <= PATIENCE_NS // PERIOD_NS + 1
    assert {one.source for one in watched.tracker.heard} == {"rig"}


def test_distrusted_views_tell_no_scale() -> None:
    def misplaced(prediction: Prediction, window: Window) -> Prediction:
        poses = prediction.window_from_camera.copy()
        for view, frame in enumerate(window.views):
            if frame.camera == "front":
                poses[view, :3, 3] *= 3
        return replace(prediction, window_from_camera=poses)

    watched = Watched(THREE, spoil=misplaced, distrusted=frozenset({"front"}))

    watched.run(40)

    assert {one.source for one in watched.tracker.heard} == {"rig", "odom"}
    for one in watched.tracker.heard:
        assert one.log_metres_per_unit == pytest.approx(np.log(METRES_PER_UNIT), abs=0.01), one


def test_rig_of_two_tells_nothing_while_one_camera_is_distrusted() -> None:
    watched = Watched(TWO, odometry_at=None, distrusted=frozenset({"left"}))

    assert watched.run(10).source == "relative"
    assert watched.tracker.heard == []


def test_window_in_which_the_robot_went_far_is_enough_by_itself() -> None:
    """The world of each window is turned and shifted against that of the one before, and yet nothing is lost."""

    def shifted(prediction: Prediction, window: Window) -> Prediction:
        poses = prediction.window_from_camera.copy()
        poses[:, :3, 3] += 0.5 * np.random.default_rng(window.index).normal(size=3)
        return replace(prediction, window_from_camera=poses)

    watched = Watched(odometry_at=fast_odometry, speed=FAST, spoil=shifted)

    watched.run(12)

    assert watched.tracker.stamps("odom")[-1] == 11 * PERIOD_NS
    for one in watched.tracker.heard:
        assert one.log_metres_per_unit == pytest.approx(np.log(METRES_PER_UNIT), abs=0.01), one


def test_new_segment_forgets_what_waits_and_what_was_known() -> None:
    known = [True]
    watched = Watched(odometry_at=lambda ns: slow_odometry(ns) if known[0] else None)
    assert watched.run(30).is_metric
    known[0] = False
    watched.look(30)

    watched.watch.forget()

    assert watched.watch.state(0).source == "relative"
    known[0] = True
    heard = len(watched.tracker.heard)
    watched.look(31)
    assert len(watched.tracker.heard) == heard


def test_drift_of_the_world_is_passed_on() -> None:
    watched = Watched(TWO, odometry_at=None)
    before = watched.run(10)
    window = watched.world.window([9])
    told = replace(report(NO_ERRORS, NOISE, step_covariance=np.zeros((7, 7)), scale_drift=1e-3))

    after = watched.watch.look(window, watched.world.predict(window), told, (), {})

    assert after.sigma == pytest.approx(np.sqrt(before.sigma**2 + 1e-3))
