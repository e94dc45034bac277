# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Baselines and odometry tell metres without bias and with an honest sigma; what cannot be observed is not told."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import Sim3, rigid
from da3_ros.streaming.scale import ScaleObservation, ScaleTracker
from da3_ros.streaming.scale_sources import Slope, rig_scale, slope_observation
from test.streaming.noisy_windows import (
    METRES_PER_UNIT,
    SIZE,
    THREE,
    TWO,
    Placed,
    curve,
    windows,
)

CHI_SQUARE_100 = (74.22, 129.56)  # 95 % of chi-square with 100 degrees of freedom


def rig_observation(placed: Placed, rig: Mapping[str, FloatArray], believed: float | None) -> ScaleObservation | None:
    return rig_scale(
        rig, placed.cameras, placed.sets, placed.world_from_camera, placed.centre_noise, placed.new[-1], believed
    )


def track_rig(rig: Mapping[str, FloatArray], count: int, seed: int, drift: float) -> list[tuple[float, float]]:
    """(error, sigma) of the tracker after each window."""
    tracker, told = ScaleTracker("rig"), []
    for placed in windows(rig, curve, count, seed, drift):
        tracker.advance(placed.scale_drift)
        found = rig_observation(placed, rig, tracker.believed("rig"))
        state = tracker.observe([] if found is None else [found], placed.new[-1])
        told.append((math.log(state.metres_per_unit) - placed.log_metres_per_unit, state.sigma))
    return told


def window_of(rig: Mapping[str, FloatArray], seed: int) -> Placed:
    return next(windows(rig, curve, 1, seed))


def spoilt(placed: Placed, views: list[int], seed: int) -> Placed:
    """Views that are somewhere else altogether."""
    generator, poses = np.random.default_rng((seed, 1)), placed.world_from_camera.copy()
    turns = matrix_from_rotation_vector(2 * generator.normal(size=(len(views), 3)))
    poses[views] = rigid(turns, 2 * generator.normal(size=(len(views), 3)))
    return Placed(**{**vars(placed), "world_from_camera": poses})


def squared_errors(observations: list[ScaleObservation | None]) -> list[float]:
    told = [one for one in observations if one is not None]
    return [((one.log_metres_per_unit - math.log(METRES_PER_UNIT)) / one.sigma) ** 2 for one in told]


@pytest.mark.parametrize("rig", [TWO, THREE], ids=["two", "three"])
def test_rig_tells_metres_without_bias_and_with_an_honest_sigma(rig: dict[str, FloatArray]) -> None:
    observations = [rig_observation(window_of(rig, seed), rig, METRES_PER_UNIT) for seed in range(200)]

    logs = np.array([one.log_metres_per_unit for one in observations if one is not None]) - math.log(METRES_PER_UNIT)
    sigma = observations[0].sigma if observations[0] is not None else math.nan
    assert len(logs) == 200
    assert CHI_SQUARE_100[0] < sum(squared_errors(observations[:100])) < CHI_SQUARE_100[1]
    assert abs(logs.mean()) < 2.5 * sigma / math.sqrt(200)
    if rig is TWO:  # 1 cm on each of two cameras, 5 cm from their middle, eight times
        assert sigma == pytest.approx(0.01 / (0.05 * math.sqrt(2 * SIZE)), rel=0.01)


def test_logarithm_of_a_noisy_slope_is_not_biased() -> None:
    slopes = 0.5 * (1 + 0.1 * np.random.default_rng(0).normal(size=10_000))

    found = [slope_observation("rig", Slope(float(slope), 0.05), 0, METRES_PER_UNIT) for slope in slopes]

    logs = [one.log_metres_per_unit for one in found if one is not None]
    assert len(logs) == 10_000
    assert abs(np.mean(logs) - math.log(2.0)) < 0.003  # the mean of -log(slope) is 0.005 too large


def test_rig_is_exact_when_poses_are() -> None:
    gauge = Sim3(0.4, matrix_from_rotation_vector([1.0, -0.3, 2.0]), np.array([3.0, -1.0, 0.5]))
    poses = gauge.apply_to_poses(np.stack([curve(0.3) @ pose for pose in TWO.values()]))

    found = rig_scale(TWO, list(TWO), [0, 0], poses, 0.0, 5)

    assert found is not None
    assert found.log_metres_per_unit == pytest.approx(math.log(2.5), abs=1e-6)
    assert (found.source, found.stamp_ns) == ("rig", 5)
    assert found.sigma < 0.002


