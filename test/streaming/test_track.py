# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The filter over windows knows how wrong it is: of every view, of every step, and of the world's unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming import track as tracks
from da3_ros.streaming.base_uncertainty import cross_matrix
from da3_ros.streaming.frame import Window
from da3_ros.streaming.track import Alignment
from test.streaming.drawn_windows import NOISE, SCENE_DEPTH_M, DrawnWorld, stretched, view_errors
from test.streaming.oracle_world import ONE, THREE, Trajectory, curve, still, straight

RUNS = 100
# 99.7 % of means of so many degrees of freedom over that number are inside 1 +- this over the root of their number.
THREE_SIGMA = 3 * np.sqrt(2)


def fast(t: float) -> FloatArray:
    return straight(8 * t)


class Chain:
    """A track over drawn windows that knows the truth; noise is told as it is."""

    def __init__(self, world: DrawnWorld, first: Iterable[int]) -> None:
        self.world = world
        window = world.window(first)
        prediction = world.predict(window)
        # The world's unit is that of the first gauge: metres times this.
        self.units_per_metre = world.gauges[0].scale
        self.noise = stretched(NOISE, self.units_per_metre)
        self.track = tracks.begin(window, prediction, self.noise)
        self.world_from_truth = world.gauges[0]  # by the base

    def align(self, indices: Iterable[int]) -> tuple[Window, Prediction, Alignment]:
        window = self.world.window(indices)
        prediction = self.world.predict(window)
        shared = tracks.shared_views(self.track, window, prediction)
        return window, prediction, tracks.align(self.track, prediction, shared, self.noise)

    def take(self, indices: Iterable[int], kept: Iterable[int] = (), rebase: bool = True) -> Alignment:
        window, prediction, alignment = self.align(indices)
        keep = [self.world.frame_set(index) for index in kept]
        self.track = tracks.extended(self.track, window, prediction, alignment, self.noise, keep, rebase)
        self.world_from_truth = (
            alignment.world_from_window @ self.world.gauges[-1] if rebase else alignment.stretch @ self.world_from_truth
        )
        return alignment

    def state_errors(self) -> FloatArray:
        """(7N + 1,) true minus found."""
        true = self.world_from_truth.apply_to_poses(self.world.truth(self.track.views))
        found = np.array([samples.depth[0] for samples in self.track.samples])
        depth = np.log(self.world_from_truth.scale * SCENE_DEPTH_M / found)
        views = np.concatenate((view_errors(true, self.track.world_from_camera), depth[:, None]), axis=1)
        return np.append(views.ravel(), np.log(self.world_from_truth.scale / self.units_per_metre))


def nees(error: FloatArray, covariance: FloatArray) -> float:
    return float(error @ np.linalg.solve(covariance, error)) / len(error)


@pytest.mark.parametrize(
    ("rig", "trajectory", "rebases"),
    [(ONE, still, True), (ONE, fast, True), (ONE, curve, False), (THREE, curve, True)],
    ids=["still", "fast", "without-rebase", "rig"],
)
def test_state_is_as_wrong_as_its_covariance_says(
    rig: dict[str, FloatArray], trajectory: Trajectory, rebases: bool
) -> None:
    found = []
    for seed in range(RUNS):
        chain = Chain(DrawnWorld(rig, trajectory, seed), range(6))
        for first in (3, 6, 9):
            chain.take(range(first, first + 6), rebase=rebases and first != 6)
        covariance, errors = chain.track.covariance, chain.state_errors()
        if not rebases:
            covariance, errors = covariance[:-1, :-1], errors[:-1]  # the unit of the base is known
        found.append(nees(errors, covariance))

    assert abs(np.mean(found) - 1) < THREE_SIGMA / np.sqrt(RUNS * len(errors))


