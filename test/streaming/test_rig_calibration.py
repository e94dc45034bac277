# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""An unknown rig is found while it drives, with a sigma that tells the truth, whatever a camera says now and then."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import chi2

from da3_ros.geometry.pose_errors import ViewNoise
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_vector_from_matrix
from da3_ros.geometry.sim3 import rigid
from da3_ros.streaming.rig_calibration import MEMORY, MIN_FRAME_SETS, RigCalibration, RigEstimate
from test.strategies import rigid_transforms, seeds

NOISE = ViewNoise(rotation_rad=float(np.deg2rad(0.2)), centre=0.01, log_depth=0.03)
RIG = {
    "front": np.eye(4),
    "left": rigid(matrix_from_rotation_vector([0.0, -1.2, 0.1]), [-0.2, 0.05, -0.1]),
    "far": rigid(matrix_from_rotation_vector([0.3, 3.0, 0.0]), [0.0, 0.0, -2.0]),
}


def somewhere(generator: np.random.Generator) -> FloatArray:
    return rigid(matrix_from_rotation_vector(generator.normal(size=3)), 5 * generator.normal(size=3))


def driven(
    seed: int, sets: int, noise: ViewNoise = NOISE, garbage: float = 0.0, correlation: float = 0.0
) -> RigCalibration:
    """A calibration after a drive; errors are told to be NOISE, whatever they are.

    garbage: probability that a view is thrown anywhere. correlation: of each camera's errors from set to set.
    """
    generator = np.random.default_rng(seed)
    calibration = RigCalibration("front")
    errors = generator.normal(size=(len(RIG), 2, 3))
    for _ in range(sets):
        odom_from_rig = somewhere(generator)
        poses = odom_from_rig @ np.stack(list(RIG.values()))
        fresh = generator.normal(size=errors.shape)
        errors = correlation * errors + np.sqrt(1 - correlation**2) * fresh
        turn, shift = np.moveaxis(errors @ odom_from_rig[:3, :3].T, 1, 0)  # errors keep to the rig's axes
        turned = matrix_from_rotation_vector(noise.rotation_rad * turn) @ poses[:, :3, :3]
        poses = rigid(turned, poses[:, :3, 3] + noise.centre * shift)
        for view in np.flatnonzero(generator.random(len(RIG)) < garbage):
            poses[view] = somewhere(generator)
        calibration.add(list(RIG), poses, NOISE)
    return calibration


def found(calibration: RigCalibration, scale_sigma: float = 0.0) -> RigEstimate:
    estimate = calibration.estimate(scale_sigma)
    assert estimate is not None
    return estimate


def error(estimate: RigEstimate, camera: str) -> FloatArray:
    """(6,) x y z and rotation vector from what was found to the truth, in the reference's axes."""
    ours, truth = estimate.cameras[camera].reference_from_camera, RIG[camera]
    turn = rotation_vector_from_matrix(truth[:3, :3] @ ours[:3, :3].T)
    return np.concatenate((truth[:3, 3] - ours[:3, 3], turn))


def normalised_error(estimate: RigEstimate, camera: str) -> float:
    off = error(estimate, camera)
    return float(off @ np.linalg.solve(estimate.cameras[camera].covariance, off))


@settings(max_examples=30)
@given(rigid_transforms(), seeds)
def test_rig_is_exact_when_views_are(reference_from_camera: FloatArray, seed: int) -> None:
    generator = np.random.default_rng(seed)
    calibration = RigCalibration("a")
    for _ in range(10):
        odom_from_reference = somewhere(generator)
        calibration.add(["b", "a"], [odom_from_reference @ reference_from_camera, odom_from_reference], NOISE)

    estimate = found(calibration)

    assert estimate.reference == "a"
    assert list(estimate.cameras) == ["b"]
    assert estimate.cameras["b"].frame_sets == 10
    np.testing.assert_allclose(estimate.cameras["b"].reference_from_camera, reference_from_camera, atol=1e-9)


@pytest.mark.parametrize(("sets", "garbage"), [(8, 0.0), (60, 0.0), (60, 0.1)])
@pytest.mark.parametrize("camera", ["left", "far"])
def test_covariance_is_consistent_over_a_hundred_drives(sets: int, camera: str, garbage: float) -> None:
    """A tenth of the views is a fifth of the pairs."""
    total = sum(normalised_error(found(driven(seed, sets, garbage=garbage)), camera) for seed in range(100))

    low, high = chi2.ppf([0.025, 0.975], df=600)
    assert low < total < high


def test_covariance_follows_noise_that_is_larger_than_told() -> None:
    thrice = ViewNoise(3 * NOISE.rotation_rad, 3 * NOISE.centre, NOISE.log_depth)

    mean = np.mean([normalised_error(found(driven(seed, MEMORY, thrice)), "left") for seed in range(25)])

    assert 4.5 < mean < 7.5


