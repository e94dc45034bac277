# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows in random gauges become one world, exactly, whatever the motion; noise is found out and told."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da3_ros.geometry.pose_errors import ViewNoise
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_angle
from da3_ros.geometry.sim3 import Sim3
from da3_ros.streaming.aligner import WindowAligner
from da3_ros.streaming.alignment_report import AlignmentReport
from test.strategies import seeds
from test.streaming.chaining import EXACT, assert_same, chain, predict, window_at, world_from_truth
from test.streaming.drawn_windows import NOISE, DrawnWorld
from test.streaming.oracle_world import ONE, THREE, TWO, OracleWorld, Trajectory, curve, spin, still, straight


@pytest.mark.parametrize("rig", [ONE, TWO, THREE], ids=["one", "two", "three"])
@pytest.mark.parametrize("trajectory", [curve, straight, still, spin])
@pytest.mark.parametrize("stride", [1, 3])
def test_alignment_is_exact_in_random_gauges_whatever_the_motion(
    rig: dict[str, FloatArray], trajectory: Trajectory, stride: int
) -> None:
    world = OracleWorld(rig, trajectory)

    reports = chain(world, [stride * k for k in range(8)])

    assert all(report.ok for report in reports)
    assert [report.new_segment for report in reports] == [True] + [False] * 7
    assert [report.overlap_views for report in reports] == [0] + [(4 - stride) * len(rig)] * 7
    for index in range(1, 8):
        assert_same(world_from_truth(world, reports, index), world_from_truth(world, reports, 0), EXACT)


@settings(max_examples=20, deadline=None)
@given(seeds, st.sampled_from([curve, straight, still, spin]))
def test_alignment_does_not_depend_on_the_gauges(seed: int, trajectory: Trajectory) -> None:
    world = OracleWorld(ONE, trajectory, seed=seed)

    reports = chain(world, [0, 3, 6])

    assert_same(world_from_truth(world, reports, 2), world_from_truth(world, reports, 0), EXACT)


def test_report_says_how_the_windows_compare() -> None:
    world = OracleWorld(TWO, curve)

    first, second, third = chain(world, [0, 2, 4])

    assert_same(first.world_from_window, Sim3.identity(), 1e-15)
    assert second.scale_ratio == pytest.approx(world.gauges[0].scale / world.gauges[1].scale, rel=1e-6)
    assert third.scale_ratio == pytest.approx(world.gauges[1].scale / world.gauges[2].scale, rel=1e-6)
    assert second.residual < 1e-6
    assert second.inliers == pytest.approx(1.0)
    assert 0 < second.scale_sigma < 0.01
    assert np.linalg.eigvalsh(second.errors.covariance).min() > 0
    assert second.reason == ""


