# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""One base pose from all cameras: exact, equivariant, deaf to a camera that lies, honest about what it rests on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.pose_errors import ViewNoise
from da3_ros.geometry.prediction import ViewKey
from da3_ros.geometry.rotation import (
    FloatArray,
    matrix_from_rotation_vector,
    rotation_angle,
    rotation_vector_from_matrix,
)
from da3_ros.geometry.sim3 import rigid, rigid_inverse
from da3_ros.streaming.frame import Frame
from da3_ros.streaming.rig import BODY_FROM_OPTICAL, BasePose, Rig
from test.strategies import rigid_transforms, seeds, unit_vectors

IMAGE = np.zeros((2, 2, 3), dtype=np.uint8)
NOISE = ViewNoise(rotation_rad=float(np.deg2rad(0.2)), centre=0.01, log_depth=0.03)


def place(yaw: float, x: float, y: float) -> FloatArray:
    return rigid(matrix_from_rotation_vector([0.0, 0.0, yaw]), [x, y, 0.5]) @ BODY_FROM_OPTICAL


FOUR = {
    "front": place(0.0, 0.3, 0.0),
    "left": place(1.5, 0.0, 0.2),
    "right": place(-1.5, 0.0, -0.2),
    "back": place(3.1, -0.3, 0.0),
}
TWO = {name: FOUR[name] for name in ("front", "left")}
BASE = rigid(matrix_from_rotation_vector([0.1, -0.2, 0.7]), [3.0, -2.0, 0.4])


def frames(places: Mapping[str, FloatArray], stamp_ns: int = 0) -> list[Frame]:
    return [Frame(camera, stamp_ns, "", IMAGE, None) for camera in places]


def seen(places: Mapping[str, FloatArray], base: FloatArray = BASE) -> FloatArray:
    return base @ np.stack(list(places.values()))


def blurred(poses: FloatArray, seed: int, noise: ViewNoise = NOISE) -> FloatArray:
    generator = np.random.default_rng(seed)
    turns = matrix_from_rotation_vector(noise.rotation_rad * generator.normal(size=(len(poses), 3)))
    return rigid(turns @ poses[:, :3, :3], poses[:, :3, 3] + noise.centre * generator.normal(size=(len(poses), 3)))


def solved(
    places: Mapping[str, FloatArray], poses: FloatArray, prior: FloatArray | None = None, scale_sigma: float = 0.0
) -> BasePose:
    pose = Rig(places).base_pose(frames(places), poses, NOISE, prior, scale_sigma)
    assert pose is not None
    return pose


def assert_same_pose(ours: FloatArray, theirs: FloatArray, atol: float = 1e-9) -> None:
    np.testing.assert_allclose(ours, theirs, atol=atol)


@given(rigid_transforms(), rigid_transforms())
def test_base_pose_is_exact_with_one_camera(base: FloatArray, base_from_camera: FloatArray) -> None:
    pose = solved({"only": base_from_camera}, base[None] @ base_from_camera)

    assert_same_pose(pose.odom_from_base, base)
    assert pose.weights.tolist() == [1.0]


@given(rigid_transforms())
def test_base_pose_is_exact_when_all_cameras_agree(base: FloatArray) -> None:
    pose = solved(FOUR, seen(FOUR, base))

    assert_same_pose(pose.odom_from_base, base)
    np.testing.assert_allclose(pose.weights, 0.25, atol=1e-9)
    assert pose.disagreeing == frozenset()


@given(rigid_transforms(), seeds)
def test_base_pose_moves_with_the_world(moved_from_odom: FloatArray, seed: int) -> None:
    poses = blurred(seen(FOUR), seed)

    here, there = solved(FOUR, poses), solved(FOUR, moved_from_odom @ poses)

    assert_same_pose(there.odom_from_base, moved_from_odom @ here.odom_from_base, atol=1e-7)
    np.testing.assert_allclose(there.weights, here.weights, atol=1e-6)