def increments(chain: Chain, indices: Iterable[int]) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Error and covariance (6,) of each new view's pose against the newest published one, as they are published."""
    track = chain.track
    window, prediction, alignment = chain.align(indices)
    errors = tracks.published_errors(track, window, prediction, alignment, chain.noise)
    frames = {frame.key: frame for frame in (*track.views, *window.views)}
    places = {frame.key: pose for frame, pose in zip(track.views, track.world_from_camera, strict=True)}
    # The stretch moves old and new alike: it says of the unit only.
    unstretched = alignment.stretch.inverse() @ alignment.world_from_window
    for frame, pose in zip(window.views, unstretched.apply_to_poses(prediction.window_from_camera), strict=True):
        places.setdefault(frame.key, pose)
    true = chain.world_from_truth.apply_to_poses(chain.world.truth(frames[key] for key in errors.keys))
    wrong = view_errors(true, np.stack([places[key] for key in errors.keys]))
    for new in range(len(track.window.frame_sets[-1].frames), len(wrong)):
        step = true[new, :3, 3] - true[0, :3, 3]
        jacobian = np.zeros((6, len(wrong), 7))
        jacobian[:3, 0, :3], jacobian[:3, 0, 3:6], jacobian[:3, new, 3:6] = cross_matrix(step), -np.eye(3), np.eye(3)
        jacobian[3:, 0, :3], jacobian[3:, new, :3] = -np.eye(3), np.eye(3)
        flat, all_wrong = jacobian.reshape(6, -1), np.zeros((len(wrong), 7))
        all_wrong[:, :6] = wrong
        yield flat @ all_wrong.ravel(), flat @ errors.covariance @ flat.T


@pytest.mark.parametrize(
    ("rig", "trajectory"), [(ONE, still), (ONE, fast), (THREE, curve)], ids=["still", "fast", "rig"]
)
def test_published_steps_are_as_wrong_as_their_covariance_says(
    rig: dict[str, FloatArray], trajectory: Trajectory
) -> None:
    first_steps, last_steps = [], []
    for seed in range(1000, 1000 + RUNS):
        chain = Chain(DrawnWorld(rig, trajectory, seed), range(6))
        chain.take(range(3, 9))
        chain.take(range(6, 12), kept=[3], rebase=False)
        steps = [nees(error, covariance) for error, covariance in increments(chain, [3, *range(8, 14)])]
        first_steps.append(steps[0])
        last_steps.append(steps[-1])

    assert abs(np.mean(first_steps) - 1) < THREE_SIGMA / np.sqrt(6 * RUNS)
    assert abs(np.mean(last_steps) - 1) < THREE_SIGMA / np.sqrt(6 * RUNS)


@pytest.mark.parametrize("trajectory", [still, curve, fast], ids=["still", "curve", "fast"])
def test_unit_drifts_as_far_as_its_variance_says_and_to_no_side(trajectory: Trajectory) -> None:
    drifts: list[float] = []
    variances: list[float] = []
    for seed in range(RUNS):
        chain = Chain(DrawnWorld(ONE, trajectory, seed), range(4))
        for first in range(2, 14, 2):
            alignment = chain.take(range(first, first + 4))
            assert chain.track.unit_variance > (variances[-1] if first > 2 else 0.0)
            variances.append(chain.track.unit_variance)
        truth = alignment.world_from_window @ chain.world.gauges[-1]
        drifts.append(np.log(truth.scale / chain.units_per_metre))

    # Each of the steps compares two views with two: 5e-3 squared of variance, a little less where a third helps.
    assert variances[-1] == pytest.approx(6 * NOISE.log_depth**2, rel=0.2)
    normalised = np.array(drifts) / np.sqrt(variances[-1])
    assert abs(np.mean(normalised)) < 3 / np.sqrt(RUNS)
    assert abs(np.mean(normalised**2) - 1) < THREE_SIGMA / np.sqrt(RUNS)