def test_covariance_does_not_take_errors_that_stay_for_independent_ones() -> None:
    mean = np.mean([normalised_error(found(driven(seed, MEMORY, correlation=0.8)), "left") for seed in range(25)])

    assert 4.5 < mean < 9.0  # 50 and more without the correction


@given(seeds)
@settings(max_examples=20)
def test_garbage_views_hardly_move_the_rig(seed: int) -> None:
    estimate = found(driven(seed, 60, garbage=0.1))

    assert normalised_error(estimate, "left") < 30
    assert estimate.cameras["left"].frame_sets < 60
    sigma = np.sqrt(np.diagonal(estimate.cameras["left"].covariance))
    assert sigma[:3].max() < 0.004
    assert sigma[3:].max() < np.deg2rad(0.1)


def test_sigma_shrinks_with_the_root_of_the_sets() -> None:
    few, many = (
        np.mean([np.trace(found(driven(seed, sets)).cameras["left"].covariance[:3, :3]) for seed in range(10)])
        for sets in (20, 180)
    )

    assert few / many == pytest.approx(9, rel=0.25)


def test_rig_follows_when_a_camera_is_moved_and_memory_is_bounded() -> None:
    calibration = driven(0, 2 * MEMORY)
    moved = {**RIG, "left": RIG["left"] @ rigid(matrix_from_rotation_vector([0.0, 0.3, 0.0]), [0.1, 0.0, 0.0])}
    for _ in range(MEMORY):
        calibration.add(list(moved), np.stack(list(moved.values())), NOISE)

    camera = found(calibration).cameras["left"]

    assert camera.frame_sets == MEMORY
    np.testing.assert_allclose(camera.reference_from_camera, moved["left"], atol=1e-9)


def test_camera_is_not_spoken_of_when_no_place_has_a_majority() -> None:
    calibration = RigCalibration("a")
    for turn in range(12):
        pose = rigid(matrix_from_rotation_vector([0.0, 0.5 * (turn % 3), 0.0]), [float(turn % 3), 0.0, 0.0])
        calibration.add(["a", "b"], [np.eye(4), pose], NOISE)

    assert calibration.estimate() is None


def test_camera_is_not_spoken_of_before_it_was_seen_often_enough() -> None:
    calibration = RigCalibration("front")
    for count in range(MIN_FRAME_SETS):
        assert calibration.estimate() is None
        calibration.add(list(RIG), np.stack(list(RIG.values())), NOISE)
        calibration.add(["left", "far"], [np.eye(4), np.eye(4)], NOISE)  # without the reference: tells nothing
        calibration.add(["front"], [np.eye(4)], NOISE)
        assert (calibration.estimate() is None) == (count < MIN_FRAME_SETS - 1)

    assert sorted(found(calibration).cameras) == ["far", "left"]


def test_calibration_begins_again_when_the_unit_becomes_the_metre() -> None:
    calibration = RigCalibration("front")
    poses = np.stack(list(RIG.values()))
    in_units = poses.copy()
    in_units[:, :3, 3] *= 7.0
    for _ in range(50):
        calibration.add(list(RIG), in_units, NOISE, is_metric=False)
    relative = found(calibration, scale_sigma=np.inf)

    for _ in range(MIN_FRAME_SETS):
        calibration.add(list(RIG), poses, NOISE)
    metric = found(calibration)

    assert (relative.is_metric, metric.is_metric) == (False, True)
    assert np.isfinite(relative.cameras["left"].covariance).all()
    assert metric.cameras["left"].frame_sets == MIN_FRAME_SETS
    np.testing.assert_allclose(relative.cameras["left"].reference_from_camera, in_units[1], atol=1e-9)
    np.testing.assert_allclose(metric.cameras["left"].reference_from_camera, RIG["left"], atol=1e-9)


def test_forget_begins_again() -> None:
    calibration = driven(0, 20)

    calibration.forget()

    assert calibration.estimate() is None


def test_unsure_scale_makes_lengths_unsure_and_rotations_not() -> None:
    calibration = driven(0, 100)
    sure, unsure = found(calibration).cameras["far"], found(calibration, scale_sigma=0.05).cameras["far"]

    np.testing.assert_allclose(unsure.covariance[3:, 3:], sure.covariance[3:, 3:])
    assert np.sqrt(unsure.covariance[2, 2]) == pytest.approx(0.1, rel=0.05)  # 5 % of two metres, along the lever
    assert unsure.covariance[0, 0] < 1e-4


def test_estimate_is_the_same_run_to_run() -> None:
    first, second = (found(driven(3, 40, garbage=0.1)).cameras["left"] for _ in range(2))

    np.testing.assert_array_equal(first.reference_from_camera, second.reference_from_camera)
    np.testing.assert_array_equal(first.covariance, second.covariance)