@given(rigid_transforms(), seeds)
def test_garbage_camera_of_four_moves_the_base_by_less_than_the_noise(garbage: FloatArray, seed: int) -> None:
    good = blurred(seen(FOUR), seed)
    places = {name: FOUR[name] for name in ("front", "left", "back")}
    without = solved(places, good[[0, 1, 3]]).odom_from_base
    spoilt = good.copy()
    spoilt[2] = spoilt[2] @ garbage

    change = rigid_inverse(without) @ solved(FOUR, spoilt).odom_from_base

    assert rotation_angle(change[:3, :3]) < NOISE.rotation_rad
    assert np.linalg.norm(change[:3, 3]) < NOISE.centre


@given(st.floats(0.0, 0.3), st.floats(0.0, 0.15), unit_vectors())
def test_camera_between_good_and_garbage_moves_the_base_by_less_than_the_noise(
    shift: float, angle_rad: float, direction: FloatArray
) -> None:
    poses = seen(FOUR)
    poses[2] = poses[2] @ rigid(matrix_from_rotation_vector(angle_rad * direction), shift * direction)

    change = rigid_inverse(BASE) @ solved(FOUR, poses).odom_from_base

    assert rotation_angle(change[:3, :3]) < NOISE.rotation_rad
    assert np.linalg.norm(change[:3, 3]) < NOISE.centre


def test_garbage_camera_is_found_and_named_when_it_comes_first() -> None:
    poses = seen(FOUR)
    poses[0] = poses[0] @ rigid(matrix_from_rotation_vector([0.0, 0.5, 0.0]), [1.0, 0.0, 0.0])
    cameras = [Frame(camera, 100 + index, "", IMAGE, None) for index, camera in enumerate(FOUR)]

    pose = Rig(FOUR).base_pose(cameras, poses, NOISE)

    assert pose is not None
    assert_same_pose(pose.odom_from_base, BASE)
    assert pose.disagreeing == {ViewKey("front", 100)}
    assert pose.views == tuple(frame.key for frame in cameras[1:])
    assert pose.stamp_ns == 101  # of the first one used


@given(seeds)
def test_good_cameras_all_take_part(seed: int) -> None:
    for places in (TWO, FOUR):
        pose = solved(places, blurred(seen(places), seed))

        assert not pose.disagreeing
        assert pose.weights.min() > 0.2 / len(places)


def test_first_of_two_contradicting_cameras_stays_without_a_prior() -> None:
    for wrong in (0, 1):
        poses = seen(TWO)
        poses[wrong, :3, 3] += [0.0, 0.5, 0.0]

        pose = solved(TWO, poses)

        assert pose.disagreeing == {ViewKey("left", 0)}
        assert_same_pose(pose.odom_from_base, poses[0] @ rigid_inverse(TWO["front"]))


@pytest.mark.parametrize("prior_offset", [[0.0, 0.0, 0.0], [0.05, 0.02, 0.0], [400.0, 0.0, 0.0]])
@pytest.mark.parametrize("wrong", [0, 1])
def test_camera_near_the_prior_stays_when_two_contradict(wrong: int, prior_offset: list[float]) -> None:
    poses = seen(TWO)
    poses[wrong, :3, 3] -= [0.5, 0.0, 0.0]
    prior = BASE.copy()
    prior[:3, 3] += prior_offset

    pose = solved(TWO, poses, prior)

    assert pose.disagreeing == {ViewKey(list(TWO)[wrong], 0)}
    assert_same_pose(pose.odom_from_base, BASE)


@given(seeds, rigid_transforms())
def test_prior_does_not_matter_when_the_cameras_agree(seed: int, prior: FloatArray) -> None:
    poses = blurred(seen(FOUR), seed)

    with_prior, without = solved(FOUR, poses, prior), solved(FOUR, poses)

    assert_same_pose(with_prior.odom_from_base, without.odom_from_base, atol=1e-7)


@given(seeds)
def test_weights_tell_how_errors_of_views_reach_the_base(seed: int) -> None:
    generator = np.random.default_rng(seed)
    truth = seen(FOUR)
    turn, shift = 1e-6 * generator.normal(size=(2, 4, 3))
    wrong = rigid(matrix_from_rotation_vector(-turn) @ truth[:, :3, :3], truth[:, :3, 3] - shift)

    right, ours = solved(FOUR, truth), solved(FOUR, wrong)

    change = right.odom_from_base[:3, :3] @ ours.odom_from_base[:3, :3].T
    levers = np.stack(list(FOUR.values()))[:, :3, 3] @ ours.odom_from_base[:3, :3].T
    base_turn = ours.weights @ turn
    base_shift = ours.weights @ (shift - np.cross(base_turn, levers))
    np.testing.assert_allclose(rotation_vector_from_matrix(change), base_turn, atol=1e-10)
    np.testing.assert_allclose((right.odom_from_base - ours.odom_from_base)[:3, 3], base_shift, atol=1e-10)


