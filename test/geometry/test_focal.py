# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Poses that were found with wrong intrinsics come right for the true ones, as far as the images tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.focal import corrected_poses, focal_ratio
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import (
    FloatArray,
    matrix_from_rotation_vector,
    nearest_rotation,
    rotation_angle,
)
from da3_ros.geometry.sim3 import Sim3, rigid
from test.closeness import assert_close
from test.strategies import sim3s
from test.streaming.wrong_focal import CAMERA, explained_with_wrong_focal, window_of, with_focal

Motion = Callable[[float], FloatArray]  # 0..1 -> (4, 4) room from rig
ALONE = np.eye(4)[None]
PAIR = rigid(np.eye(3), [[-0.05, 0, 0], [0.05, 0, 0]])
RATIOS = (1.1, 0.9, 1.2, 0.8)


def pan(angle_rad: float) -> FloatArray:
    return matrix_from_rotation_vector([0.0, angle_rad, 0.0])


FAN = rigid(np.stack([pan(a) for a in (-0.7, 0.0, 0.7)]), [pan(a) @ [0, 0, 0.2] for a in (-0.7, 0.0, 0.7)])


def sideways(t: float) -> FloatArray:
    return rigid(np.eye(3), [0.8 * t - 0.4, 0.05 * np.sin(5 * t), 0.0])


def slanting(t: float) -> FloatArray:
    return rigid(matrix_from_rotation_vector([0.0, 0.0, 0.8 * t]), [0.5 * t, 0.1 * np.sin(4 * t), 0.4 * t])


def curve(t: float) -> FloatArray:
    return rigid(pan(0.7 * t), [0.4 * t * t, 0.02 * np.sin(5 * t), 0.8 * t])


def in_the_hand(t: float) -> FloatArray:
    turn = matrix_from_rotation_vector([0.1 * np.cos(4 * t), 0.15 * np.sin(5 * t), 0.1 * np.sin(3 * t)])
    return rigid(turn, [0.4 * t, 0.1 * np.sin(4 * t), 0.3 * t])


def truth_of(motion: Motion, rig: FloatArray = ALONE, sets: int = 8) -> Prediction:
    return window_of(np.concatenate([motion(number / (sets - 1)) @ rig for number in range(sets)]))


def corrected(answer: Prediction) -> FloatArray:
    return corrected_poses(answer.window_from_camera, answer.predicted_cameras, answer.cameras, answer.depth)


@dataclass(frozen=True)
class Errors:
    rotation_deg: float  # largest, of two views
    scale: float  # of the trajectory, relative to depth
    shape: float  # of the trajectory, relative to its extent


def errors_of(truth: Prediction, poses: FloatArray) -> Errors:
    true_rotation, rotation = truth.window_from_camera[:, :3, :3], poses[:, :3, :3]
    one, other = np.triu_indices(len(poses), 1)
    relative = [np.swapaxes(turn[one], -1, -2) @ turn[other] for turn in (true_rotation, rotation)]
    axes = nearest_rotation((true_rotation @ np.swapaxes(rotation, -1, -2)).sum(axis=0))
    true_centre = truth.window_from_camera[:, :3, 3] - truth.window_from_camera[:, :3, 3].mean(axis=0)
    centre = (poses[:, :3, 3] - poses[:, :3, 3].mean(axis=0)) @ axes.T
    scale = float(np.sum(true_centre * centre) / np.sum(true_centre**2))
    return Errors(
        float(np.rad2deg(rotation_angle(np.swapaxes(relative[0], -1, -2) @ relative[1]).max())),
        scale - 1,
        float(np.linalg.norm(centre / scale - true_centre) / np.linalg.norm(true_centre)),
    )


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize(("motion", "rig"), [(sideways, ALONE), (sideways, PAIR), (slanting, ALONE)])
def test_trajectory_and_its_scale_are_right_when_no_view_pans(motion: Motion, rig: FloatArray, ratio: float) -> None:
    truth = truth_of(motion, rig)
    answer = explained_with_wrong_focal(truth, ratio)

    left = errors_of(truth, corrected(answer))

    assert max(abs(left.scale), left.shape) < 1e-4
    assert left.rotation_deg < 1e-3
    if motion is sideways:
        assert errors_of(truth, answer.window_from_camera).scale == pytest.approx(1 / ratio - 1, abs=1e-6)


