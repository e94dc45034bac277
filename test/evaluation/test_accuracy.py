# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Whole windows: what is perfect scores so in every gauge, and figures are summed up as they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings

from da3_ros.evaluation.accuracy import (
    AccuracyRules,
    WindowAccuracy,
    WindowTruth,
    window_accuracy,
)
from da3_ros.evaluation.accuracy_baselines import MeanDepthMaps, blind_predict, essential_motions, on_grid, one_by_one
from da3_ros.evaluation.pose_accuracy import pair_motions, relative_pose_errors
from da3_ros.evaluation.true_windows import TrueWindow, draw_windows
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import Sim3, rigid
from test.evaluation.known_room import SIZE, knowing_predict, room_sequence
from test.strategies import sim3s


def window_of(seed: int = 1, views: int = 4) -> TrueWindow:
    return draw_windows(room_sequence(seed), views, 1, lambda first, second: 1.0).windows[0]


def truth_of(window: TrueWindow, prediction: Prediction) -> WindowTruth:
    return WindowTruth(window.depth_on(prediction.cameras), prediction.cameras, window.world_from_camera)


def accuracy_of(gauge: Sim3, views: int = 4, depth_noise: float = 0.0) -> WindowAccuracy:
    window = window_of(views=views)
    prediction = knowing_predict([room_sequence()], gauge, depth_noise)(window.read_images(), window.cameras)
    return window_accuracy(prediction, truth_of(window, prediction), 0.01, 0.05)


@settings(max_examples=25)
@given(sim3s())
def test_truth_in_any_gauge_is_perfect(gauge: Sim3) -> None:
    found = accuracy_of(gauge)

    assert found.poses is not None
    assert found.depth is not None
    assert found.reconstruction is not None
    assert found.poses.worst_deg.max() < 1e-3
    assert found.depth.window.abs_rel < 1e-6
    assert found.depth.window.delta1 == 1.0
    assert found.reconstruction.f_score == 1.0
    assert found.reconstruction.accuracy < 1e-3
    assert found.ate_rmse_m < 1e-6
    assert found.focal_error == 0.0
    assert not found.is_metric


@settings(max_examples=25)
@given(sim3s())
def test_gauge_of_a_wrong_answer_changes_nothing(gauge: Sim3) -> None:
    before, after = accuracy_of(Sim3.identity(), 2, 0.1), accuracy_of(gauge, 2, 0.1)

    assert before.depth is not None
    assert after.depth is not None
    assert before.reconstruction is not None
    assert after.reconstruction is not None
    assert after.depth.window.abs_rel == pytest.approx(before.depth.window.abs_rel, rel=1e-4)
    assert after.depth.view.rmse == pytest.approx(before.depth.view.rmse, rel=1e-4)
    assert after.reconstruction.f_score == pytest.approx(before.reconstruction.f_score, abs=0.02)  # voxels' borders
    assert before.reconstruction.f_score < 0.9


def test_wrong_focal_length_bends_the_cloud_and_not_the_depth() -> None:
    window = window_of()
    prediction = knowing_predict([room_sequence()], Sim3.identity())(window.read_images(), window.cameras)
    longer = tuple(
        replace(camera, fx_px=1.2 * camera.fx_px, fy_px=1.2 * camera.fy_px) for camera in prediction.predicted_cameras
    )
    prediction = replace(prediction, predicted_cameras=longer)

    found = window_accuracy(prediction, truth_of(window, prediction), 0.01, 0.05)

    assert found.focal_error == pytest.approx(0.2)
    assert found.depth is not None
    assert found.depth.window.abs_rel < 1e-6
    assert found.reconstruction is not None
    assert found.reconstruction.f_score < 0.9


def test_given_poses_and_cameras_make_the_cloud_instead_of_the_answers_own() -> None:
    window = window_of()
    prediction = knowing_predict([room_sequence()], Sim3(3.0, np.eye(3), np.ones(3)))(
        window.read_images(), window.cameras
    )
    turned = prediction.window_from_camera @ rigid(matrix_from_rotation_vector(np.array([0.0, 0.2, 0.0])), np.zeros(3))
    prediction = replace(prediction, window_from_camera=turned)
    truth = truth_of(window, prediction)

    own, posed = (
        window_accuracy(prediction, truth, 0.01, 0.05),
        window_accuracy(prediction, truth, 0.01, 0.05, posed=True),
    )

    assert own.reconstruction is not None
    assert posed.reconstruction is not None
    assert own.reconstruction.f_score < 0.9
    assert posed.reconstruction.f_score == 1.0
    assert posed.depth is not None
    assert posed.depth.window.abs_rel < 1e-6
    assert own.poses is not None
    assert posed.poses is not None
    np.testing.assert_array_equal(posed.poses.rotation_deg, own.poses.rotation_deg)