@pytest.mark.parametrize("camera", ["front", "left", "right"])
def test_rig_does_without_a_camera_that_is_garbage(camera: str) -> None:
    observations = []
    for seed in range(100):
        placed = window_of(THREE, seed)
        garbage = [view for view, name in enumerate(placed.cameras) if name == camera]
        observations.append(rig_observation(spoilt(placed, garbage, seed), THREE, METRES_PER_UNIT))

    assert all(one is not None and one.sigma < 0.04 for one in observations)
    assert CHI_SQUARE_100[0] < sum(squared_errors(observations)) < CHI_SQUARE_100[1]


@pytest.mark.parametrize("rig", [TWO, THREE], ids=["two", "three"])
def test_rig_does_without_two_views_that_are_garbage(rig: dict[str, FloatArray]) -> None:
    observations = [rig_observation(spoilt(window_of(rig, seed), [1, 6], seed), rig, 2.0) for seed in range(100)]

    assert sum(one is not None for one in observations) == 100
    assert sum(squared_errors(observations)) < CHI_SQUARE_100[1]


@pytest.mark.parametrize("sets", [3, 4, 5])
def test_rig_is_not_misled_when_about_half_of_the_sets_are_garbage(sets: int) -> None:
    views = list(range(0, 2 * sets, 2))

    observations = [rig_observation(spoilt(window_of(TWO, seed), views, seed), TWO, 2.0) for seed in range(100)]

    assert all(squared < 3.5**2 for squared in squared_errors(observations))


@pytest.mark.parametrize("believed", [None, METRES_PER_UNIT])
@pytest.mark.parametrize("rig", [TWO, THREE], ids=["two", "three"])
def test_rig_tells_nothing_when_all_is_garbage(rig: dict[str, FloatArray], believed: float | None) -> None:
    for seed in range(100):
        placed = window_of(rig, seed)
        assert rig_observation(spoilt(placed, list(range(len(placed.sets))), seed), rig, believed) is None


def test_rig_tells_nothing_when_two_of_three_cameras_are_garbage() -> None:
    for seed in range(200):
        placed = window_of(THREE, seed)
        garbage = [view for view, camera in enumerate(placed.cameras) if camera != "right"]
        assert rig_observation(spoilt(placed, garbage, seed), THREE, None) is None


def test_rig_tells_nothing_when_no_baseline_is_known() -> None:
    placed = window_of(TWO, 0)
    together = {"left": TWO["left"], "right": TWO["left"] @ rigid(matrix_from_rotation_vector([0, 1, 0]), np.zeros(3))}
    alone = Placed(**{**vars(placed), "sets": list(range(len(placed.sets)))})  # cameras never in one set
    broken = Placed(**{**vars(placed), "world_from_camera": np.full_like(placed.world_from_camera, np.nan)})

    assert rig_observation(placed, {"left": TWO["left"]}, None) is None
    assert rig_observation(placed, {}, None) is None
    assert rig_observation(placed, together, None) is None
    assert rig_observation(alone, TWO, None) is None
    assert rig_observation(broken, TWO, None) is None


def test_rig_tells_nothing_when_the_baseline_drowns_in_noise() -> None:
    near = {camera: rigid(pose[:3, :3], 0.1 * pose[:3, 3]) for camera, pose in TWO.items()}  # 1 cm

    assert all(rig_observation(window_of(near, seed), near, METRES_PER_UNIT) is None for seed in range(50))


def test_sigma_of_a_10_cm_rig_is_consistent_over_100_runs() -> None:
    runs = np.array([track_rig(TWO, 20, seed, drift=0.003) for seed in range(100)])

    error, sigma = runs[:, -1].T
    assert CHI_SQUARE_100[0] < np.square(error / sigma).sum() < CHI_SQUARE_100[1]
    assert np.quantile(np.abs(runs[:, 10:, 0] / runs[:, 10:, 1]), 0.95) < 1.1 * 1.96


@pytest.mark.parametrize(("drift", "p95"), [(0.0015, 0.02), (0.003, 0.026)])
def test_scale_of_a_10_cm_rig_is_as_good_as_5_percent_per_window_allow(drift: float, p95: float) -> None:
    runs = np.array([track_rig(TWO, 60, seed, drift) for seed in range(30)])

    # The steady state of a scalar Kalman filter: no estimate without a look ahead does better.
    best = math.sqrt((math.sqrt(drift**4 + 4 * drift**2 * 0.05**2) - drift**2) / 2)
    assert runs[:, -1, 1].mean() == pytest.approx(best, rel=0.1)
    assert np.quantile(np.abs(runs[:, 30:, 0]), 0.95) < p95
