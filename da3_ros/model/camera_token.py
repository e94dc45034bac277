# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras to tokens and back: the encoder for known cameras, the decoder for predicted ones.

Both speak of a camera as nine numbers, (B, V, 9): centre in the reference frame (3), world-from-camera rotation
as quaternion xyzw (4), vertical and horizontal field of view in radians (2). World is the gauge of the network call.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from da3_ros.model.block import Block, Mlp
from da3_ros.model.config import Da3Config

_MIN_UNIT = 0.1
_MIN_TAN_HALF_FOV = 1e-6


def normalise_cameras(camera_from_world: Tensor) -> Tensor:
    """Bring known cameras into the gauge the network was trained with; do this before `Da3Network.forward`.

    The first camera becomes the world, and the median distance of all camera centres from it (the lower of two
    middle ones, the first camera's own zero included) the unit of length. Distances under 0.1 are not stretched to 1.

    Args:
        camera_from_world: (B, V, 4, 4) rigid transforms, OpenCV axes, any unit.

    Returns:
        (B, V, 4, 4) in the new gauge.
    """
    normalised = camera_from_world @ invert_rigid(camera_from_world[:, :1])
    distances = invert_rigid(normalised)[..., :3, 3].norm(dim=-1)
    unit = distances.median(dim=1).values.clamp(min=_MIN_UNIT)
    rotation, translation = normalised[..., :3, :3], normalised[..., :3, 3:] / unit[:, None, None, None]
    return _homogeneous(rotation, translation)


def invert_rigid(transform: Tensor) -> Tensor:
    """Inverse of (..., 4, 4) rotations with translation."""
    rotation_inverse = transform[..., :3, :3].mT
    return _homogeneous(rotation_inverse, -rotation_inverse @ transform[..., :3, 3:])