def noisy(prediction: Prediction, seed: int) -> Prediction:
    """3 % smooth and 1 % pixel depth noise, 1 cm at 3 m and 0.2 degrees of pose noise."""
    generator = np.random.default_rng(seed)
    views, height, width = prediction.depth.shape
    smooth = np.kron(generator.normal(size=(views, 4, 4)), np.ones((height // 4, width // 4)))
    depth = prediction.depth * np.exp(0.03 * smooth + 0.01 * generator.normal(size=prediction.depth.shape))
    unit = float(np.median(prediction.depth)) / 3.0
    poses = prediction.window_from_camera.copy()
    poses[:, :3, :3] = matrix_from_rotation_vector(3.5e-3 * generator.normal(size=(views, 3))) @ poses[:, :3, :3]
    poses[:, :3, 3] += 0.01 * unit * generator.normal(size=(views, 3))
    return replace(prediction, depth=depth.astype(np.float32), window_from_camera=poses)


def test_noise_moves_the_trajectory_by_little_and_about_as_much_as_reported() -> None:
    errors, sigmas = [], []
    for seed in range(20):
        world = OracleWorld(THREE, curve, seed=seed, spoil=lambda k, p, seed=seed: noisy(p, 1000 * seed + k))  # type: ignore[misc]
        reports = chain(world, [0, 2])
        truth, found = world_from_truth(world, reports, 0), world_from_truth(world, reports, 1)
        errors.append(np.log(found.scale / truth.scale))
        sigmas.append(reports[1].scale_sigma)
        assert rotation_angle(found.rotation @ truth.rotation.T) < np.deg2rad(0.6)

    assert np.std(errors) < 0.02
    assert 0.4 < np.std(errors) / np.mean(sigmas) < 2.5


def test_garbage_pixels_do_not_move_the_alignment() -> None:
    def spoil(count: int, prediction: Prediction) -> Prediction:
        depth = prediction.depth.copy()
        depth[np.random.default_rng(count).random(depth.shape) < 0.15] *= 7
        depth[:, :3] = np.nan
        return replace(prediction, depth=depth)

    world = OracleWorld(TWO, curve, spoil=spoil)
    reports = chain(world, [0, 2, 4])

    assert_same(world_from_truth(world, reports, 2), world_from_truth(world, reports, 0), 1e-3)


def drawn_chain(gauge_seed: int, seed: int = 0, windows: int = 6) -> tuple[DrawnWorld, list[AlignmentReport]]:
    """The same noise whatever the gauges."""
    world, aligner = DrawnWorld(THREE, curve, seed, gauge_seed=gauge_seed), WindowAligner()
    placed = (world.window(range(2 * k, 2 * k + 4)) for k in range(windows))
    return world, [aligner.add(window, world.predict(window)) for window in placed]


@settings(max_examples=15)
@given(seeds, seeds)
def test_noisy_alignment_does_not_depend_on_the_gauges(one_gauge: int, other_gauge: int) -> None:
    told = []
    for gauge_seed in (one_gauge, other_gauge):
        world, reports = drawn_chain(gauge_seed)
        begin = world.gauges[0]
        for at, report in enumerate(reports):
            # Everything in the units and axes of truth.
            placed = begin.inverse() @ report.world_from_window @ world.gauges[at]
            into_truth = np.kron(np.eye(len(report.errors.keys) * 2), begin.rotation.T)
            centres = np.arange(len(report.errors.covariance)) % 7 != 6
            turned = into_truth @ report.errors.covariance[np.ix_(centres, centres)] @ into_truth.T
            turned[3:6] /= begin.scale
            told.append(
                (
                    *placed.apply(np.eye(3)).ravel(),
                    report.scale_sigma / NOISE.log_depth,
                    report.noise.rotation_rad / NOISE.rotation_rad,
                    report.noise.centre / begin.scale / NOISE.centre,
                    report.noise.log_depth / NOISE.log_depth,
                    *(turned[:6, 0] / turned[0, 0]),
                    report.scale_drift / NOISE.log_depth**2,
                    report.inliers,
                )
            )

    np.testing.assert_allclose(told[: len(told) // 2], told[len(told) // 2 :], rtol=1e-4, atol=1e-4)


def test_alignment_is_the_same_bit_for_bit_from_run_to_run() -> None:
    (_, first), (_, second) = drawn_chain(3), drawn_chain(3)

    for one, other in zip(first, second, strict=True):
        for part in fields(AlignmentReport):
            np.testing.assert_equal(flat(getattr(one, part.name)), flat(getattr(other, part.name)))


def flat(value: object) -> object:
    """What can be compared for equality."""
    if isinstance(value, Sim3):
        return (value.scale, value.rotation, value.translation)
    return (value.keys, value.covariance) if hasattr(value, "covariance") and hasattr(value, "keys") else value


def test_drift_of_the_unit_is_reported_as_large_as_it_is() -> None:
    squares = []
    for seed in range(100):
        world, reports = drawn_chain(0, seed)
        drift = np.log(reports[-1].world_from_window.scale * world.gauges[-1].scale / world.gauges[0].scale)
        squares.append(drift**2 / sum(report.scale_drift for report in reports))

    # One degree of freedom each: 99.7 % of means of 100 are inside 1 +- 0.42; and the noise is known as learnt.
    assert 0.5 < np.mean(squares) < 1.5


@pytest.mark.parametrize("factor", [1 / 3, 1.0, 3.0])
@pytest.mark.parametrize("rig", [ONE, THREE], ids=["one", "three"])
def test_noise_is_learnt_when_it_is_another_than_expected(rig: dict[str, FloatArray], factor: float) -> None:
    noise = ViewNoise(factor * NOISE.rotation_rad, factor * NOISE.centre, factor * NOISE.log_depth)
    world, aligner = DrawnWorld(rig, still, seed=1, noise=noise), WindowAligner()

    for first in range(0, 4 * 60, 4):
        window = world.window(range(first, first + 8))
        report = aligner.add(window, world.predict(window))
        assert report.ok

    assert report.noise.rotation_rad == pytest.approx(noise.rotation_rad, rel=0.2)
    unit = report.world_from_window.scale * world.gauges[-1].scale  # world units per metre
    assert report.noise.centre == pytest.approx(noise.centre * unit, rel=0.2)
    assert report.noise.log_depth == pytest.approx(noise.log_depth, rel=0.2)


def test_prediction_is_refused_when_it_has_other_views_than_the_window() -> None:
    world = OracleWorld(ONE, curve)

    with pytest.raises(ValueError, match="window of 3 views, but prediction of 4"):
        WindowAligner().add(window_at(world, 0, size=3), predict(world, window_at(world, 0)))
