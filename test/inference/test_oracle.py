# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The oracle tells the truth up to one Sim(3) per window, and errs as asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import Prediction, ViewKey, ViewTruth
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_angle
from da3_ros.geometry.sim3 import rigid, rigid_inverse
from da3_ros.inference.engine import Engine, EngineError
from da3_ros.inference.oracle import OracleEngine, OracleNoise
from da3_ros.inference.oracle_faults import OracleFault
from da3_ros.inference.oracle_noise import depth_edges, waves

SIZE = (60, 80)
CAMERA = PinholeCamera(SIZE, 70.0, 71.0, 41.0, 28.0)
KEYS = [ViewKey(camera, stamp_ns) for stamp_ns in (0, 100_000_000) for camera in ("front", "left", "right")]
IMAGES = [np.zeros((*SIZE, 3), dtype=np.uint8)] * len(KEYS)


def pose_of(key: ViewKey) -> FloatArray:
    turn = {"front": 0.0, "left": -0.3, "right": 0.3}[key.camera]
    return rigid(matrix_from_rotation_vector([0.05, turn, 0.0]), [1e-8 * key.stamp_ns, turn, 0.0])


def wall_truth(key: ViewKey, camera: PinholeCamera | None, image: npt.NDArray[np.uint8]) -> ViewTruth:
    """A world that is the plane 0.1 x + 0.2 y + z = 5, seen without error."""
    seen_by = camera or CAMERA
    world_from_camera = pose_of(key)
    normal = np.array([0.1, 0.2, 1.0])
    rays = seen_by.rays() @ world_from_camera[:3, :3].T
    depth = (5 - normal @ world_from_camera[:3, 3]) / (rays @ normal)
    return ViewTruth(depth.astype(np.float32), seen_by, world_from_camera)


def answer(
    noise: OracleNoise | None = None,
    keys: list[ViewKey] = KEYS,
    camera: PinholeCamera | None = CAMERA,
    faults: list[OracleFault] | None = None,
) -> Prediction:
    engine: Engine = OracleEngine(wall_truth, noise, faults=faults or [], process_resolution=56)
    return engine.estimate(IMAGES[: len(keys)], [camera] * len(keys), keys=keys)


def scales_of(found: Prediction, keys: list[ViewKey] = KEYS) -> FloatArray:
    """Window units per metre, from depth alone, of each view."""
    truth = [wall_truth(key, camera, IMAGES[0]).depth for key, camera in zip(keys, found.cameras, strict=True)]
    ratio = found.depth / np.stack(truth)
    np.testing.assert_allclose(ratio, ratio[:, :1, :1] * np.ones_like(ratio), rtol=1e-6)
    return np.asarray(ratio[:, 0, 0], dtype=np.float64)


def test_depth_is_the_truth_times_one_scale_when_there_is_no_noise() -> None:
    found = answer()

    np.testing.assert_allclose(scales_of(found), scales_of(found)[0], rtol=1e-6)
    assert found.depth.shape == (6, 42, 56)
    assert found.cameras == (CAMERA.resized((42, 56)),) * 6


def test_poses_are_the_truth_moved_by_one_sim3_when_there_is_no_noise() -> None:
    found = answer()

    scale = scales_of(found)[0]
    truth = np.stack([pose_of(key) for key in KEYS])
    first_from_camera = rigid_inverse(truth[0]) @ truth
    ours = rigid_inverse(found.window_from_camera[0]) @ found.window_from_camera
    np.testing.assert_allclose(ours[:, :3, :3], first_from_camera[:, :3, :3], atol=1e-12)
    np.testing.assert_allclose(ours[:, :3, 3], scale * first_from_camera[:, :3, 3], rtol=1e-6, atol=1e-12)


def test_gauge_differs_from_window_to_window_and_stays_in_its_range() -> None:
    windows = [[replace(key, stamp_ns=key.stamp_ns + shift) for key in KEYS] for shift in range(40)]

    found = [answer(keys=keys) for keys in windows]

    scales = np.array([scales_of(one, keys)[0] for one, keys in zip(found, windows, strict=True)])
    assert len(np.unique(scales)) == 40
    assert (scales >= 0.3).all()
    assert (scales <= 3.0).all()
    assert 0.3 < np.std(np.log(scales)) < 1.0  # log-uniform: 0.66
    turns = found[0].window_from_camera[0, :3, :3].T @ np.stack(
        [one.window_from_camera[0, :3, :3] for one in found[1:]]
    )
    assert (rotation_angle(turns) > 0.1).mean() > 0.9


