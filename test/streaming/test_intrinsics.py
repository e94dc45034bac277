# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Published intrinsics: whose they are, that they stay, and that poses and clouds fit them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.cloud import organised_cloud
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid
from da3_ros.streaming.frame import Frame, FrameSet, Window
from da3_ros.streaming.intrinsics import HELD_WITHIN, IntrinsicsPolicy
from test.closeness import assert_close
from test.streaming.wrong_focal import CAMERA, explained_with_wrong_focal, window_of, with_focal

SETS = 4
BASELINE_M = 0.1
PAIR = ("left", "right")
IMAGE = np.zeros((48, 64, 3), np.uint8)


def window(names: Sequence[str], calibrations: Sequence[PinholeCamera | None]) -> Window:
    """Four sets of these cameras."""
    return Window(
        0,
        tuple(
            FrameSet(
                number,
                number,
                tuple(
                    Frame(name, number, f"{name}_optical", IMAGE, known)
                    for name, known in zip(names, calibrations, strict=True)
                ),
            )
            for number in range(SETS)
        ),
    )


def stereo_truth() -> FloatArray:
    """(8, 4, 4) metres: a pair that slides sideways."""
    centres = [
        [0.1 * number + side, 0.02 * number, 0.05 * number]
        for number in range(SETS)
        for side in (-BASELINE_M / 2, BASELINE_M / 2)
    ]
    return rigid(np.eye(3), centres)


def clouds_of(prediction: Prediction) -> FloatArray:
    """(V, H, W, 3) points relative to the first camera's centre, window axes: unprojected by `cameras`."""
    poses = prediction.window_from_camera
    views = zip(prediction.depth, prediction.images, prediction.cameras, poses, strict=True)
    return np.stack(
        [
            organised_cloud(depth, image, camera)[..., :3] @ pose[:3, :3].T + (pose[:3, 3] - poses[0, :3, 3])
            for depth, image, camera, pose in views
        ]
    )


def predicted_as(cameras: Sequence[PinholeCamera], calibrations: Sequence[PinholeCamera | None]) -> Prediction:
    """Views at one place, seen with these intrinsics."""
    still = window_of(np.tile(np.eye(4), (len(cameras), 1, 1)))
    published = tuple(known or found for known, found in zip(calibrations, cameras, strict=True))
    return replace(still, cameras=published, predicted_cameras=tuple(cameras))


def one_camera(policy: IntrinsicsPolicy, ratio: float, calibration: PinholeCamera | None = None) -> PinholeCamera:
    """The camera that is published when the network sees `ratio` times the focal length of CAMERA."""
    prediction = predicted_as([with_focal(CAMERA, ratio)] * SETS, [calibration] * SETS)
    published = set(policy.apply(window(["front"], [calibration]), prediction).prediction.cameras)
    assert len(published) == 1
    return published.pop()


@pytest.mark.parametrize("ratio", [1.1, 0.9, 1.2, 0.8])
def test_rig_gives_the_right_metres_when_the_network_sees_a_wrong_focal_length(ratio: float) -> None:
    truth = window_of(stereo_truth())
    answer = explained_with_wrong_focal(truth, ratio)

    fitting = IntrinsicsPolicy("auto").apply(window(PAIR, [CAMERA, CAMERA]), answer).prediction

    def baseline(poses: FloatArray) -> float:
        return float(np.linalg.norm(poses[1::2, :3, 3] - poses[::2, :3, 3], axis=1).mean())

    assert baseline(answer.window_from_camera) == pytest.approx(BASELINE_M / ratio, rel=1e-6)
    assert baseline(fitting.window_from_camera) == pytest.approx(BASELINE_M, rel=1e-4)


def test_clouds_lie_where_the_true_ones_do_when_they_are_unprojected_by_the_published_camera() -> None:
    truth = window_of(stereo_truth())
    answer = explained_with_wrong_focal(truth, 1.2)

    fitting = IntrinsicsPolicy("auto").apply(window(PAIR, [CAMERA, CAMERA]), answer).prediction

    assert fitting.cameras == truth.cameras
    assert np.abs(clouds_of(fitting) - clouds_of(truth)).max() < 5e-4
    uncorrected = replace(fitting, window_from_camera=answer.window_from_camera)
    assert np.abs(clouds_of(uncorrected) - clouds_of(truth)).max() > 0.03


