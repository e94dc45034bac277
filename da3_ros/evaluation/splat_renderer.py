# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Images of 3D Gaussians, in plain torch on any device, differentiable.

Each Gaussian becomes an ellipse by the projection linearised at its mean (Zwicker et al. 2001, "EWA volume splatting"),
ellipses are sorted by the depth of their means and composited front to back (Kerbl et al. 2023, eqs. 2-6). Tiles only
save work: the image does not depend on their size. This measures; it is not for real time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy.typing as npt
import torch
from torch import Tensor

from da3_ros.evaluation.harmonics import seen_colours
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.gaussians import Gaussians

TILE_PX = 8
AT_ONCE = 512  # Gaussians composited together in a tile
# As Kerbl et al.: what a pixel's own size adds to the ellipse, what is too faint or too opaque to count, when to stop.
PIXEL_VARIANCE_PX2 = 0.3
MIN_ALPHA, MAX_ALPHA = 1 / 255, 0.99
MIN_TRANSMITTANCE = 1e-4
NEAREST = 0.01
# The projection is linearised no further outside of the image than this share of its width and height.
MARGIN = 0.15


@dataclass(frozen=True, slots=True)
class SplatTensors:
    """The fields of `geometry.gaussians.Gaussians` as float32 tensors of one device; any may require a gradient."""

    means: Tensor
    scales: Tensor
    quaternions: Tensor
    harmonics: Tensor
    opacities: Tensor

    @staticmethod
    def of(gaussians: Gaussians, device: torch.device | str = "cpu") -> SplatTensors:
        """Copy from numpy."""
        fields = (getattr(gaussians, name) for name in SplatTensors.__slots__)
        return SplatTensors(*(torch.as_tensor(field, dtype=torch.float32).to(device) for field in fields))


@dataclass(frozen=True, slots=True)
class Rendering:
    """One image.

    Attributes:
        image: (H, W, 3) red, green and blue, 0 and above.
        coverage: (H, W) in 0..1: how much of the background is hidden.
    """

    image: Tensor
    coverage: Tensor


@dataclass(frozen=True, slots=True)
class _Ellipses:
    """M Gaussians as a camera sees them, near to far.

    Attributes:
        centres: (M, 2) u, v pixels.
        conics: (M, 3) inverse covariance: xx, xy, yy.
        reach: (M, 2) pixels along u and v beyond which they are too faint to count.
        colours: (M, 3).
        opacities: (M,).
    """

    centres: Tensor
    conics: Tensor
    reach: Tensor
    colours: Tensor
    opacities: Tensor

    def take(self, which: Tensor) -> _Ellipses:
        return _Ellipses(*(getattr(self, name)[which] for name in _Ellipses.__slots__))


def render(
    splats: SplatTensors,
    camera: PinholeCamera,
    camera_from_world: npt.ArrayLike,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Rendering:
    """Render the image of a distortion-free camera.

    Args:
        splats: N Gaussians in the world.
        camera: intrinsics; its distortion is ignored.
        camera_from_world: (4, 4) rigid, optical frame, in the unit of the Gaussians.
        background: red, green and blue where nothing is.
    """
    pose = torch.as_tensor(camera_from_world, dtype=torch.float32, device=splats.means.device)
    ellipses = _project(splats, camera, pose)
    H, W = camera.size
    behind = ellipses.centres.new_tensor(background)
    image, coverage = behind.repeat(H, W, 1), behind.new_zeros(H, W)
    for top, left, members in _tiles(ellipses, camera.size):
        rows, cols = slice(top, min(top + TILE_PX, H)), slice(left, min(left + TILE_PX, W))
        v, u = torch.meshgrid(
            torch.arange(rows.start, rows.stop, device=behind.device),
            torch.arange(cols.start, cols.stop, device=behind.device),
            indexing="ij",
        )
        colour, transmittance = _composite(ellipses, members, torch.stack((u, v), dim=-1).view(-1, 2).float())
        image[rows, cols] = (colour + transmittance[:, None] * behind).view(*v.shape, 3)
        coverage[rows, cols] = 1 - transmittance.view(v.shape)
    return Rendering(image, coverage)


def _project(splats: SplatTensors, camera: PinholeCamera, camera_from_world: Tensor) -> _Ellipses:
    """Those that reach into the image, near to far."""
    rotation, shift = camera_from_world[:3, :3], camera_from_world[:3, 3]
    depth = splats.means @ rotation[2] + shift[2]
    order = depth.detach().argsort(stable=True)
    order = order[(depth[order] > NEAREST) & (splats.opacities[order] > MIN_ALPHA)]
    means, opacities = splats.means[order], splats.opacities[order]
    x, y, z = (means @ rotation.T + shift).unbind(-1)
    centres = torch.stack((camera.fx_px * x / z + camera.cx_px, camera.fy_px * y / z + camera.cy_px), dim=-1)
    axes = rotation @ _axes(splats.quaternions[order], splats.scales[order])
    spread = _projection_jacobian(x, y, z, camera) @ axes  # (M, 2, 3): its product with itself is the covariance
    xx, yy = (spread.square().sum(-1) + PIXEL_VARIANCE_PX2).unbind(-1)
    xy = (spread[:, 0] * spread[:, 1]).sum(-1)
    conics = torch.stack((yy, -xy, xx), dim=-1) / (xx * yy - xy * xy)[:, None]
    with torch.no_grad():
        sigmas = (2 * (opacities / MIN_ALPHA).log()).sqrt()
        reach = sigmas[:, None] * torch.stack((xx, yy), dim=-1).sqrt()
        size = centres.new_tensor((camera.size[1], camera.size[0]))
        seen = ((centres + reach > -0.5) & (centres - reach < size - 0.5)).all(-1).nonzero()[:, 0]
    eye = -rotation.T @ shift
    directions = torch.nn.functional.normalize(means[seen] - eye, dim=-1)
    colours = seen_colours(splats.harmonics[order[seen]], directions)
    return _Ellipses(centres[seen], conics[seen], reach[seen], colours, opacities[seen])


def _axes(quaternions: Tensor, scales: Tensor) -> Tensor:
    """(M, 3, 3) columns: the axes of Gaussians in the world, as long as their standard deviations."""
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=-1).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2) * scales[:, None]