def test_answer_is_in_world_and_metres_when_the_gauge_is_switched_off() -> None:
    found = answer(OracleNoise(random_gauge=False))

    np.testing.assert_allclose(scales_of(found), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(found.window_from_camera, np.stack([pose_of(key) for key in KEYS]))


def test_same_window_gets_the_same_answer_and_another_seed_another() -> None:
    noise = OracleNoise(depth_smooth=0.02, depth_pixel=0.02, position_m=0.01, rotation_rad=0.01, seed=5)

    first, second, other = answer(noise), answer(noise), answer(replace(noise, seed=6))

    np.testing.assert_array_equal(first.depth, second.depth)
    np.testing.assert_array_equal(first.window_from_camera, second.window_from_camera)
    assert not np.allclose(first.depth / scales_like(first), other.depth / scales_like(other), rtol=1e-3)


def scales_like(found: Prediction) -> float:
    return float(np.median(found.depth))


def test_noise_leaves_the_gauge_alone() -> None:
    clean, noisy = answer(), answer(OracleNoise(depth_smooth=0.01, depth_pixel=0.01))

    np.testing.assert_allclose(np.median(noisy.depth / clean.depth), 1.0, atol=0.01)
    np.testing.assert_allclose(noisy.window_from_camera, clean.window_from_camera)


def depth_error(noise: OracleNoise) -> FloatArray:
    """(V, H, W) of the logarithm of depth, in world and metres."""
    clean, noisy = (answer(replace(one, random_gauge=False)) for one in (OracleNoise(), noise))
    return np.log(noisy.depth / clean.depth)


def test_smooth_noise_has_the_size_asked_for_and_is_the_same_in_neighbours() -> None:
    errors = np.stack([depth_error(OracleNoise(depth_smooth=0.03, seed=seed)) for seed in range(20)])

    neighbours = np.corrcoef(errors[..., 1:].ravel(), errors[..., :-1].ravel())[0, 1]
    assert errors.std() == pytest.approx(0.03, rel=0.1)
    assert neighbours > 0.95


def test_pixel_noise_has_the_size_asked_for_and_is_free_in_neighbours() -> None:
    error = depth_error(OracleNoise(depth_pixel=0.01))

    neighbours = np.corrcoef(error[..., 1:].ravel(), error[..., :-1].ravel())[0, 1]
    assert error.std() == pytest.approx(0.01, rel=0.05)
    assert abs(neighbours) < 0.05


def test_waves_have_unit_size_at_any_image_size() -> None:
    for size in ((56, 84), (140, 70)):
        assert waves(np.random.default_rng(0), (400, *size)).std() == pytest.approx(1, rel=0.05)


def test_garbage_pixels_are_as_many_as_asked_for_and_far_off() -> None:
    error = depth_error(OracleNoise(garbage_pixels=0.3))

    assert (error != 0).mean() == pytest.approx(0.3, abs=0.02)
    assert np.median(np.abs(error[error != 0])) > 0.3


def test_view_errs_differently_in_every_window_it_is_part_of() -> None:
    noise = OracleNoise(depth_pixel=0.02, random_gauge=False)

    first, second = answer(noise, KEYS[:3]), answer(noise, KEYS[:2])

    assert not np.allclose(first.depth[0], second.depth[0], rtol=1e-3)


def test_pose_noise_has_the_size_asked_for() -> None:
    keys = KEYS[:3]
    noise = OracleNoise(position_m=0.02, rotation_rad=0.01, random_gauge=False)
    truth = np.stack([pose_of(key) for key in keys])

    answers = [answer(replace(noise, seed=seed), keys) for seed in range(60)]
    errors = np.concatenate([rigid_inverse(truth) @ prediction.window_from_camera for prediction in answers])

    position_m = 0.02 * np.nanmedian(answers[0].depth) / 3.0
    assert 0.9 * position_m < errors[:, :3, 3].std() < 1.1 * position_m
    assert (
        0.009 < rotation_angle(errors[:, :3, :3]).mean() / np.sqrt(8 / np.pi) < 0.011
    )  # mean of a 3-D normal's length


def test_centres_err_by_the_same_everywhere_when_asked_not_to_follow_the_depth() -> None:
    noise = OracleNoise(position_m=0.02, position_by_depth=False, random_gauge=False)
    truth = np.stack([pose_of(key) for key in KEYS])

    errors = [rigid_inverse(truth) @ answer(replace(noise, seed=seed)).window_from_camera for seed in range(60)]

    assert 0.018 < np.concatenate(errors)[:, :3, 3].std() < 0.022


def test_confidence_tells_the_error_when_it_does_not_wander() -> None:
    clean, noisy = (answer(OracleNoise(depth_smooth=sigma, random_gauge=False)) for sigma in (0.0, 0.03))

    error = np.abs(np.log(noisy.depth / clean.depth))
    assert np.corrcoef(error.ravel(), noisy.confidence.ravel())[0, 1] < -0.8
    assert (noisy.confidence <= clean.confidence).all()
    assert (noisy.confidence >= 1).all()


def test_confidence_tells_the_error_only_loosely_when_it_wanders() -> None:
    clean = answer(OracleNoise(random_gauge=False))
    noisy = answer(OracleNoise(depth_smooth=0.03, depth_pixel=0.01, confidence=0.5, random_gauge=False))

    error = np.abs(np.log(noisy.depth / clean.depth))
    assert -0.6 < np.corrcoef(error.ravel(), noisy.confidence.ravel())[0, 1] < -0.2
    assert (noisy.confidence >= 1).all()
    assert (noisy.confidence <= 10).all()


def test_gauge_that_the_oracle_tells_is_the_one_it_answers_in() -> None:
    engine = OracleEngine(wall_truth, process_resolution=56)

    gauge = engine.gauge(KEYS)

    assert gauge.scale == pytest.approx(scales_of(answer())[0], rel=1e-6)
    moved = gauge.apply_to_poses(np.stack([pose_of(key) for key in KEYS]))
    np.testing.assert_allclose(answer().window_from_camera, moved, atol=1e-12)
    assert OracleEngine(wall_truth, OracleNoise(random_gauge=False)).gauge(KEYS).scale == 1


def test_covered_camera_sees_something_near_and_flat_and_leaves_the_others_alone() -> None:
    clean = answer()

    found = answer(faults=[OracleFault("occluded", 100_000_000, 200_000_000, "left")])

    others = [index for index in range(len(KEYS)) if index != 4]
    np.testing.assert_array_equal(found.depth[others], clean.depth[others])
    np.testing.assert_array_equal(found.window_from_camera[others], clean.window_from_camera[others])
    covered = found.depth[4] / scales_like(clean) * np.median(wall_truth(KEYS[0], CAMERA, IMAGES[0]).depth)
    assert covered.max() < 0.3
    assert np.std(np.log(covered)) < 0.1
    assert np.linalg.norm(found.window_from_camera[4, :3, 3] - clean.window_from_camera[4, :3, 3]) > 0.1


def test_garbage_window_has_nothing_to_do_with_the_truth() -> None:
    clean = answer()

    found = answer(faults=[OracleFault("garbage", 100_000_000, 200_000_000)])

    log_ratio = np.log(found.depth / clean.depth)
    assert (log_ratio.std(axis=(1, 2)) > 0.4).all()
    turns = np.swapaxes(found.window_from_camera[:, :3, :3], 1, 2) @ clean.window_from_camera[:, :3, :3]
    assert np.median(rotation_angle(turns)) > 1
    assert found.confidence.min() >= 1


def test_window_is_garbage_only_when_its_newest_view_is_within_the_time() -> None:
    clean = answer()

    for fault in (OracleFault("garbage", 0, 100_000_000), OracleFault("garbage", 200_000_000, 300_000_000)):
        np.testing.assert_array_equal(answer(faults=[fault]).depth, clean.depth)


def test_edges_are_where_depth_jumps_or_ends() -> None:
    depth = np.full((20, 30), 2.0, dtype=np.float32)
    depth[:, 15:] = 3.0
    depth[5, 5] = np.nan

    edge = depth_edges(depth)

    assert (edge[:, 14:16] == 1).all()
    assert (edge[4:7, 4:7] == 1).all()
    assert edge.sum() == 2 * 20 + 9


def test_uncalibrated_view_gets_the_camera_of_the_truth() -> None:
    found = answer(camera=None)

    assert found.cameras == (CAMERA.resized((42, 56)),) * 6
    scales_of(found)


def test_depth_is_nan_and_confidence_lowest_where_rectification_found_nothing() -> None:
    pincushion = replace(CAMERA, distortion_model="plumb_bob", distortion=(0.3, 0.0, 0.0, 0.0))

    found = answer(camera=pincushion)

    unknown = np.isnan(found.depth)
    assert unknown[:, 0, 0].all()
    assert not unknown[:, 21, 28].any()
    assert (found.confidence[unknown] == 1).all()


def test_oracle_refuses_to_answer_without_keys() -> None:
    engine = OracleEngine(wall_truth, process_resolution=56)

    with pytest.raises(ValueError, match="needs the key of every view"):
        engine.estimate(IMAGES, [CAMERA] * 6)
    with pytest.raises(ValueError, match="6 images came with 5 keys"):
        engine.estimate(IMAGES, [CAMERA] * 6, keys=KEYS[:5])


def test_view_without_truth_is_an_engine_error_that_names_it() -> None:
    def nothing(key: ViewKey, camera: PinholeCamera | None, image: npt.NDArray[np.uint8]) -> ViewTruth:
        raise KeyError(key)

    with pytest.raises(EngineError, match="camera 'front' at 0 ns"):
        OracleEngine(nothing, process_resolution=56).estimate(IMAGES, [CAMERA] * 6, keys=KEYS)


def test_negative_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        OracleNoise(depth_pixel=-0.1)
    with pytest.raises(ValueError, match="negative"):
        OracleNoise(position_m=float("nan"))
    with pytest.raises(ValueError, match="share"):
        OracleNoise(garbage_pixels=1.5)