def test_calibration_is_published_and_poses_are_the_engines_when_both_agree() -> None:
    truth = window_of(stereo_truth())

    chosen = IntrinsicsPolicy("auto").apply(window(PAIR, [CAMERA, CAMERA]), truth)

    assert chosen.prediction.cameras == truth.cameras
    np.testing.assert_array_equal(chosen.prediction.window_from_camera, truth.window_from_camera)
    assert chosen.focal_difference == 0.0
    assert chosen.warning == ""


@pytest.mark.parametrize(("mode", "published"), [("auto", 1.0), ("calibrated", 1.0), ("predicted", 1.07)])
def test_mode_decides_whose_intrinsics_are_published_when_there_are_both(mode: str, published: float) -> None:
    camera = one_camera(IntrinsicsPolicy(mode), 1.07, CAMERA)

    assert camera.fx_px == pytest.approx(published * CAMERA.fx_px, rel=1e-12)


def test_poses_stay_the_engines_when_its_own_intrinsics_are_published() -> None:
    answer = explained_with_wrong_focal(window_of(stereo_truth()), 1.2)

    chosen = IntrinsicsPolicy("predicted").apply(window(PAIR, [CAMERA, CAMERA]), answer)

    assert chosen.prediction.cameras == answer.predicted_cameras
    assert_close(chosen.prediction.window_from_camera, answer.window_from_camera, 1e-12)


def test_only_the_calibrated_camera_is_corrected_to_its_calibration_when_the_other_has_none() -> None:
    cameras = [with_focal(CAMERA, 1.1), with_focal(CAMERA, 0.95)] * SETS
    known = [CAMERA, None]

    chosen = IntrinsicsPolicy("auto").apply(window(PAIR, known), predicted_as(cameras, known * SETS))

    assert chosen.prediction.cameras == (CAMERA, with_focal(CAMERA, 0.95)) * SETS


def test_missing_calibration_is_refused_by_name_when_calibrations_are_demanded() -> None:
    known = [CAMERA, None]

    with pytest.raises(ValueError, match="no calibration of camera 'right'"):
        IntrinsicsPolicy("calibrated").apply(window(PAIR, known), predicted_as([CAMERA] * 8, known * SETS))


def test_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="'guess' is not one of auto, calibrated, predicted"):
        IntrinsicsPolicy("guess")


def test_prediction_of_another_window_is_refused() -> None:
    with pytest.raises(ValueError, match="4 views has a prediction of 8"):
        IntrinsicsPolicy("auto").apply(window(["front"], [None]), window_of(stereo_truth()))


def test_predicted_intrinsics_stay_the_same_when_predictions_scatter() -> None:
    policy = IntrinsicsPolicy("auto")
    scatter = np.random.default_rng(5).normal(1.0, 0.01, 60)

    published = {one_camera(policy, ratio) for ratio in scatter}

    assert len(published) == 1


def test_predicted_intrinsics_stay_the_same_when_some_windows_are_garbage() -> None:
    policy = IntrinsicsPolicy("auto")
    first = one_camera(policy, 1.0)

    published = {one_camera(policy, ratio) for ratio in [1.0, 1.0, 1.9, 1.0, 1.0, 0.4, 2.5, 1.0, 1.0]}

    assert published == {first}


def test_predicted_intrinsics_move_once_when_the_focal_length_has_really_changed() -> None:
    policy = IntrinsicsPolicy("auto")
    before = [one_camera(policy, 1.0) for _ in range(20)]

    after = [one_camera(policy, 1.0 + 3 * HELD_WITHIN) for _ in range(20)]

    assert set(before) == {CAMERA}
    assert after[-1].fx_px == pytest.approx((1 + 3 * HELD_WITHIN) * CAMERA.fx_px, rel=1e-12)
    assert len(set(after)) == 2


