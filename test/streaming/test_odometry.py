# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The base starts at the origin with REP-103 axes, moves as its cameras do, and says how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.registration import rotation_vector_from_matrix
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import Sim3, rigid, rigid_inverse
from da3_ros.streaming.aligner import AlignmentReport
from da3_ros.streaming.frame import Frame, FrameSet, Window
from da3_ros.streaming.odometry import BODY_FROM_OPTICAL, Odometry, OdometryState
from da3_ros.streaming.scale import fixed_scale, relative_scale
from test.streaming.oracle_world import IMAGE, ONE, THREE, TWO, OracleWorld, curve

GOOD = AlignmentReport(
    ok=True,
    reason="",
    new_segment=False,
    world_from_window=Sim3.identity(),
    scale_ratio=1.0,
    scale_sigma=0.01,
    residual=0.0,
    inliers=1.0,
    overlap_views=3,
    covariance=np.diag([1e-5] * 3 + [4e-4] * 3 + [1e-4]),
)
NEW_SEGMENT = replace(GOOD, new_segment=True, covariance=np.zeros((7, 7)))


def frames(rig: Sequence[str], stamp_ns: int) -> list[Frame]:
    return [Frame(camera, stamp_ns, "", IMAGE, None) for camera in rig]


def started(rig: Mapping[str, FloatArray], given: Mapping[str, FloatArray]) -> tuple[Odometry, Sim3, Prediction]:
    """An odometry that has begun on the first window of the curve, and where that lies."""
    world = OracleWorld(rig, curve)
    window = Window(0, (FrameSet(0, 0, tuple(frames(list(rig), 0))),))
    prediction = world.estimate([IMAGE] * len(rig), keys=[f.key for f in window.views])
    odometry = Odometry(given)
    world_from_window = odometry.begin_segment(window, prediction, fixed_scale(2.0))
    odometry.advance(NEW_SEGMENT)
    return odometry, world_from_window, prediction


def follow(
    odometry: Odometry, rig: Mapping[str, FloatArray], world_from_base: FloatArray, stamp_ns: int
) -> OdometryState:
    state = odometry.follow(frames(list(rig), stamp_ns), [world_from_base @ matrix for matrix in rig.values()])
    assert state is not None
    return state


@pytest.mark.parametrize("rig", [ONE, TWO, THREE], ids=["one", "two", "three"])
def test_first_base_pose_is_the_origin_in_metres_when_the_rig_is_known(rig: dict[str, FloatArray]) -> None:
    odometry, world_from_window, prediction = started(rig, given=rig)

    state = odometry.follow(frames(list(rig), 0), list(world_from_window.apply_to_poses(prediction.window_from_camera)))

    assert state is not None
    np.testing.assert_allclose(state.world_from_base, np.eye(4), atol=1e-12)
    assert world_from_window.scale == 2.0


def test_base_is_the_first_camera_with_body_axes_when_the_rig_is_unknown() -> None:
    _, world_from_window, prediction = started(THREE, given={})
    world_from_camera = world_from_window.apply_to_poses(prediction.window_from_camera)

    np.testing.assert_allclose(world_from_camera[0], BODY_FROM_OPTICAL, atol=1e-12)
    np.testing.assert_array_equal(BODY_FROM_OPTICAL[:3, :3] @ [0, 0, 1], [1, 0, 0])  # ahead is x
    np.testing.assert_array_equal(BODY_FROM_OPTICAL[:3, :3] @ [1, 0, 0], [0, -1, 0])  # right is -y
    np.testing.assert_array_equal(BODY_FROM_OPTICAL[:3, :3] @ [0, 1, 0], [0, 0, -1])  # down is -z


def test_unknown_cameras_are_learned_and_stand_in_for_the_reference() -> None:
    odometry, world_from_window, prediction = started(THREE, given={})
    world_from_camera = list(world_from_window.apply_to_poses(prediction.window_from_camera))
    odometry.follow(frames(list(THREE), 0), world_from_camera)
    moved = rigid(matrix_from_rotation_vector([0.1, 0.2, 0.3]), [1.0, 2.0, 3.0])

    alone = odometry.follow(frames(["right"], 100), [moved @ world_from_camera[2]])

    assert alone is not None
    np.testing.assert_allclose(alone.world_from_base, moved, atol=1e-12)


def test_base_is_unknown_when_its_camera_was_never_seen_beside_a_known_one() -> None:
    odometry, _, _ = started(ONE, given={})

    assert odometry.follow(frames(["other"], 0), [np.eye(4)]) is None
    assert odometry.path == ()