def test_four_cameras_halve_the_noise_of_one() -> None:
    errors = []
    for seed in range(300):
        error = rigid_inverse(BASE) @ solved(FOUR, blurred(seen(FOUR), seed)).odom_from_base
        errors.append(rotation_vector_from_matrix(error[:3, :3]) / NOISE.rotation_rad)

    assert np.std(errors) == pytest.approx(0.5, rel=0.06)


@pytest.mark.parametrize("unit", [0.2, 5.0])
def test_levers_of_the_wrong_length_accuse_no_camera_when_the_scale_is_unknown(unit: float) -> None:
    poses = seen(FOUR)
    poses[:, :3, 3] *= unit

    pose = solved(FOUR, poses, scale_sigma=np.inf)

    assert not pose.disagreeing
    assert_same_pose(pose.odom_from_base[:3, :3], BASE[:3, :3])
    assert len(solved(FOUR, poses).disagreeing) > 0


def test_turned_camera_is_found_when_the_scale_is_unknown() -> None:
    poses = seen(FOUR)
    poses[1] = poses[1] @ rigid(matrix_from_rotation_vector([0.0, 0.5, 0.0]), np.zeros(3))

    assert solved(FOUR, poses, scale_sigma=np.inf).disagreeing == {ViewKey("left", 0)}


def test_first_camera_has_body_axes_and_stands_alone_when_no_place_is_known() -> None:
    rig = Rig({})
    poses = np.stack([BASE @ BODY_FROM_OPTICAL, np.eye(4)])

    pose = rig.base_pose(frames(TWO), poses, NOISE)
    without_it = rig.base_pose(frames(TWO)[1:], poses[1:], NOISE)

    assert pose is not None
    assert_same_pose(pose.odom_from_base, BASE)
    assert pose.views == (ViewKey("front", 0),)
    assert not pose.disagreeing
    assert without_it is None  # the other one has no place, then or later
    assert rig.camera_pose("front", BASE) is not None
    assert not rig.base_from_camera  # nothing that was made up is a fact about the robot


def test_base_pose_is_unknown_when_no_camera_of_the_set_has_a_place() -> None:
    assert Rig(TWO).base_pose([Frame("other", 0, "", IMAGE, None)], np.eye(4)[None], NOISE) is None
    assert Rig(TWO).base_pose([], np.zeros((0, 4, 4)), NOISE) is None


def test_cameras_without_a_place_take_no_part() -> None:
    cameras = [Frame("other", 0, "", IMAGE, None), *frames(TWO, 7)]

    pose = Rig(TWO).base_pose(cameras, np.concatenate((np.eye(4)[None], seen(TWO))), NOISE)

    assert pose is not None
    assert_same_pose(pose.odom_from_base, BASE)
    assert {view.camera for view in pose.views} == set(TWO)
    assert pose.stamp_ns == 7


def test_camera_pose_hangs_from_the_base() -> None:
    rig = Rig(FOUR)

    pose = rig.camera_pose("left", BASE)

    assert pose is not None
    assert_same_pose(pose, BASE @ FOUR["left"])
    assert rig.camera_pose("other", BASE) is None


def test_reference_gives_the_base_its_axes_whichever_camera_comes_first() -> None:
    rig = Rig({}, reference="front")
    left, front = (Frame(name, 0, "", IMAGE, None) for name in ("left", "front"))

    alone = rig.base_pose([left], [BASE @ FOUR["left"]], NOISE)
    together = rig.base_pose([left, front], [BASE @ FOUR["left"], BASE @ FOUR["front"]], NOISE)

    assert alone is None
    assert together is not None
    assert together.views == (front.key,)
    assert_same_pose(together.odom_from_base @ BODY_FROM_OPTICAL, BASE @ FOUR["front"])