def test_poses_fit_the_held_intrinsics_when_this_windows_prediction_differs() -> None:
    policy = IntrinsicsPolicy("auto")
    truth = window_of(stereo_truth())
    policy.apply(window(PAIR, [None, None]), truth)
    answer = explained_with_wrong_focal(truth, 1 + 0.9 * HELD_WITHIN)

    fitting = policy.apply(window(PAIR, [None, None]), replace(answer, cameras=answer.predicted_cameras)).prediction

    assert fitting.cameras == truth.cameras
    shift = fitting.window_from_camera[0, :3, 3] - truth.window_from_camera[0, :3, 3]
    assert np.abs(fitting.window_from_camera[:, :3, 3] - shift - truth.window_from_camera[:, :3, 3]).max() < 1e-5


def test_difference_is_the_largest_of_all_calibrated_cameras() -> None:
    cameras = [with_focal(CAMERA, 1.02), with_focal(CAMERA, 0.88)] * SETS

    chosen = IntrinsicsPolicy("auto").apply(window(PAIR, [CAMERA] * 2), predicted_as(cameras, [CAMERA] * 8))

    assert chosen.focal_difference == pytest.approx(0.12)
    assert "'right'" in chosen.warning
    assert "12%" in chosen.warning


def test_difference_of_either_axis_counts() -> None:
    squeezed = replace(CAMERA, fy_px=1.08 * CAMERA.fy_px)

    chosen = IntrinsicsPolicy("auto").apply(
        window(["front"], [CAMERA]), predicted_as([squeezed] * SETS, [CAMERA] * SETS)
    )

    assert chosen.focal_difference == pytest.approx(0.08)


@pytest.mark.parametrize(("ratio", "is_told"), [(1.049, False), (1.051, True), (0.951, False), (0.949, True)])
def test_difference_is_told_when_it_is_above_five_per_cent(ratio: float, is_told: bool) -> None:
    prediction = predicted_as([with_focal(CAMERA, ratio)] * SETS, [CAMERA] * SETS)

    assert bool(IntrinsicsPolicy("auto").apply(window(["front"], [CAMERA]), prediction).warning) is is_told


def test_difference_stays_small_when_one_window_is_garbage() -> None:
    policy = IntrinsicsPolicy("auto")
    seen = window(["front"], [CAMERA])

    chosen = [
        policy.apply(seen, predicted_as([with_focal(CAMERA, ratio)] * SETS, [CAMERA] * SETS))
        for ratio in (1.0, 1.01, 1.9, 1.0)
    ]

    assert chosen[-1].focal_difference < 0.02
    assert chosen[-1].warning == ""


def test_nothing_is_told_when_nothing_is_calibrated() -> None:
    prediction = predicted_as([with_focal(CAMERA, 1.5)] * SETS, [None] * SETS)

    chosen = IntrinsicsPolicy("auto").apply(window(["front"], [None]), prediction)

    assert (chosen.focal_difference, chosen.camera, chosen.warning) == (0.0, "", "")


def test_held_intrinsics_and_differences_are_gone_when_forgotten() -> None:
    policy = IntrinsicsPolicy("auto")
    one_camera(policy, 1.0, CAMERA)
    one_camera(policy, 1.0)

    policy.forget()

    assert one_camera(policy, 1.01) == with_focal(CAMERA, 1.01)


def test_held_intrinsics_begin_again_when_the_image_size_changes() -> None:
    policy = IntrinsicsPolicy("auto")
    one_camera(policy, 1.0)
    half = CAMERA.resized((24, 32))
    small = window_of(np.tile(np.eye(4), (SETS, 1, 1)), half)

    published = policy.apply(window(["front"], [None]), small).prediction.cameras

    assert set(published) == {half}


@pytest.mark.parametrize("mode", ["auto", "predicted"])
def test_metres_that_an_engine_claims_follow_the_focal_length_that_is_used(mode: str) -> None:
    """With a lens twice as long a thing looks as large from twice as far."""
    predicted = with_focal(CAMERA, 1.25)
    claimed = replace(predicted_as([predicted] * SETS, [CAMERA] * SETS), metres_per_unit=1.0)

    used = IntrinsicsPolicy(mode).apply(window(["front"], [CAMERA]), claimed).prediction

    assert used.metres_per_unit == pytest.approx(1 / 1.25 if mode == "auto" else 1.0)
