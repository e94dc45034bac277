# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The base comes from all cameras that agree, cameras hang on the base, and who contradicts shows no depth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest

from da3_ros.geometry.pose_errors import PoseErrors, ViewNoise
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_angle
from da3_ros.geometry.sim3 import Sim3, rigid, rigid_inverse
from da3_ros.streaming.frame import FrameSet, Window
from da3_ros.streaming.placement import Placement
from da3_ros.streaming.results import SetResult, ViewResult
from da3_ros.streaming.scale import ScaleState
from test.streaming.drawn_windows import NOISE, SCENE_DEPTH_M, DrawnWorld, stretched
from test.streaming.gaussian_windows import RELATIVE, fixed, report
from test.streaming.oracle_world import ONE, PERIOD_NS, THREE, TWO, Trajectory, curve, straight

METRES_PER_UNIT = 2.5
METRIC = fixed(METRES_PER_UNIT, sigma=0.01)
WORLD_FROM_TRUTH = Sim3(1 / METRES_PER_UNIT, matrix_from_rotation_vector([0.4, -1.1, 0.7]), np.array([3.0, 1.0, -2.0]))
EXACT = ViewNoise(0.0, 0.0, 0.0)
NO_ERRORS = PoseErrors((), np.zeros((0, 0)))


@dataclass
class Placing:
    """Windows of a drawn world that an aligner has placed without error."""

    rig: Mapping[str, FloatArray]
    known: Mapping[str, FloatArray] | None = None  # None: all of the rig
    trajectory: Trajectory = curve
    noise: ViewNoise = EXACT
    scale: ScaleState = METRIC
    wrong: dict[str, FloatArray] = field(default_factory=dict)  # (4, 4) camera_from_wrong, metres
    distrusted: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.world = DrawnWorld(self.rig, self.trajectory, noise=self.noise)
        known = self.rig if self.known is None else self.known
        self.placement = Placement(known, next(iter(self.rig)), path_length=100)
        self.begun = False

    def take(self, frame_sets: Iterable[FrameSet]) -> list[SetResult]:
        window = Window(0, tuple(frame_sets))
        prediction = self.spoilt(self.world.predict(window), window)
        told = replace(
            report(NO_ERRORS, stretched(NOISE, 1 / METRES_PER_UNIT), np.zeros((7, 7)) if self.begun else None),
            world_from_window=WORLD_FROM_TRUTH @ self.world.gauges[-1].inverse(),
            distrusted=frozenset(frame.key for frame in window.views if frame.camera in self.distrusted),
        )
        self.begun = True
        self.placement.take(window, prediction, told, self.scale)
        return [self.placement.place(frame_set) for frame_set in window.frame_sets]

    def spoilt(self, prediction: Prediction, window: Window) -> Prediction:
        poses = prediction.window_from_camera.copy()
        for view, frame in enumerate(window.views):
            wrong = self.wrong.get(frame.camera, np.eye(4))
            poses[view] = poses[view] @ rigid(wrong[:3, :3], self.world.gauges[-1].scale * wrong[:3, 3])
        return replace(prediction, window_from_camera=poses)

    def run(self, sets: int, first: int = 0) -> list[SetResult]:
        """One set per window."""
        return [self.take([self.world.frame_set(index)])[0] for index in range(first, first + sets)]

    def odom_from_base(self, stamp_ns: int) -> FloatArray:
        """The truth; odom begins where the base is first."""
        return rigid_inverse(self.trajectory(0.0)) @ self.trajectory(stamp_ns * 1e-9)


def views_by_camera(result: SetResult) -> dict[str, ViewResult]:
    return {view.frame.camera: view for view in result.views}


def base_of(result: SetResult) -> FloatArray:
    assert result.odometry is not None
    return result.odometry.odom_from_base


SIDEWAYS = rigid(matrix_from_rotation_vector([0.0, 0.3, 0.0]), [0.4, 0.0, 0.2])


@pytest.mark.parametrize("rig", [ONE, TWO, THREE], ids=["one", "two", "three"])
def test_base_and_views_are_where_they_truly_are(rig: dict[str, FloatArray]) -> None:
    placing = Placing(rig)

    for result in placing.run(12):
        truth = placing.odom_from_base(result.frame_set.stamp_ns)
        np.testing.assert_allclose(base_of(result), truth, atol=1e-9)
        assert [view.frame for view in result.views] == list(result.frame_set.frames)
        for view in result.views:
            np.testing.assert_allclose(view.odom_from_camera, truth @ rig[view.frame.camera], atol=1e-9)
            np.testing.assert_allclose(view.depth, SCENE_DEPTH_M, rtol=1e-6)
            assert view.trusted
        assert result.disagreeing == frozenset()