def test_forward_motion_is_right_already_and_stays() -> None:
    truth = truth_of(lambda t: rigid(np.eye(3), [0.0, 0.0, t]))
    answer = explained_with_wrong_focal(truth, 1.2)

    assert errors_of(truth, answer.window_from_camera).scale == pytest.approx(0, abs=1e-12)
    assert errors_of(truth, corrected(answer)).scale == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize(
    ("motion", "rig", "sets"), [(curve, ALONE, 8), (in_the_hand, ALONE, 8), (in_the_hand, PAIR, 4), (curve, FAN, 4)]
)
def test_most_of_the_error_goes_when_views_turn(motion: Motion, rig: FloatArray, sets: int, ratio: float) -> None:
    truth = truth_of(motion, rig, sets)
    answer = explained_with_wrong_focal(truth, ratio)

    before, after = errors_of(truth, answer.window_from_camera), errors_of(truth, corrected(answer))

    assert after.rotation_deg < 0.6 * before.rotation_deg
    assert after.shape < 0.8 * before.shape
    assert abs(after.scale) < 0.5 * abs(before.scale)
    assert abs(after.scale) < (0.02 if abs(ratio - 1) < 0.15 else 0.06)


@pytest.mark.parametrize(("ratio", "left"), [(1.1, 0.02), (0.9, 0.02), (1.2, 0.05), (0.8, 0.05)])
def test_baseline_of_a_pair_in_the_hand_is_nearly_right(ratio: float, left: float) -> None:
    answer = explained_with_wrong_focal(truth_of(in_the_hand, PAIR, 4), ratio)

    def error(poses: FloatArray) -> float:
        return float(np.median(np.linalg.norm(poses[1::2, :3, 3] - poses[::2, :3, 3], axis=1)) / 0.1 - 1)

    assert abs(error(answer.window_from_camera)) > 0.07
    assert abs(error(corrected(answer))) < left


def test_turning_on_the_spot_has_the_right_angle_again() -> None:
    truth = truth_of(lambda t: rigid(pan(0.7 * t), np.zeros(3)))
    answer = explained_with_wrong_focal(truth, 1.1)

    def turned(poses: FloatArray) -> float:
        return float(rotation_angle(poses[0, :3, :3].T @ poses[-1, :3, :3]))

    assert turned(answer.window_from_camera) < 0.95 * 0.7
    assert turned(corrected(answer)) == pytest.approx(0.7, rel=0.01)


@pytest.mark.parametrize(("fx_ratio", "fy_ratio", "cx_px", "cy_px"), [(1.1, 0.95, 0, 0), (1.0, 1.0, 3, -2)])
def test_each_axis_and_the_principal_point_are_taken_into_account(
    fx_ratio: float, fy_ratio: float, cx_px: float, cy_px: float
) -> None:
    truth = truth_of(lambda t: rigid(np.eye(3), slanting(t)[:3, 3]), PAIR, 4)
    wrong = PinholeCamera(
        CAMERA.size, fx_ratio * CAMERA.fx_px, fy_ratio * CAMERA.fy_px, CAMERA.cx_px + cx_px, CAMERA.cy_px + cy_px
    )
    predicted_from_true = np.linalg.inv(wrong.matrix) @ CAMERA.matrix
    answer = rigid(np.eye(3), truth.window_from_camera[:, :3, 3] @ predicted_from_true.T)

    poses = corrected_poses(answer, (wrong,) * 8, (CAMERA,) * 8, truth.depth)

    left = errors_of(truth, poses)
    assert max(abs(left.scale), left.shape) < 1e-4
    assert errors_of(truth, answer).shape > 0.01


@settings(max_examples=20)
@given(sim3s())
def test_answer_moves_with_the_gauge_of_the_window(gauge: Sim3) -> None:
    answer = explained_with_wrong_focal(truth_of(slanting), 1.15)
    moved = replace(
        answer,
        window_from_camera=gauge.apply_to_poses(answer.window_from_camera),
        depth=(answer.depth * gauge.scale).astype(np.float32),
    )

    assert_close(corrected(moved), gauge.apply_to_poses(corrected(answer)), 1e-5)


def test_poses_stay_when_intrinsics_agree() -> None:
    truth = truth_of(curve)

    np.testing.assert_array_equal(corrected(truth), truth.window_from_camera)


def test_given_poses_are_left_alone() -> None:
    answer = explained_with_wrong_focal(truth_of(sideways), 1.2)
    before = answer.window_from_camera.copy()

    corrected(answer)

    np.testing.assert_array_equal(answer.window_from_camera, before)