def _projection_jacobian(x: Tensor, y: Tensor, z: Tensor, camera: PinholeCamera) -> Tensor:
    """(M, 2, 3) derivative of pixels by points of the optical frame (Zwicker et al. 2001, eq. 29)."""
    H, W = camera.size
    margin_x, margin_y = MARGIN * W / camera.fx_px, MARGIN * H / camera.fy_px
    slope_x = (x / z).clamp(
        (-0.5 - camera.cx_px) / camera.fx_px - margin_x, (W - 0.5 - camera.cx_px) / camera.fx_px + margin_x
    )
    slope_y = (y / z).clamp(
        (-0.5 - camera.cy_px) / camera.fy_px - margin_y, (H - 0.5 - camera.cy_px) / camera.fy_px + margin_y
    )
    zero = torch.zeros_like(z)
    first = torch.stack((camera.fx_px / z, zero, -camera.fx_px * slope_x / z), dim=-1)
    second = torch.stack((zero, camera.fy_px / z, -camera.fy_px * slope_y / z), dim=-1)
    return torch.stack((first, second), dim=-2)


@torch.no_grad()
def _tiles(ellipses: _Ellipses, size: tuple[int, int]) -> list[tuple[int, int, Tensor]]:
    """Top row, left column, and the ellipses that may reach into each tile, near to far."""
    across, down = -(-size[1] // TILE_PX), -(-size[0] // TILE_PX)
    most = ellipses.centres.new_tensor((across - 1, down - 1))
    first = ((ellipses.centres - ellipses.reach + 0.5) / TILE_PX).floor().clamp(min=0).minimum(most).long()
    last = ((ellipses.centres + ellipses.reach + 0.5) / TILE_PX).floor().clamp(min=0).minimum(most).long()
    width, height = (last - first + 1).unbind(-1)
    counts = width * height
    member = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
    within = torch.arange(len(member), device=counts.device) - (counts.cumsum(0) - counts)[member]
    row, col = within // width[member] + first[member, 1], within % width[member] + first[member, 0]
    tile, order = (row * across + col).sort(stable=True)
    tiles, lengths = tile.unique_consecutive(return_counts=True)
    members = member[order].split(lengths.tolist())
    return [
        (index // across * TILE_PX, index % across * TILE_PX, some)
        for index, some in zip(tiles.tolist(), members, strict=True)
    ]


def _composite(ellipses: _Ellipses, members: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Colour (P, 3) and what is left of the background (P,) at (P, 2) pixels, from ellipses near to far."""
    colour, transmittance = pixels.new_zeros(len(pixels), 3), pixels.new_ones(len(pixels))
    for some in members.split(AT_ONCE):
        near = ellipses.take(some)
        du, dv = (pixels - near.centres[:, None]).unbind(-1)  # (G, P)
        xx, xy, yy = near.conics[:, :, None].unbind(1)
        alpha = near.opacities[:, None] * (-0.5 * (xx * du * du + yy * dv * dv) - xy * du * dv).exp()
        alpha = torch.where(alpha < MIN_ALPHA, 0.0, alpha.clamp(max=MAX_ALPHA))
        left = transmittance * (1 - alpha).cumprod(0)
        before = torch.cat((transmittance[None], left[:-1]))
        colour = colour + (before * alpha).T @ near.colours
        transmittance = left[-1]
        if transmittance.max() < MIN_TRANSMITTANCE:
            break
    return colour, transmittance
