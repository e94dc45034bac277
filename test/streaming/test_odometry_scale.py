# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Distance travelled tells metres with an honest sigma, late or with gaps; a robot that stands tells nothing."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from da3_ros.geometry.rotation import matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.streaming.odometry_scale import OdometryScale, window_scale
from da3_ros.streaming.scale import ScaleObservation, ScaleState, ScaleTracker
from test.streaming.noisy_windows import (
    METRES_PER_UNIT,
    ONE,
    PERIOD_NS,
    ExternalOdometry,
    Trajectory,
    curve,
    spin,
    still,
    stop_and_go,
    straight,
    windows,
)

CHI_SQUARE_100 = (74.22, 129.56)  # 95 % of chi-square with 100 degrees of freedom
EXACT = ExternalOdometry()
LATE = ExternalOdometry(delay_s=0.05)


def track_odometry(
    trajectory: Trajectory, external: ExternalOdometry, count: int, seed: int
) -> list[tuple[float, ScaleState]]:
    """(error, state) of the tracker after each window."""
    tracker, source, told = ScaleTracker("odom"), OdometryScale(), []
    for placed in windows(ONE, trajectory, count, seed):
        tracker.advance(placed.scale_drift)
        source.advance(placed.scale_drift, placed.position_drift)
        found = []
        for k in placed.new:
            odom_from_base = external.at(trajectory, k * PERIOD_NS)
            odom_from_camera = None if odom_from_base is None else odom_from_base @ ONE["front"]
            world_from_camera = placed.world_from_camera[placed.sets.index(k)]
            found.append(
                source.observe(
                    k * PERIOD_NS, world_from_camera, odom_from_camera, placed.centre_noise, tracker.believed("odom")
                )
            )
        state = tracker.observe([one for one in found if one is not None], placed.new[-1] * PERIOD_NS)
        told.append((math.log(state.metres_per_unit) - placed.log_metres_per_unit, state))
    return told


@pytest.mark.parametrize(
    ("trajectory", "external", "count", "p95"),
    [
        (straight, EXACT, 24, 0.03),
        (curve, LATE, 24, 0.03),
        (curve, ExternalOdometry(drops=0.2), 24, 0.03),
        (stop_and_go, LATE, 30, 0.04),
        (spin, LATE, 40, 0.06),
    ],
    ids=["straight", "late on a curve", "dropped stamps", "late in stop and go", "late while spinning"],
)
def test_odometry_tells_metres_with_an_honest_sigma(
    trajectory: Trajectory, external: ExternalOdometry, count: int, p95: float
) -> None:
    runs = [track_odometry(trajectory, external, count, seed) for seed in range(100)]

    last = [run[-1] for run in runs]
    assert all(state.is_metric for _, state in last)
    # From above only: no error of the odometry's own is simulated, but the sigma allows for it.
    assert 45 < sum((error / state.sigma) ** 2 for error, state in last) < CHI_SQUARE_100[1]
    assert np.quantile([abs(error) for run in runs for error, _ in run[-6:]], 0.95) < p95


def test_odometry_error_of_2_percent_is_taken_over_but_not_multiplied() -> None:
    external = ExternalOdometry(scale=1.02, delay_s=0.05)

    errors = [track_odometry(curve, external, 24, seed)[-1][0] for seed in range(60)]

    assert np.mean(errors) == pytest.approx(0.02, abs=0.005)
    assert np.quantile(np.abs(np.array(errors) - 0.02), 0.95) < 0.027


def test_camera_at_an_unknown_place_tells_the_way_without_bias_and_with_an_honest_sigma() -> None:
    generator, found = np.random.default_rng(0), []
    for _ in range(400):
        base = np.stack([straight(0.1 * k) for k in range(8)])
        turn = matrix_from_rotation_vector(generator.normal(size=3))
        world = rigid(turn, base[:, :3, 3] @ turn.T / METRES_PER_UNIT + 0.01 * generator.normal(size=(8, 3)))
        stamps_ns = [k * PERIOD_NS for k in range(8)]
        found.append(window_scale(stamps_ns, world, list(base), 0.01, METRES_PER_UNIT, is_placed=False))

    told = [one for one in found if one is not None]
    errors = np.array([one.log_metres_per_unit - math.log(METRES_PER_UNIT) for one in told])
    sigma = np.array([one.sigma for one in told])
    assert len(told) == len(found)
    assert abs(errors.mean()) < 3 * errors.std() / math.sqrt(len(errors))
    assert 0.5 < np.mean((errors / sigma) ** 2) < 1.15