def test_base_rests_on_all_cameras() -> None:
    """Each camera's noise counts a third, so that of three is less than that of one."""
    errors = {}
    for name, known in (("one", {"front": THREE["front"]}), ("all", THREE)):
        off = []
        for seed in range(40):
            placing = Placing(THREE, known=known)
            placing.world = DrawnWorld(THREE, curve, seed, NOISE)
            first, second = placing.run(2)
            moved = rigid_inverse(base_of(first)) @ base_of(second)
            truth = rigid_inverse(curve(0.0)) @ curve(PERIOD_NS * 1e-9)
            off.append(float(rotation_angle(moved[:3, :3] @ truth[:3, :3].T)))
        errors[name] = np.sqrt(np.mean(np.square(off)))

    assert errors["all"] == pytest.approx(errors["one"] / np.sqrt(3), rel=0.25)


def test_camera_with_a_place_is_published_where_tf_chains_it() -> None:
    placing = Placing(THREE)
    placing.world = DrawnWorld(THREE, curve, 1, NOISE)

    for result in placing.run(6):
        for view in result.views:
            chained = base_of(result) @ THREE[view.frame.camera]
            np.testing.assert_allclose(view.odom_from_camera, chained, atol=1e-12)


def test_camera_without_a_place_is_published_where_the_images_say() -> None:
    known = {name: THREE[name] for name in ("front", "left")}
    placing = Placing(THREE, known=known, wrong={"right": SIDEWAYS})

    for result in placing.run(4):
        view = views_by_camera(result)["right"]
        seen = placing.odom_from_base(result.frame_set.stamp_ns) @ THREE["right"] @ SIDEWAYS
        np.testing.assert_allclose(view.odom_from_camera, seen, atol=1e-9)
        assert view.trusted
        np.testing.assert_allclose(base_of(result), placing.odom_from_base(result.frame_set.stamp_ns), atol=1e-9)


@pytest.mark.parametrize("rig", [TWO, THREE], ids=["two", "three"])
def test_distrusted_view_shows_no_depth_and_does_not_move_the_base(rig: dict[str, FloatArray]) -> None:
    placing = Placing(rig, wrong={"left": SIDEWAYS}, distrusted=frozenset({"left"}))

    for result in placing.run(4):
        left, right = (views_by_camera(result)[name] for name in ("left", "right"))
        assert np.isnan(left.depth).all()
        assert left.depth.shape == right.depth.shape
        assert not left.trusted
        assert right.trusted
        assert np.isfinite(right.depth).all()
        np.testing.assert_allclose(base_of(result), placing.odom_from_base(result.frame_set.stamp_ns), atol=1e-9)


def test_camera_that_contradicts_two_others_is_left_out_and_named() -> None:
    placing = Placing(THREE)
    placing.run(2)
    placing.wrong = {"left": SIDEWAYS}

    (result,) = placing.run(1, first=2)

    assert result.disagreeing == {"left"}
    assert np.isnan(views_by_camera(result)["left"].depth).all()
    np.testing.assert_allclose(base_of(result), placing.odom_from_base(result.frame_set.stamp_ns), atol=1e-9)


def test_set_whose_views_are_all_distrusted_says_nothing_of_the_base() -> None:
    placing = Placing(TWO, distrusted=frozenset(TWO))

    (result,) = placing.run(1)

    assert result.odometry is None
    assert not any(view.trusted for view in result.views)


def test_set_without_a_placed_camera_has_views_but_no_base() -> None:
    placing = Placing(TWO, known={"left": TWO["left"]})
    placing.run(3)
    both = placing.world.frame_set(3)

    (result,) = placing.take([FrameSet(both.index, both.stamp_ns, both.frames[1:])])

    assert result.odometry is None
    truth = placing.odom_from_base(both.stamp_ns) @ TWO["right"]
    np.testing.assert_allclose(result.views[0].odom_from_camera, truth, atol=1e-9)
    assert len(placing.placement.path) == 3


def shifted_set(placing: Placing, index: int, late_ns: int) -> FrameSet:
    """The second camera has no trigger: it sees this much later."""
    first, *others = placing.world.frame_set(index).frames
    later = [replace(frame, stamp_ns=frame.stamp_ns + late_ns) for frame in others]
    return FrameSet(index, first.stamp_ns, (first, *later))


def test_cameras_without_a_trigger_agree_on_the_base_while_it_moves_steadily() -> None:
    placing = Placing(TWO, trajectory=lambda t: straight(4 * t))

    results = placing.take([shifted_set(placing, index, 30_000_000) for index in range(12)])

    for before, result in pairwise(results):
        assert result.odometry is not None
        assert result.odometry.stamp_ns == result.frame_set.stamp_ns
        np.testing.assert_allclose(rigid_inverse(base_of(before)) @ base_of(result), straight(0.4), atol=1e-3)
        left, right = result.views
        np.testing.assert_allclose(left.odom_from_camera, base_of(result) @ TWO["left"], atol=1e-12)
        # The other is where it was when it saw, not where TF has it at the base's stamp.
        late = base_of(result) @ straight(4 * 0.03) @ TWO["right"]
        np.testing.assert_allclose(right.odom_from_camera, late, atol=1e-3)


