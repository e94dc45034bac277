# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The filter over windows knows how wrong it is: of every view, of every step, and of the world's unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming import track as tracks
from da3_ros.streaming.base_uncertainty import cross_matrix
from test.streaming.drawn_windows import NOISE, Chain, DrawnWorld, view_errors
from test.streaming.oracle_world import ONE, THREE, Trajectory, curve, still, straight

RUNS = 100
# 99.7 % of means of so many degrees of freedom over that number are inside 1 +- this over the root of their number.
THREE_SIGMA = 3 * np.sqrt(2)


def fast(t: float) -> FloatArray:
    return straight(8 * t)


def faster(t: float) -> FloatArray:
    """So that the way between two frame sets is as long as the scene is deep."""
    return straight(60 * t)


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
    ("rig", "trajectory"), [(ONE, still), (ONE, faster), (THREE, curve)], ids=["still", "faster", "rig"]
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


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("trajectory", [still, fast], ids=["still", "fast"])
def test_unit_drifts_as_far_as_its_variance_says_and_to_no_side(trajectory: Trajectory, stride: int) -> None:
    """Windows of four; with a stride of one, what one window says of the unit is known in part from the one before."""
    drifts, variances = [], [0.0]
    for seed in range(RUNS):
        chain = Chain(DrawnWorld(ONE, trajectory, seed), range(4))
        for step in range(1, 7):
            alignment = chain.take(range(stride * step, stride * step + 4))
            assert chain.track.unit_variance > variances[-1] or step == 1
            # With the new window as the base, the error of its own unit is all there is.
            assert chain.track.unit_variance == pytest.approx(chain.track.covariance[-1, -1])
            variances.append(chain.track.unit_variance)
        truth = alignment.world_from_window @ chain.world.gauges[-1]
        drifts.append(np.log(truth.scale / chain.units_per_metre))

    normalised = np.array(drifts) / np.sqrt(variances[-1])
    assert abs(np.mean(normalised)) < 3 / np.sqrt(RUNS)
    assert abs(np.mean(normalised**2) - 1) < THREE_SIGMA / np.sqrt(RUNS)


def test_unit_that_is_put_right_moves_nothing_in_sight() -> None:
    """However far away the world's origin is."""
    chain = Chain(DrawnWorld(ONE, curve, 1), range(4))
    for first in range(1, 6):
        chain.take(range(first, first + 4))

    _, _, alignment = chain.align(range(6, 10))

    assert abs(alignment.stretch.scale - 1) > 1e-5
    pivot = alignment.registration.pivot
    assert np.linalg.norm(pivot) > 1
    np.testing.assert_allclose(alignment.stretch.apply(pivot), pivot, rtol=1e-12)


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