def test_covariance_stays_one_and_the_state_bounded_over_many_windows() -> None:
    """Standing, with two anchors all the time and others now and then, and a new base every tenth window."""
    chain = Chain(DrawnWorld(THREE, still, 1), range(5))
    lengths = set()
    for step in range(1, 201):
        first = 3 * step
        held = [0, 2] if step % 2 == 0 else []
        now_and_then = [first - 2] if step % 3 == 0 else []
        chain.take([*held, *range(first, first + 5)], kept=[0, 2, *now_and_then], rebase=step % 10 == 0)

        covariance = chain.track.covariance
        np.testing.assert_array_equal(covariance, covariance.T)
        smallest, largest = np.linalg.eigvalsh(covariance)[[0, -1]]
        assert smallest > -1e-12 * largest
        assert np.linalg.eigvalsh(covariance[:-1, :-1])[0] > 0
        assert len(covariance) == 7 * len(chain.track.views) + 1
        lengths.add(len(chain.track.views))

    assert max(lengths) <= 3 * (5 + 3)
    assert nees(chain.state_errors(), chain.track.covariance) < 1.5
    assert chain.track.unit_variance < 10 * NOISE.log_depth**2  # the anchors hold it


def test_unit_is_held_by_an_anchor_and_drifts_without() -> None:
    held, free = (Chain(DrawnWorld(ONE, still, 1), range(4)) for _ in range(2))
    for first in range(3, 60, 2):
        held.take([0, *range(first, first + 3)] if first > 3 else range(2, 6), kept=[0], rebase=False)
        free.take(range(first - 1, first + 3))

    assert held.track.unit_variance < 3 * NOISE.log_depth**2
    assert free.track.unit_variance > 20 * NOISE.log_depth**2


def test_view_that_is_kept_stays_as_it_was_while_no_window_sees_it() -> None:
    chain = Chain(DrawnWorld(ONE, curve, 3), range(6))
    before = chain.track

    chain.take(range(4, 10), kept=[1], rebase=False)

    after = chain.track
    assert [frame.stamp_ns for frame in after.views] == [s.stamp_ns for s in (*after.window.frame_sets, *after.older)]
    assert after.older == (chain.world.frame_set(1),)
    np.testing.assert_allclose(after.world_from_camera[-1], before.world_from_camera[1], atol=1e-12)
    np.testing.assert_array_equal(after.samples[-1].depth, before.samples[1].depth)
    own = slice(7 * 6, 7 * 7)
    np.testing.assert_allclose(after.covariance[own, own], np.diag(chain.noise.variances), rtol=1e-12)
    assert not np.abs(after.covariance[own, : 7 * 6]).max() > 1e-12


def test_kept_view_is_shared_again_when_a_window_holds_it() -> None:
    chain = Chain(DrawnWorld(THREE, curve, 3), range(6))
    chain.take(range(4, 10), kept=[1])
    window = chain.world.window([1, *range(9, 14)])

    shared = tracks.shared_views(chain.track, window, chain.world.predict(window))

    keys = [frame.key for frame in chain.track.views]
    assert [keys[old] for old, _ in shared] == [window.views[new].key for _, new in shared]
    assert {window.views[new].stamp_ns for _, new in shared} == {100_000_000, 900_000_000}
    chain.take([1, *range(9, 14)], kept=[1])
    assert chain.track.views == chain.track.window.views  # nothing else is left
    assert len(chain.track.samples) == len(chain.track.world_from_camera) == 18


def test_shared_view_is_known_twice_as_well_and_lies_between_what_two_windows_say() -> None:
    """In the base's gauge, as if the second window's were known: so with many views it nearly is."""
    chain = Chain(DrawnWorld(ONE, still, 5), range(40))
    before = chain.track
    window, prediction, alignment = chain.align(range(1, 41))
    second = alignment.world_from_window.apply_to_poses(prediction.window_from_camera)

    after = tracks.extended(before, window, prediction, alignment, chain.noise, (), rebase=False)

    middle = (before.world_from_camera[20, :3, 3] + second[19, :3, 3]) / 2
    np.testing.assert_allclose(after.world_from_camera[19, :3, 3], middle, atol=0.05 * chain.noise.centre)
    variances = np.diagonal(after.covariance)[7 * 19 : 7 * 20]
    np.testing.assert_allclose(variances, chain.noise.variances / 2, rtol=0.1)
    of_depth = alignment.world_from_window.scale * prediction.depth[19, 0, 0] * before.samples[20].depth[0]
    assert after.samples[19].depth[0] == pytest.approx(np.sqrt(of_depth), rel=0.05 * NOISE.log_depth)


