# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows evaluated one after the other: the rows beside the network, what is shown, what the network is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from da3_ros.evaluation.accuracy import AccuracyRules
from da3_ros.evaluation.accuracy_baselines import blind_predict
from da3_ros.evaluation.accuracy_run import (
    CONSTANT,
    FEATURES,
    MEAN_MAP,
    ONE_BY_ONE,
    POSED,
    STANDING,
    AccuracyRun,
)
from da3_ros.evaluation.known_frames import HeldFrame, Image
from da3_ros.evaluation.pose_accuracy import benchmark_motions, relative_pose_errors
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import Sim3, rigid
from test.evaluation.known_room import SIZE, knowing_predict, room_sequence
from test.evaluation.test_accuracy import window_of


def test_run_shows_the_network_beside_what_needs_no_learning() -> None:
    rooms = [room_sequence(1), room_sequence(2)]
    predict = knowing_predict(rooms, Sim3(3.0, np.eye(3), np.ones(3)))
    run = AccuracyRun(blind_predict(max(SIZE)), ("knows", predict), AccuracyRules())
    for seed in (1, 2):
        run.add(window_of(seed, 2))

    first, second = run.finish()

    assert list(first.rows) == ["knows", ONE_BY_ONE, CONSTANT, STANDING, FEATURES, MEAN_MAP]
    errors = {name: row.depth.window.abs_rel for name, row in second.rows.items() if row.depth is not None}
    assert errors["knows"] < 1e-6 < errors[MEAN_MAP]
    assert errors[ONE_BY_ONE] < 1e-6
    assert first.picture is not None
    np.testing.assert_allclose(first.picture.predicted, first.picture.truth, rtol=1e-5)
    assert first.found_centres is not None
    np.testing.assert_allclose(first.found_centres, first.true_centres, atol=1e-5)
    standing = first.rows[STANDING].poses
    assert standing is not None
    assert standing.translation_deg[0] == pytest.approx(90)


def test_run_gives_the_network_the_true_poses_when_asked_to() -> None:
    window = window_of(views=3)
    answer = knowing_predict([room_sequence()], Sim3.identity())
    poses: list[FloatArray] = []

    def predict(
        images: Sequence[Image], cameras: Sequence[PinholeCamera], camera_from_world: npt.ArrayLike | None = None, /
    ) -> Prediction:
        if camera_from_world is not None:
            poses.append(np.asarray(camera_from_world))
        return answer(images, cameras, camera_from_world)

    run = AccuracyRun(blind_predict(max(SIZE)), ("knows", predict), AccuracyRules(), known_poses=True)
    run.add(window)

    (found,) = run.finish()
    assert found.rows[POSED].depth is not None
    (given,) = poses
    np.testing.assert_allclose(given @ window.world_from_camera, np.tile(np.eye(4), (3, 1, 1)), atol=1e-12)


def test_window_whose_first_views_have_no_depth_has_no_picture() -> None:
    window = window_of(views=3)
    unknown = np.full(SIZE, np.nan, np.float32)
    first = [
        HeldFrame(frame.name, frame.calibration, frame.world_from_camera, frame.read_image(), unknown)
        for frame in window.frames[:2]
    ]
    network = ("knows", knowing_predict([room_sequence()], Sim3.identity()))
    run = AccuracyRun(blind_predict(max(SIZE)), network, AccuracyRules())

    run.add(replace(window, frames=(*first, window.frames[2])))

    (found,) = run.finish()
    assert found.picture is None
    assert found.rows["knows"].depth is not None  # of the third view


def test_run_compares_poses_as_the_benchmark_does_when_asked_to() -> None:
    window = window_of(views=3)
    turned = rigid(matrix_from_rotation_vector(0.05 * np.random.default_rng(2).normal(size=(3, 3))), np.zeros(3))
    answer = knowing_predict([room_sequence()], Sim3.identity())

    def predict(images: Sequence[Image], cameras: Sequence[PinholeCamera], *poses: npt.ArrayLike | None) -> Prediction:
        known = answer(images, cameras, *poses)
        return replace(known, window_from_camera=known.window_from_camera @ turned[: len(images)])

    run = AccuracyRun(blind_predict(max(SIZE)), ("errs", predict), AccuracyRules(0.0, benchmark_poses=True))
    run.add(window)

    (found,) = run.finish()
    true = window.world_from_camera
    expected = relative_pose_errors(benchmark_motions(true @ turned), benchmark_motions(true), 0.0)
    poses = found.rows["errs"].poses
    assert poses is not None
    np.testing.assert_allclose(poses.worst_deg, expected.worst_deg, atol=1e-6)
    assert FEATURES not in found.rows  # found pair by pair: there are no poses to do the same with


def test_run_forgets_a_sequence_and_the_mean_map_with_it() -> None:
    run = AccuracyRun(blind_predict(max(SIZE)), None, AccuracyRules())
    for seed in (1, 2):
        run.add(window_of(seed, 2))

    run.forget("room 2")

    (found,) = run.finish()
    assert found.window.sequence == "room 1"
    assert MEAN_MAP not in found.rows


def test_run_without_a_network_has_the_other_rows_and_no_picture() -> None:
    run = AccuracyRun(blind_predict(max(SIZE)), None, AccuracyRules())
    run.add(window_of(1, 2))

    (found,) = run.finish()

    assert list(found.rows) == [CONSTANT, STANDING, FEATURES]  # no other sequence: no mean map
    assert found.picture is None
    assert found.found_centres is None