def test_rig_is_estimated_only_while_the_robot_does_not_know_it() -> None:
    unknown, known = Placing(THREE, known={}), Placing(THREE)
    for placing in (unknown, known):
        placing.run(12)

    assert known.placement.rig_estimate is None
    found = unknown.placement.rig_estimate
    assert found is not None
    assert found.is_metric
    assert set(found.cameras) == {"left", "right"}
    for name, camera in found.cameras.items():
        truth = rigid_inverse(THREE["front"]) @ THREE[name]
        np.testing.assert_allclose(camera.reference_from_camera, truth, atol=1e-6)
    unknown.placement.place_cameras(THREE)
    assert unknown.placement.rig_estimate is None


def test_rig_estimate_leaves_distrusted_views_out() -> None:
    placing = Placing(THREE, known={}, wrong={"left": SIDEWAYS}, distrusted=frozenset({"left"}))

    placing.run(12)

    found = placing.placement.rig_estimate
    assert found is not None
    assert set(found.cameras) == {"right"}


def test_rig_in_units_is_forgotten_at_a_new_segment_and_one_in_metres_is_not() -> None:
    relative, metric = Placing(THREE, known={}, scale=RELATIVE), Placing(THREE, known={})
    for placing in (relative, metric):
        placing.run(12)
        assert placing.placement.rig_estimate is not None
        placing.begun = False
        placing.run(1, first=12)

    assert relative.placement.rig_estimate is None
    assert metric.placement.rig_estimate is not None


@pytest.mark.parametrize(
    ("known", "told", "is_new"),
    [
        (TWO, {**TWO, "front": THREE["front"]}, False),
        (TWO, TWO, False),
        (TWO, {"left": TWO["left"]}, True),
        (TWO, TWO | {"left": SIDEWAYS}, True),
        ({}, TWO, True),
    ],
    ids=["one-more", "same", "one-less", "moved", "first"],
)
def test_base_is_another_only_when_a_known_place_changes(
    known: dict[str, FloatArray], told: dict[str, FloatArray], is_new: bool
) -> None:
    placement = Placement(known, "left", path_length=10)

    assert placement.place_cameras(told) is is_new
    assert set(placement.base_from_camera) == set(told)


def test_base_begins_at_the_origin_again_after_a_reset() -> None:
    placing = Placing(THREE)
    placing.run(5)

    placing.placement.reset()
    placing.begun = False
    (result,) = placing.run(1, first=5)

    np.testing.assert_allclose(base_of(result), np.eye(4), atol=1e-9)
    assert [state.is_reset for state in placing.placement.path] == [True]


def test_base_begins_where_others_have_it_and_is_asked_for_at_its_own_stamp_at_a_reset_alone() -> None:
    asked, origin = [], rigid(matrix_from_rotation_vector([0.0, 0.0, 1.0]), [10.0, -2.0, 0.0])
    placing = Placing(THREE)

    def origin_at(stamp_ns: int) -> FloatArray:
        asked.append(stamp_ns)
        return origin

    placing.placement = Placement(THREE, "front", path_length=100, origin_at=origin_at)
    placing.placement.set_up(np.array([0.1, 0.0, 1.0]))
    results = placing.run(3)
    placing.begun = False  # a loss
    results += placing.run(1, first=3)
    placing.placement.reset()
    placing.begun = False
    (again,) = placing.run(1, first=4)

    for result in results[:3]:
        stamp_ns = result.frame_set.stamp_ns
        np.testing.assert_allclose(base_of(result), origin @ placing.odom_from_base(stamp_ns), atol=1e-9)
    np.testing.assert_allclose(base_of(results[3]), base_of(results[2]), atol=1e-9)
    np.testing.assert_allclose(base_of(again), origin, atol=1e-9)
    assert asked == [results[0].frame_set.stamp_ns, again.frame_set.stamp_ns]


def test_base_goes_on_from_where_it_was_at_a_new_segment() -> None:
    placing = Placing(THREE)
    last = placing.run(5)[-1]

    placing.begun = False
    first, second = placing.take([placing.world.frame_set(20), placing.world.frame_set(21)])

    np.testing.assert_allclose(base_of(first), base_of(last), atol=1e-9)
    moved = rigid_inverse(base_of(first)) @ base_of(second)
    truth = rigid_inverse(curve(2.0)) @ curve(2.1)
    np.testing.assert_allclose(moved, truth, atol=1e-9)