def test_standing_still_with_a_millimetre_of_noise_never_tells_a_scale() -> None:
    told = track_odometry(still, EXACT, 150, seed=0)  # 60 s

    assert all(state.source == "relative" for _, state in told)


def test_scale_is_held_while_standing_after_a_move() -> None:
    told = track_odometry(lambda t: straight(min(t, 8.0)), EXACT, 170, seed=0)

    states = [state for _, state in told[50:]]  # what moved is older than a stretch may be
    assert len({state.metres_per_unit for state in states}) == 1
    assert all(a.sigma < b.sigma and a.age_ns < b.age_ns for a, b in itertools.pairwise(states))


def stretch(source: OdometryScale, lengths: list[float], period_ns: int = PERIOD_NS) -> list[ScaleObservation | None]:
    """A robot that is at these places, predicted exactly in units of 2 m."""
    poses = [rigid(np.eye(3), [length, 0, 0]) for length in lengths]
    world = [rigid(np.eye(3), [length / METRES_PER_UNIT, 0, 0]) for length in lengths]
    return [source.observe(k * period_ns, world[k], pose, centre_noise=0.001) for k, pose in enumerate(poses, start=0)]


def test_odometry_begins_a_new_stretch_after_each_word() -> None:
    found = stretch(OdometryScale(), [0.1 * k for k in range(8)])

    assert [one is not None for one in found] == [False, False, False, True] * 2


def test_odometry_speaks_at_once_when_one_step_suffices() -> None:
    found = stretch(OdometryScale(), [0.0, 0.5])[-1]

    assert found is not None
    assert found.log_metres_per_unit == pytest.approx(math.log(2.0), abs=1e-4)


def test_odometry_forgets_a_stretch_when_it_takes_too_long() -> None:
    found = stretch(OdometryScale(), [0.02 * k for k in range(50)], period_ns=1_000_000_000)

    assert not any(found)


def test_odometry_forgets_a_stretch_at_a_new_segment_and_when_time_goes_back() -> None:
    source = OdometryScale()
    stretch(source, [0.0, 0.1, 0.2])

    source.forget()
    after_segment = stretch(source, [0.3, 0.35])
    back = stretch(source, [0.65])

    assert not any(after_segment + back)


def test_odometry_says_nothing_when_the_robot_is_carried_or_the_odometry_jumps() -> None:
    source = OdometryScale()
    here = np.eye(4)

    found = [source.observe(k * PERIOD_NS, here, rigid(np.eye(3), [0.4 * (k // 5), 0, 0]), 0.01) for k in range(30)]

    assert not any(found)


def test_odometry_that_jumps_under_way_is_not_trusted() -> None:
    source, places = OdometryScale(), np.linspace(0.0, 0.25, 8)
    jumped = places + np.where(np.arange(8) < 4, 0.0, 0.2)

    found = [
        source.observe(k * PERIOD_NS, rigid(np.eye(3), [there / 2, 0, 0]), rigid(np.eye(3), [told, 0, 0]), 0.002)
        for k, (there, told) in enumerate(zip(places, jumped, strict=True))
    ]

    told = [one for one in found if one is not None]
    assert all(abs(one.log_metres_per_unit - math.log(2.0)) < 3.5 * one.sigma for one in told)


def test_poses_that_are_not_finite_are_passed_over() -> None:
    source = OdometryScale()

    broken = source.observe(-1, np.full((4, 4), np.nan), np.eye(4), 0.01)
    found = stretch(source, [0.0, 0.5])[-1]

    assert broken is None
    assert found is not None
