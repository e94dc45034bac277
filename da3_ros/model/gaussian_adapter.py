# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Raw Gaussians, depth and cameras to Gaussians in the world of the network call."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from da3_ros.model.camera_token import invert_rigid, quaternion_from_matrix
from da3_ros.model.gaussians import RAW_FIELDS
from da3_ros.model.spherical_harmonics import COEFFICIENTS, MAX_DEGREE, harmonics_rotation

# A scale is this share of a pixel's size at the Gaussian's depth, times a number between the two limits.
_PIXEL_SHARE = 0.1
_MIN_SCALE, _MAX_SCALE = 1e-5, 30.0
_MAX_POSE_SCALE = 3.0  # and one third: known poses never stretch the scene further


@dataclass(frozen=True, slots=True)
class GaussianOutput:
    """One Gaussian per pixel of B windows, N = V*H*W in the order of views, rows and columns.

    The world is that of the cameras predicted in the same call; with known cameras its unit is theirs, as nearly as one
    scale can make it.

    Attributes:
        means: (B, N, 3).
        scales: (B, N, 3) standard deviations along the Gaussian's axes; negative where depth plus its offset is, which
            means the same as positive.
        quaternions: (B, N, 4) wxyz, length 1: axes of the Gaussian in the world.
        harmonics: (B, N, 3, 9) colour as spherical harmonics of the direction of view, see `spherical_harmonics`; red,
            green and blue are 0.5 plus their sums.
        opacities: (B, N) in 0..1.
    """

    means: Tensor
    scales: Tensor
    quaternions: Tensor
    harmonics: Tensor
    opacities: Tensor


def gaussians_in_world(
    raw: Tensor, depth: Tensor, camera_from_world: Tensor, intrinsics: Tensor, scale: Tensor
) -> GaussianOutput:
    """Place what `GaussianHead` says.

    Depth along the optical axis is used as distance along the ray: so the network was trained.

    Args:
        raw: (B, V, H, W, 38).
        depth: (B, V, H, W) of the same call.
        camera_from_world: (B, V, 4, 4) predicted in the same call.
        intrinsics: (B, V, 3, 3) likewise, without skew, pixel origin at the outer corner.
        scale: (B,) by which depth and camera centres grow first; see `known_pose_scale`.
    """
    fields = dict(zip(RAW_FIELDS, raw.split(tuple(RAW_FIELDS.values()), dim=-1), strict=True))
    world_from_camera = invert_rigid(camera_from_world)
    rotation, centre = world_from_camera[..., :3, :3], world_from_camera[..., :3, 3] * scale[:, None, None]
    distance = (depth[..., None] + fields["depth_offset"]) * scale[:, None, None, None, None]
    rays = _unit_rays(fields["offset_px"], intrinsics) @ rotation[:, :, None].mT
    pixel_size = (1 / intrinsics[..., 0, 0] + 1 / intrinsics[..., 1, 1])[..., None, None, None]
    scales = _MIN_SCALE + (_MAX_SCALE - _MIN_SCALE) * fields["scale"].sigmoid()
    turn = harmonics_rotation(rotation) * _harmonics_damping(raw)
    harmonics = fields["harmonics"].unflatten(-1, (3, COEFFICIENTS)).flatten(2, 4) @ turn.mT  # (B, V, H*W*3, 9)
    return GaussianOutput(
        means=(centre[:, :, None, None] + rays * distance).flatten(1, 3),
        scales=(scales * distance * _PIXEL_SHARE * pixel_size).flatten(1, 3),
        quaternions=_world_quaternions(fields["rotation"], rotation).flatten(1, 3),
        harmonics=harmonics.unflatten(2, (-1, 3)).flatten(1, 2),
        opacities=fields["opacity"].sigmoid().flatten(1),
    )


def known_pose_scale(known: Tensor, predicted: Tensor) -> Tensor:
    """Units of known cameras per unit of predicted ones: Umeyama's scale (1991, eq. 42) between their centres.

    Args:
        known: (B, V, 4, 4) camera from world, as given to the network.
        predicted: (B, V, 4, 4) camera from world, as the network answers.

    Returns:
        (B,) between 1/3 and 3; 1 where the centres of either kind coincide, as that of a single view does. On a line
        the rotation is free, the scale is not, and is used; there the published package goes by its rounding errors.
    """
    target, source = (invert_rigid(cameras.double())[..., :3, 3] for cameras in (known, predicted))
    target, source = target - target.mean(1, keepdim=True), source - source.mean(1, keepdim=True)
    u, singular, vh = torch.linalg.svd(target.mT @ source / target.shape[1])
    proper = torch.sign(torch.linalg.det(u @ vh))
    trace = singular[:, 0] + singular[:, 1] + singular[:, 2] * proper
    scale = (trace / source.square().sum(-1).mean(-1)).clamp(1 / _MAX_POSE_SCALE, _MAX_POSE_SCALE)
    coincide = singular[:, 0] <= torch.finfo(torch.float32).eps  # the gauge has a unit near 1
    return torch.where(coincide, torch.ones_like(scale), scale).to(known.dtype)


def _unit_rays(offset_px: Tensor, intrinsics: Tensor) -> Tensor:
    """(B, V, H, W, 3) directions of length 1, optical frame, through pixel centres moved by (B, V, H, W, 2)."""
    H, W = offset_px.shape[2:4]
    u = torch.arange(W, device=offset_px.device) + 0.5
    v = torch.arange(H, device=offset_px.device)[:, None] + 0.5
    K = intrinsics[:, :, None, None]
    x = (u + offset_px[..., 0] - K[..., 0, 2]) / K[..., 0, 0]
    y = (v + offset_px[..., 1] - K[..., 1, 2]) / K[..., 1, 1]
    return torch.nn.functional.normalize(torch.stack((x, y, torch.ones_like(x)), dim=-1), dim=-1)


def _harmonics_damping(like: Tensor) -> Tensor:
    """(9,) factors that tell how much less each degree counts: 1, 0.025, 0.00625."""
    factors = [0.1 * 0.25**degree if degree else 1.0 for degree in range(MAX_DEGREE + 1) for _ in range(2 * degree + 1)]
    return like.new_tensor(factors)


def _world_quaternions(raw: Tensor, rotation: Tensor) -> Tensor:
    """Turn the Gaussians' axes into the world.

    The published network was trained with an order of quaternion components that changes twice on the way: its numbers
    (a, b, c, d) turn as the quaternion with scalar part c and vector part (d, a, b), and the product is read
    with its first component as the scalar where it is rendered. Its weights know nothing else, so we do the same.

    Args:
        raw: (B, V, H, W, 4) a, b, c, d of any length.
        rotation: (B, V, 3, 3) world from camera.

    Returns:
        (B, V, H, W, 4), to be read as wxyz; length 1.
    """
    camera = quaternion_from_matrix(rotation)[:, :, None, None]
    v1, w1 = camera.split((3, 1), dim=-1)
    v2, w2 = raw[..., (3, 0, 1)], raw[..., 2:3]
    v1 = v1.expand_as(v2)
    vector = w1 * v2 + w2 * v1 + torch.linalg.cross(v1, v2)
    scalar = w1 * w2 - (v1 * v2).sum(-1, keepdim=True)
    product = torch.nn.functional.normalize(torch.cat((vector, scalar), dim=-1), dim=-1)
    return torch.where(scalar < 0, -product, product)
