# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras to nine numbers and back, and the gauge they are given in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from da3_ros.model.camera_token import decode_cameras, encode_cameras, invert_rigid, normalise_cameras
from test.closeness import assert_close

SIZE = (42, 70)


def _cameras(rotations: Rotation, seed: int = 0) -> Tensor:
    """(1, V, 4, 4) transforms with the given rotations and random centres."""
    transforms = np.tile(np.eye(4), (len(rotations), 1, 1))
    transforms[:, :3, :3] = rotations.as_matrix()
    transforms[:, :3, 3] = np.random.default_rng(seed).normal(size=(len(rotations), 3))
    return torch.tensor(transforms, dtype=torch.float32)[None]


def _random(views: int, seed: int = 0) -> Tensor:
    return _cameras(Rotation.random(views, rng=np.random.default_rng(seed)), seed)


def _scaled(camera_from_world: Tensor, factor: float) -> Tensor:
    """The same cameras with lengths in another unit."""
    scaled = camera_from_world.clone()
    scaled[..., :3, 3] *= factor
    return scaled


def _intrinsics(views: int) -> Tensor:
    H, W = SIZE
    return torch.tensor([[60.0, 0.0, W / 2], [0.0, 50.0, H / 2], [0.0, 0.0, 1.0]]).expand(1, views, 3, 3)


def test_encoded_cameras_decode_to_themselves() -> None:
    camera_from_world = _random(50)

    decoded, intrinsics = decode_cameras(encode_cameras(camera_from_world, _intrinsics(50), SIZE), SIZE)

    assert_close(decoded, camera_from_world)
    assert_close(intrinsics, _intrinsics(50))


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, -2, 3)], ids=str)
@pytest.mark.parametrize("angle_rad", [0.0, 1e-4, np.pi - 1e-3, np.pi], ids="{:.4f}".format)
def test_encoding_holds_for_half_turns_and_none(axis: tuple[int, int, int], angle_rad: float) -> None:
    direction = np.array(axis) / np.linalg.norm(axis)
    camera_from_world = _cameras(Rotation.from_rotvec(angle_rad * direction[None]))

    encoded = encode_cameras(camera_from_world, _intrinsics(1), SIZE)

    quat_xyzw = encoded[0, 0, 3:7]
    assert quat_xyzw[3] >= 0
    assert_close(quat_xyzw.norm(), 1.0)
    assert_close(decode_cameras(encoded, SIZE)[0], camera_from_world)


def test_encoding_is_the_world_pose_of_the_camera_in_published_order() -> None:
    camera_from_world = _random(3)
    world_from_camera = np.linalg.inv(camera_from_world[0].double().numpy())
    H, W = SIZE

    encoded = encode_cameras(camera_from_world, _intrinsics(3), SIZE)[0]

    assert_close(encoded[:, :3], world_from_camera[:, :3, 3])
    assert_close(encoded[:, 3:7], Rotation.from_matrix(world_from_camera[:, :3, :3]).as_quat(canonical=True))
    assert_close(encoded[0, 7:], [2 * np.arctan(H / 2 / 50.0), 2 * np.arctan(W / 2 / 60.0)])


def test_decoded_camera_is_rigid_when_the_quaternion_is_not_unit() -> None:
    camera = torch.tensor([[[1.0, 2.0, 3.0, 0.1, 3.0, -2.0, 5.0, 0.7, 0.9]]])

    camera_from_world = decode_cameras(camera, SIZE)[0][0, 0]

    assert_close(camera_from_world[:3, :3] @ camera_from_world[:3, :3].T, np.eye(3))
    assert_close(camera_from_world @ torch.tensor([1.0, 2.0, 3.0, 1.0]), [0.0, 0.0, 0.0, 1.0])


def test_decoded_focal_length_stays_finite_when_the_field_of_view_is_zero() -> None:
    camera = torch.tensor([[[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]]])

    assert decode_cameras(camera, SIZE)[1].isfinite().all()


def test_inverse_undoes_a_rigid_transform() -> None:
    transform = _random(4)

    assert_close(invert_rigid(transform) @ transform, np.tile(np.eye(4), (1, 4, 1, 1)))


@pytest.mark.parametrize("views", [1, 2, 3, 6])
def test_normalised_cameras_start_at_the_identity(views: int) -> None:
    normalised = normalise_cameras(_random(views))

    assert_close(normalised[:, 0], np.eye(4)[None])


def test_normalised_cameras_have_their_lower_median_distance_at_one() -> None:
    normalised = normalise_cameras(_scaled(_random(6), 10.0))

    distances = invert_rigid(normalised)[0, :, :3, 3].norm(dim=-1).sort().values

    assert_close(distances[2], 1.0)  # of six, the first camera's zero included


def test_normalised_cameras_do_not_depend_on_world_or_unit() -> None:
    camera_from_world, other_world = _random(5), _random(1, seed=9)

    expected = normalise_cameras(camera_from_world)

    assert_close(normalise_cameras(camera_from_world @ other_world), expected, relative=1e-4)
    assert_close(normalise_cameras(_scaled(camera_from_world, 7.0)), expected)


@pytest.mark.parametrize("views", [1, 2, 4])
def test_normalised_cameras_are_not_blown_up_when_the_rig_stands_still(views: int) -> None:
    camera_from_world = torch.eye(4).repeat(1, views, 1, 1)
    camera_from_world[:, 1:, 0, 3] = 1e-3

    normalised = normalise_cameras(camera_from_world)

    assert_close(normalised[:, 1:, 0, 3], 10 * camera_from_world[:, 1:, 0, 3])


def test_batch_items_are_normalised_apart() -> None:
    together = torch.cat((_random(4, seed=1), _random(4, seed=2)))

    normalised = normalise_cameras(together)

    assert_close(normalised[1:], normalise_cameras(together[1:]))
