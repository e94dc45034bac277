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
from da3_ros.inference.oracle_noise import depth_edges

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
    noise: OracleNoise | None = None, keys: list[ViewKey] = KEYS, camera: PinholeCamera | None = CAMERA
) -> Prediction:
    engine: Engine = OracleEngine(wall_truth, noise, process_resolution=56)
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
    noise = OracleNoise(depth=0.02, position_m=0.01, rotation_rad=0.01, seed=5)

    first, second, other = answer(noise), answer(noise), answer(replace(noise, seed=6))

    np.testing.assert_array_equal(first.depth, second.depth)
    np.testing.assert_array_equal(first.window_from_camera, second.window_from_camera)
    assert not np.allclose(first.depth / scales_like(first), other.depth / scales_like(other), rtol=1e-3)


def scales_like(found: Prediction) -> float:
    return float(np.median(found.depth))


def test_noise_leaves_the_gauge_alone() -> None:
    clean, noisy = answer(), answer(OracleNoise(depth=0.01))

    np.testing.assert_allclose(np.median(noisy.depth / clean.depth), 1.0, atol=0.01)
    np.testing.assert_allclose(noisy.window_from_camera, clean.window_from_camera)


def test_depth_noise_has_the_size_asked_for_and_is_partly_smooth() -> None:
    clean, noisy = (answer(OracleNoise(depth=sigma, random_gauge=False)) for sigma in (0.0, 0.02))

    error = np.log(noisy.depth / clean.depth)
    neighbours = np.corrcoef(error[:, :, 1:].ravel(), error[:, :, :-1].ravel())[0, 1]
    assert 0.015 < error.std() < 0.04
    assert 0.2 < neighbours < 0.8


def test_view_errs_differently_in_every_window_it_is_part_of() -> None:
    noise = OracleNoise(depth=0.02, random_gauge=False)

    first, second = answer(noise, KEYS[:3]), answer(noise, KEYS[:2])

    assert not np.allclose(first.depth[0], second.depth[0], rtol=1e-3)


def test_pose_noise_has_the_size_asked_for() -> None:
    keys = KEYS[:3]
    noise = OracleNoise(position_m=0.02, rotation_rad=0.01, random_gauge=False)
    truth = np.stack([pose_of(key) for key in keys])

    errors = np.concatenate(
        [rigid_inverse(truth) @ answer(replace(noise, seed=seed), keys).window_from_camera for seed in range(60)]
    )

    assert 0.018 < errors[:, :3, 3].std() < 0.022
    assert (
        0.009 < rotation_angle(errors[:, :3, :3]).mean() / np.sqrt(8 / np.pi) < 0.011
    )  # mean of a 3-D normal's length


def test_confidence_is_lower_where_the_noise_is_larger() -> None:
    clean, noisy = (answer(OracleNoise(depth=sigma, random_gauge=False)) for sigma in (0.0, 0.03))

    error = np.abs(np.log(noisy.depth / clean.depth))
    sure = noisy.confidence > np.median(noisy.confidence)
    assert error[sure].mean() < 0.8 * error[~sure].mean()
    assert (noisy.confidence <= clean.confidence).all()
    assert (noisy.confidence >= 1).all()


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
        OracleNoise(depth=-0.1)
    with pytest.raises(ValueError, match="negative"):
        OracleNoise(position_m=float("nan"))
