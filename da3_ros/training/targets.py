# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the network should have said of a window: depth, rays, points, cameras and matches, in the window's own gauge.

The gauge: the world is the first camera's frame, and the unit is the mean distance of all points seen from it (Depth
Anything 3, section 3.3). Image coordinates have their origin at the outer corner of the first pixel, as everywhere in
the network.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from da3_ros.model.camera_token import encode_cameras, invert_rigid
from da3_ros.model.config import PATCH_SIZE

SAME_DEPTH = 0.06  # two depths of one point differ by no more than this share
NEAREST = 0.05  # points nearer to a camera than this, in units of the window, are not looked for in its image


@dataclass(frozen=True, slots=True)
class Windows:
    """B windows of V views, ready for the network.

    Attributes:
        images: (B, V, 3, H, W) float32, ImageNet-normalised.
        depth: (B, V, H, W) float32 along the optical axis, NaN where unknown; to learn from, as good or poor as it is.
        exact_depth: (B, V, H, W) float32, the truth, by which it is known what two views both see.
        world_from_camera: (B, V, 4, 4) float32 rigid, OpenCV axes, in the unit of depth.
        intrinsics: (B, V, 3, 3) float32, pixels from the outer corner, principal point in the centre.
    """

    images: Tensor
    depth: Tensor
    exact_depth: Tensor
    world_from_camera: Tensor
    intrinsics: Tensor

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.images.shape[-2], self.images.shape[-1]

    def to(self, device: torch.device) -> Windows:
        """These windows on a device."""
        tensors = (getattr(self, field.name) for field in fields(self))
        return Windows(*(tensor.to(device, non_blocking=True) for tensor in tensors))


@dataclass(frozen=True, slots=True)
class Matches:
    """Where the centres of patches lie in other views.

    Attributes:
        patch: (B, V, V, P) int64: patch of the second view that sees what patch p of the first one sees; -1 where it
            is hidden, outside, unknown, or where both views are the same.
        place: (B, V, P, 2) column and row in view 0 as shares of its size; NaN where the point is not seen there.
    """

    patch: Tensor
    place: Tensor


def in_gauge(windows: Windows) -> Windows:
    """The same windows in their own gauge.

    A window without any known depth keeps its unit.
    """
    first_from_camera = invert_rigid(windows.world_from_camera[:, :1]) @ windows.world_from_camera
    directions = ray_directions(windows.intrinsics, windows.size, windows.size)
    seen = windows.depth[..., None] * directions  # (B, V, H, W, 3), camera frames
    points = _moved(first_from_camera, seen)
    unit = points.norm(dim=-1).flatten(1).nanmean(1).nan_to_num(1.0)
    poses = first_from_camera.clone()
    poses[..., :3, 3] /= unit[:, None, None]
    depth, exact_depth = (each / unit[:, None, None, None] for each in (windows.depth, windows.exact_depth))
    return replace(windows, depth=depth, exact_depth=exact_depth, world_from_camera=poses)