def test_new_base_makes_new_views_independent() -> None:
    chain = Chain(DrawnWorld(ONE, curve), range(6))

    chain.take(range(3, 9), rebase=True)

    new = slice(7 * 3, 7 * 6)
    np.testing.assert_allclose(chain.track.covariance[new, new], np.diag(np.tile(chain.noise.variances, 3)), rtol=1e-12)
    assert chain.track.covariance[-1, -1] > 0  # now the unit of the beginning is in doubt


def test_errors_are_told_of_the_newest_set_and_of_new_views() -> None:
    chain = Chain(DrawnWorld(THREE, curve), range(4))
    window, prediction, alignment = chain.align(range(2, 6))

    errors = tracks.published_errors(chain.track, window, prediction, alignment, chain.noise)

    stamps = [3, 4, 5]
    assert [(key.camera, key.stamp_ns) for key in errors.keys] == [
        (camera, k * 100_000_000) for k in stamps for camera in THREE
    ]
    old = slice(0, 7 * 3)
    np.testing.assert_allclose(errors.covariance[old, old], np.diag(np.tile(chain.noise.variances, 3)))
    assert np.linalg.eigvalsh(errors.covariance).min() > 0
    np.testing.assert_allclose(errors.covariance, errors.covariance.T, rtol=1e-12)


def test_views_of_a_new_track_have_their_own_errors_alone() -> None:
    chain = Chain(DrawnWorld(THREE, curve), range(2))

    errors = tracks.own_errors(chain.track)

    assert errors.keys == tuple(frame.key for frame in chain.track.window.views)
    np.testing.assert_array_equal(errors.covariance, np.diag(np.tile(chain.noise.variances, 6)))


def test_nothing_is_shared_when_the_image_size_is_another() -> None:
    chain = Chain(DrawnWorld(ONE, curve), range(4))
    window = chain.world.window(range(1, 5))
    prediction = chain.world.predict(window)
    smaller = replace(prediction, depth=prediction.depth[:, 1:], confidence=prediction.confidence[:, 1:])

    assert len(tracks.shared_views(chain.track, window, prediction)) == 3
    assert tracks.shared_views(chain.track, window, smaller).shape == (0, 2)


def test_depth_of_the_scene_is_that_of_the_newest_window_alone() -> None:
    chain = Chain(DrawnWorld(ONE, curve, noise=replace(NOISE, log_depth=0.0)), range(4))
    window = chain.world.window(range(4))
    first = chain.world.predict(window)
    far = replace(first, depth=first.depth * np.array([100, 1, 1, 1], dtype=np.float32)[:, None, None])
    chain.track = tracks.begin(window, far, chain.noise)

    assert chain.take(range(1, 5), kept=[0])

    scale = chain.world.gauges[1].scale  # the unit of the window that began the track
    assert chain.track.scene_depth == pytest.approx(SCENE_DEPTH_M * scale, rel=1e-5)
    unknown = replace(first, depth=first.depth * np.float32(np.nan))
    assert tracks.begin(window, unknown, NOISE).scene_depth == 1.0


def test_pixels_to_compare_are_bounded_and_spread_over_the_image() -> None:
    world = DrawnWorld(ONE, curve)
    window = world.window(range(2))
    rows, columns = np.mgrid[:378, :504]
    depth = np.stack([1000 * rows + columns + 1.0] * 2).astype(np.float32)
    prediction = replace(world.predict(window), depth=depth, confidence=np.ones_like(depth))

    samples = tracks.begin(window, prediction, NOISE).samples[0].depth

    assert 2000 < len(samples) < 3500
    sampled_rows, sampled_columns = np.divmod(samples - 1, 1000)
    assert sampled_rows.mean() == pytest.approx(188.5, abs=4)
    assert sampled_columns.mean() == pytest.approx(251.5, abs=4)