class CameraEncoder(nn.Module):
    """Turns known cameras into one token per view, letting the cameras of a batch item see each other."""

    def __init__(self, config: Da3Config) -> None:
        super().__init__()
        self.embed = Mlp(9, config.dim // 2, config.dim)
        self.embed_norm = nn.LayerNorm(config.dim)
        self.blocks = nn.ModuleList(
            Block(config.dim, config.camera_heads, norm_eps=1e-5) for _ in range(config.camera_depth)
        )
        self.norm = nn.LayerNorm(config.dim)

    def forward(self, camera_from_world: Tensor, intrinsics: Tensor, image_size: tuple[int, int]) -> Tensor:
        """Encode cameras that `normalise_cameras` has prepared.

        Args:
            camera_from_world: (B, V, 4, 4).
            intrinsics: (B, V, 3, 3) in pixels of the network's images; the principal point is not used.
            image_size: (H, W) of the network's images.

        Returns:
            (B, V, D) camera tokens.
        """
        x = self.embed_norm(self.embed(encode_cameras(camera_from_world, intrinsics, image_size)))
        for block in self.blocks:
            x = block(x)  # (B, V, D): the sequence is the views
        return self.norm(x)


class CameraDecoder(nn.Module):
    """Reads a camera off every view's camera token."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU())
        self.centre = nn.Linear(dim, 3)
        self.quaternion = nn.Linear(dim, 4)
        self.field_of_view = nn.Linear(dim, 2)

    def forward(self, camera_tokens: Tensor) -> Tensor:
        """(B, V, 2*D) tokens of the last tapped block -> (B, V, 9) cameras; the quaternion has any length."""
        x = self.trunk(camera_tokens)
        return torch.cat((self.centre(x), self.quaternion(x), self.field_of_view(x).relu()), dim=-1)


def encode_cameras(camera_from_world: Tensor, intrinsics: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Turn matrices into nine-number cameras; the inverse of `decode_cameras`, but for the principal point.

    Args:
        camera_from_world: (B, V, 4, 4) rigid transforms.
        intrinsics: (B, V, 3, 3) in pixels; the principal point is not used.
        image_size: (H, W) of the network's images.

    Returns:
        (B, V, 9), quaternions of length 1 with w >= 0.
    """
    world_from_camera = invert_rigid(camera_from_world)
    centre = world_from_camera[..., :3, 3]
    quat_xyzw = quaternion_from_matrix(world_from_camera[..., :3, :3])
    focal_yx = torch.stack((intrinsics[..., 1, 1], intrinsics[..., 0, 0]), dim=-1)
    field_of_view = 2 * torch.atan(intrinsics.new_tensor(image_size) / 2 / focal_yx)
    return torch.cat((centre, quat_xyzw, field_of_view), dim=-1)


def decode_cameras(cameras: Tensor, image_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Turn nine-number cameras into matrices.

    Args:
        cameras: (B, V, 9), as `CameraDecoder` returns them.
        image_size: (H, W) of the network's images.

    Returns:
        camera_from_world (B, V, 4, 4), and intrinsics (B, V, 3, 3) in pixels with the principal point in the centre.
    """
    H, W = image_size
    centre, quat_xyzw, field_of_view = cameras.split((3, 4, 2), dim=-1)
    camera_from_world = invert_rigid(_homogeneous(_matrix_from_quaternion(quat_xyzw), centre[..., None]))
    size = field_of_view.new_tensor((H, W))
    fy, fx = (size / 2 / (field_of_view / 2).tan().clamp(min=_MIN_TAN_HALF_FOV)).unbind(-1)
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    intrinsics = torch.stack((fx, zero, W / 2 * one, zero, fy, H / 2 * one, zero, zero, one), dim=-1)
    return camera_from_world, intrinsics.unflatten(-1, (3, 3))


def _matrix_from_quaternion(quat_xyzw: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of quaternions of any non-zero length: 1 + 2 (w [v] + [v][v]) / q.q."""
    x, y, z, w = quat_xyzw.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=-1).unflatten(-1, (3, 3))  # [v]
    factor = 2 / quat_xyzw.square().sum(-1)
    identity = torch.eye(3, dtype=x.dtype, device=x.device)
    return identity + factor[..., None, None] * (w[..., None, None] * cross + cross @ cross)


def quaternion_from_matrix(rotation: Tensor) -> Tensor:
    """Unit quaternions xyzw, w >= 0, of rotation matrices.

    For a rotation by q, the matrix `outer` below is 4 q q^T (Bar-Itzhack 2000): each row is q up to a factor, and
    the row with the largest diagonal entry is the best conditioned.
    """
    (m00, m01, m02), (m10, m11, m12), (m20, m21, m22) = (row.unbind(-1) for row in rotation.unbind(-2))
    rows = (
        (1 + m00 + m11 + m22, m21 - m12, m02 - m20, m10 - m01),
        (m21 - m12, 1 + m00 - m11 - m22, m01 + m10, m02 + m20),
        (m02 - m20, m01 + m10, 1 - m00 + m11 - m22, m12 + m21),
        (m10 - m01, m02 + m20, m12 + m21, 1 - m00 - m11 + m22),
    )
    outer = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)  # order w x y z
    largest, best = outer.diagonal(dim1=-2, dim2=-1).max(-1)
    row = outer.take_along_dim(best[..., None, None], dim=-2).squeeze(-2)
    w, x, y, z = (row / (2 * largest.sqrt()[..., None])).unbind(-1)
    quat_xyzw = torch.stack((x, y, z, w), dim=-1)
    return torch.where(w[..., None] < 0, -quat_xyzw, quat_xyzw)


def _homogeneous(rotation: Tensor, translation: Tensor) -> Tensor:
    """(..., 3, 3) and (..., 3, 1) -> (..., 4, 4)."""
    last = rotation.new_tensor((0.0, 0.0, 0.0, 1.0)).expand(*rotation.shape[:-2], 1, 4)
    return torch.cat((torch.cat((rotation, translation), dim=-1), last), dim=-2)