def test_answer_without_poses_is_judged_by_its_depth_alone() -> None:
    window = window_of()
    prediction = blind_predict(max(SIZE))(window.read_images(), window.cameras)

    found = window_accuracy(prediction, truth_of(window, prediction), 0.01, 0.05)

    assert found.poses is None
    assert found.reconstruction is None
    assert found.depth is not None


def test_window_without_depth_is_judged_by_its_poses_alone() -> None:
    window = window_of()
    prediction = knowing_predict([room_sequence()], Sim3.identity())(window.read_images(), window.cameras)
    truth = truth_of(window, prediction)
    unknown = WindowTruth(np.full_like(truth.depth, np.nan), truth.cameras, truth.world_from_camera)

    found = window_accuracy(prediction, unknown, 0.01, 0.05)

    assert found.depth is None
    assert found.reconstruction is None
    assert found.poses is not None


def test_threshold_goes_by_the_data_set_unless_given() -> None:
    assert AccuracyRules().threshold_of("ETH3D") == 0.25
    assert AccuracyRules().threshold_of("room") == 0.05
    assert AccuracyRules(threshold_m=0.1).threshold_of("ETH3D") == 0.1


def test_mean_map_knows_the_other_sequences_and_not_its_own() -> None:
    maps = MeanDepthMaps()
    ramp = np.linspace(1, 3, 48, dtype=np.float32)[:, None] * np.ones((1, 64), np.float32)
    maps.add("a", np.stack([ramp, np.full_like(ramp, np.nan)]))
    assert maps.without("a") is None
    maps.add("b", 5 * ramp[None])
    maps.add("c", 7 * ramp[None, ::-1])

    mean = maps.without("c")

    assert mean is not None
    np.testing.assert_allclose(mean, ramp / np.median(ramp), rtol=1e-6)
    other = maps.without("a")
    assert other is not None
    np.testing.assert_allclose(other[:, 0], 1.0, rtol=1e-6)


def test_grid_takes_the_nearest_pixels() -> None:
    depth = np.arange(96 * 128, dtype=np.float32).reshape(1, 96, 128)

    np.testing.assert_array_equal(on_grid(depth)[0], depth[0, 1::2, 1::2])


def marked_views(poses: FloatArray, camera: PinholeCamera) -> list[npt.NDArray[np.uint8]]:
    """Images of points in space, each of which looks like no other: random patches where the points are seen."""
    generator = np.random.default_rng(5)
    points = generator.uniform((-3, -2, 4), (3, 2, 9), size=(160, 3))
    patches = generator.integers(0, 255, size=(160, 9, 9, 1), dtype=np.uint8).repeat(3, axis=3)
    patches = patches.repeat(2, axis=1).repeat(2, axis=2)
    images = []
    for pose in poses:
        image = np.full((*camera.size, 3), 128, np.uint8)
        pixels = camera.project(Sim3.from_rigid(pose).inverse().apply(points))
        for (u, v), patch in zip(np.rint(pixels).astype(int), patches, strict=True):
            if 9 <= u < camera.size[1] - 9 and 9 <= v < camera.size[0] - 9:
                image[v - 9 : v + 9, u - 9 : u + 9] = patch
        images.append(image)
    return images


def test_features_find_the_motion_between_views_of_marked_points() -> None:
    camera = PinholeCamera.from_field_of_view((480, 640), 1.2)
    turn = matrix_from_rotation_vector([0.02, -0.08, 0.05])
    poses = np.stack([np.eye(4), rigid(turn, [0.6, 0.1, -0.1])])

    motions = essential_motions(marked_views(poses, camera), [camera, camera])

    errors = relative_pose_errors(motions, pair_motions(poses))
    assert errors.rotation_deg[0] < 2.0  # pixels are whole, and patches hide each other
    assert errors.translation_deg[0] < 10.0


def test_images_without_features_have_no_motion() -> None:
    window = window_of(views=2)
    blank = [np.zeros((*SIZE, 3), np.uint8)] * 2

    np.testing.assert_array_equal(essential_motions(blank, window.cameras), np.eye(4)[None])


def test_views_answered_one_by_one_come_in_order() -> None:
    window = window_of(1, 3)
    predict = knowing_predict([room_sequence()], Sim3.identity())

    depth = one_by_one(predict, window.read_images(), window.cameras)

    np.testing.assert_array_equal(depth, window.depth_on(window.cameras))