def test_noise_passes_and_does_not_grow() -> None:
    rng = np.random.default_rng(7)
    truth = truth_of(sideways)
    answer = explained_with_wrong_focal(truth, 1.2)
    noise = rigid(matrix_from_rotation_vector(rng.normal(0, 0.003, (8, 3))), rng.normal(0, 0.01, (8, 3)))
    depth = (answer.depth * np.exp(rng.normal(0, 0.03, answer.depth.shape))).astype(np.float32)

    noisy = corrected(replace(answer, window_from_camera=answer.window_from_camera @ noise, depth=depth))

    found, at_best = errors_of(truth, noisy), errors_of(truth, truth.window_from_camera @ noise)
    assert abs(found.scale - at_best.scale) < 0.01
    assert found.shape < 1.2 * at_best.shape
    assert found.rotation_deg < 1.2 * at_best.rotation_deg


def test_trajectory_is_right_when_a_third_of_the_pixels_and_one_view_are_garbage() -> None:
    rng = np.random.default_rng(8)
    truth = truth_of(sideways)
    answer = explained_with_wrong_focal(truth, 1.2)
    depth = answer.depth.copy()
    garbage = rng.random(depth.shape) < 0.3
    garbage[3] = True
    depth[garbage] = rng.uniform(0.3, 12.0, int(garbage.sum()))

    poses = corrected(replace(answer, depth=depth))

    assert max(abs(errors_of(truth, poses).scale), errors_of(truth, poses).shape) < 0.01


def test_unknown_depth_is_left_out() -> None:
    truth = truth_of(sideways)
    answer = explained_with_wrong_focal(truth, 1.2)
    depth = answer.depth.copy()
    depth[:, ::2] = np.nan
    depth[:, 1::4] = 0.0
    depth[2] = np.nan

    poses = corrected(replace(answer, depth=depth))

    assert max(abs(errors_of(truth, poses).scale), errors_of(truth, poses).shape) < 1e-4


@pytest.mark.parametrize("views", [1, 2])
def test_poses_stay_when_no_depth_is_known_or_nothing_is_shared(views: int) -> None:
    back_to_back = rigid(np.stack([np.eye(3), pan(np.pi)])[:views], np.zeros(3))
    answer = replace(window_of(back_to_back), predicted_cameras=(with_focal(CAMERA, 1.2),) * views)

    np.testing.assert_array_equal(corrected(answer), back_to_back)
    np.testing.assert_array_equal(corrected(replace(answer, depth=answer.depth * np.float32(np.nan))), back_to_back)


def test_view_that_shares_nothing_keeps_its_pose_beside_others() -> None:
    poses = np.concatenate([truth_of(sideways).window_from_camera, rigid(pan(np.pi), np.zeros(3))[None]])
    answer = explained_with_wrong_focal(window_of(poses[:-1]), 1.2)
    room = replace(
        window_of(poses),
        window_from_camera=np.concatenate([answer.window_from_camera, poses[-1:]]),
        predicted_cameras=(with_focal(CAMERA, 1.2),) * 9,
    )

    found = corrected(room)

    np.testing.assert_allclose(found[-1], poses[-1], atol=1e-12)
    assert abs(errors_of(window_of(poses[:-1]), found[:-1]).scale) < 1e-4


def test_views_that_do_not_belong_together_are_refused() -> None:
    truth = truth_of(sideways)
    cameras, poses, depth = truth.cameras, truth.window_from_camera, truth.depth

    with pytest.raises(ValueError, match="one entry per view"):
        corrected_poses(poses[1:], cameras, cameras, depth)
    with pytest.raises(ValueError, match="one entry per view"):
        corrected_poses(poses, cameras, cameras[1:], depth)
    with pytest.raises(ValueError, match="of that size without distortion"):
        corrected_poses(poses, cameras, [CAMERA.resized((96, 128))] * 8, depth)
    bent = replace(CAMERA, distortion_model="plumb_bob", distortion=(0.1,))
    with pytest.raises(ValueError, match="of that size without distortion"):
        corrected_poses(poses, cameras, [bent] * 8, depth)


def test_focal_ratio_is_wanted_over_predicted() -> None:
    assert focal_ratio(CAMERA, replace(CAMERA, fy_px=2 * CAMERA.fy_px)) == (1.0, 2.0)