def test_twist_is_the_motion_in_the_base_frame_per_second() -> None:
    odometry, _, _ = started(ONE, given=ONE)
    before = rigid(matrix_from_rotation_vector([0.0, 0.0, 1.0]), [1.0, 0.0, 0.0])
    step = rigid(matrix_from_rotation_vector([0.01, 0.02, 0.05]), [0.0, 0.0, 0.0])
    ahead = before @ rigid(np.eye(3), [0.1, 0.0, 0.0]) @ step

    first = follow(odometry, ONE, before, 0)
    second = follow(odometry, ONE, ahead, 50_000_000)

    np.testing.assert_array_equal(first.linear_velocity, np.zeros(3))
    np.testing.assert_allclose(second.linear_velocity, step[:3, :3].T @ [2.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(second.angular_velocity, np.array([0.01, 0.02, 0.05]) / 0.05, atol=1e-9)
    np.testing.assert_allclose(
        rotation_vector_from_matrix((rigid_inverse(before) @ ahead)[:3, :3]) * 20, second.angular_velocity
    )


def test_twist_is_zero_and_unsure_when_the_stamp_does_not_advance() -> None:
    odometry, _, _ = started(ONE, given=ONE)
    follow(odometry, ONE, np.eye(4), 100)

    state = follow(odometry, ONE, rigid(np.eye(3), [1.0, 0.0, 0.0]), 100)

    np.testing.assert_array_equal(state.linear_velocity, np.zeros(3))
    assert state.twist_covariance[0, 0] > 100


def test_covariance_grows_with_every_window_and_stays_what_consumers_accept() -> None:
    odometry, _, _ = started(ONE, given=ONE)
    variances = []
    for count in range(5000):
        odometry.advance(GOOD)
        state = follow(odometry, ONE, rigid(np.eye(3), [0.1 * count, 0.0, 0.0]), count * 100_000_000)
        variances.append(state.pose_covariance[0, 0])
        for covariance in (state.pose_covariance, state.twist_covariance):
            assert np.linalg.eigvalsh(covariance).min() > 0
            assert np.isfinite(covariance).all()
            assert (np.diagonal(covariance) != 1.0).all()
            assert covariance.max() < 1000

    assert variances == sorted(variances)
    assert variances[-1] > 100 * variances[0]


def test_covariance_is_never_exactly_one() -> None:
    odometry, _, _ = started(ONE, given=ONE)
    floor = follow(odometry, ONE, np.eye(4), 0).pose_covariance[0, 0]
    odometry.advance(replace(GOOD, covariance=np.diag([0.0] * 3 + [1.0 - floor] * 3 + [0.0])))

    variance = follow(odometry, ONE, np.eye(4), 1).pose_covariance[0, 0]

    assert variance != 1.0
    assert variance == pytest.approx(1.0, abs=1e-5)


def test_lost_track_goes_on_from_the_last_pose_with_little_certainty() -> None:
    odometry, _, _ = started(TWO, given=TWO)
    last = rigid(matrix_from_rotation_vector([0.0, 0.0, 0.5]), [3.0, 1.0, 0.0])
    follow(odometry, TWO, last, 0)
    world = OracleWorld(TWO, curve, seed=3)
    window = Window(1, (FrameSet(5, 5, tuple(frames(list(TWO), 5))),))
    prediction = world.estimate([IMAGE] * 2, keys=[f.key for f in window.views])

    found = odometry.begin_segment(window, prediction, relative_scale())
    odometry.advance(NEW_SEGMENT)
    state = odometry.follow(window.views, list(found.apply_to_poses(prediction.window_from_camera)))

    assert state is not None
    np.testing.assert_allclose(state.world_from_base, last, atol=1e-12)
    assert state.pose_covariance[0, 0] >= 100
    assert state.twist_covariance[0, 0] > 100


def test_reset_returns_to_the_origin() -> None:
    odometry, world_from_window, prediction = started(ONE, given=ONE)
    follow(odometry, ONE, rigid(np.eye(3), [3.0, 0.0, 0.0]), 0)

    odometry.reset()

    assert odometry.path == ()
    window = Window(0, (FrameSet(0, 0, tuple(frames(["front"], 0))),))
    again = odometry.begin_segment(window, prediction, fixed_scale(2.0))
    np.testing.assert_allclose(again.translation, world_from_window.translation)


def test_path_is_bounded() -> None:
    odometry = Odometry(ONE, path_length=3)

    states = [follow(odometry, ONE, np.eye(4), count) for count in range(10)]

    assert odometry.path == tuple(states[-3:])