def ray_directions(intrinsics: Tensor, size: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """(B, V, gh, gw, 3) directions K^-1 (u, v, 1), z = 1, through the centres of a grid laid over the images."""
    (H, W), (gh, gw) = size, grid
    u = (torch.arange(gw, device=intrinsics.device) + 0.5) * (W / gw)
    v = (torch.arange(gh, device=intrinsics.device) + 0.5) * (H / gh)
    fx, fy, cx, cy = (intrinsics[..., i, j, None] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    x, y = (u - cx) / fx, (v - cy) / fy  # (B, V, gw), (B, V, gh)
    x, y = torch.broadcast_tensors(x[..., None, :], y[..., :, None])
    return torch.stack((x, y, torch.ones_like(x)), dim=-1)


def ray_map(windows: Windows, grid: tuple[int, int]) -> Tensor:
    """(B, V, gh, gw, 6) R K^-1 (u, v, 1), then the camera's centre, at the centres of a grid."""
    directions = ray_directions(windows.intrinsics, windows.size, grid)
    turned = _turned(windows.world_from_camera, directions)
    centre = windows.world_from_camera[..., None, None, :3, 3].expand_as(turned)
    return torch.cat((turned, centre), dim=-1)


def sampled(depth: Tensor, grid: tuple[int, int]) -> Tensor:
    """(B, V, gh, gw) depth (B, V, H, W) at the pixels under the centres of a grid."""
    (H, W), (gh, gw) = depth.shape[-2:], grid
    if grid == (H, W):
        return depth
    rows = ((torch.arange(gh, device=depth.device) + 0.5) * H / gh).long()
    columns = ((torch.arange(gw, device=depth.device) + 0.5) * W / gw).long()
    return depth[:, :, rows[:, None], columns]


def cameras(windows: Windows) -> Tensor:
    """(B, V, 9) as the camera head should say them."""
    return encode_cameras(invert_rigid(windows.world_from_camera), windows.intrinsics, windows.size)


def matches(windows: Windows) -> Matches:
    """Follow the centres of all patches into all views, by exact depth; of windows in their gauge."""
    (H, W), V = windows.size, windows.depth.shape[1]
    h, w = H // PATCH_SIZE, W // PATCH_SIZE
    middle = slice(PATCH_SIZE // 2, None, PATCH_SIZE)
    directions = ray_directions(windows.intrinsics, (H, W), (H, W))[:, :, middle, middle]
    points = _moved(windows.world_from_camera, windows.exact_depth[:, :, middle, middle, None] * directions)
    points = points.flatten(2, 3)  # (B, V, P, 3) world
    patch = torch.full((*points.shape[:2], V, h * w), -1, device=points.device)
    place = torch.full_like(points[..., :2], torch.nan)
    for view in range(V):
        u, v, is_seen = _seen_by(windows, view, points)
        column, row = (u / PATCH_SIZE).long(), (v / PATCH_SIZE).long()
        patch[:, :, view] = torch.where(is_seen, row * w + column, -1)
        patch[:, view, view] = -1
        if view == 0:
            share = torch.stack((u / W, v / H), dim=-1)
            place = torch.where(is_seen[..., None], share, place)
    return Matches(patch, place)


def _seen_by(windows: Windows, view: int, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Column, row and visibility (B, V, P) of world points (B, V, P, 3) in the images of one view."""
    H, W = windows.size
    camera_from_world = invert_rigid(windows.world_from_camera[:, view, None])
    x, y, z = _moved(camera_from_world, points[:, :, None]).squeeze(2).unbind(-1)
    K = windows.intrinsics[:, view, None, None]
    u = K[..., 0, 0] * x / z + K[..., 0, 2]
    v = K[..., 1, 1] * y / z + K[..., 1, 2]
    inside = (z > NEAREST) & (u >= 0) & (u < W) & (v >= 0) & (v < H)
    u, v = torch.where(inside, u, 0.0), torch.where(inside, v, 0.0)
    pixel = (v.long() * W + u.long()).flatten(1)
    there = windows.exact_depth[:, view].flatten(1).gather(1, pixel).view_as(z)
    return u, v, inside & ((there - z).abs() < SAME_DEPTH * z)


def _moved(a_from_b: Tensor, points: Tensor) -> Tensor:
    """(B, V, n, m, 3) points moved by the (B, V, 4, 4) transform of their view."""
    return _turned(a_from_b, points) + a_from_b[..., None, None, :3, 3]


def _turned(a_from_b: Tensor, vectors: Tensor) -> Tensor:
    """(B, V, n, m, 3) vectors turned by the (B, V, 4, 4) transform of their view; one large product is fastest."""
    return (vectors.flatten(2, 3) @ a_from_b[..., :3, :3].transpose(-1, -2)).view_as(vectors)
