# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A teacher that sees one image at a time and learns from dense exact depth.

Its depth has neither scale nor shift: both are taken out of prediction and truth before they are compared (Depth
Anything 3, section 4). `labels` puts them in again.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from da3_ros.model.config import PATCH_SIZE
from da3_ros.model.monocular import MonocularNetwork
from da3_ros.training.config import LossWeights
from da3_ros.training.losses import gradient_error, mean_of_known, total
from da3_ros.training.targets import Windows, ray_directions, sampled

LEAST_SPREAD = 1e-4  # of depth about its median: an image that is flatter keeps its size


class TrainedTeacher(nn.Module):
    """A monocular network that is being trained."""

    def __init__(self, network: MonocularNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, fine: bool) -> Tensor:
        """(B, V, 3, H, W) images -> (B, V, gH, gW) depth, at image size or at four samples per patch side."""
        head, (H, W) = self.network.head, images.shape[-2:]
        taps = self.network.backbone(images.flatten(0, 1))
        growth, grid = (2, (H, W)) if fine else (1, (4 * H // PATCH_SIZE, 4 * W // PATCH_SIZE))
        pyramid = head.reassemble(taps, (H // PATCH_SIZE, W // PATCH_SIZE), W / H)
        depth, _ = head.depth_output(head.depth_fusion(pyramid, growth), grid)
        return depth.float().unflatten(0, images.shape[:2])

    def terms(self, windows: Windows, knows_cameras: bool, fine: bool, weights: LossWeights) -> dict[str, Tensor]:
        """Terms of the loss, which has no unit; a teacher is never told cameras."""
        del knows_cameras
        with torch.autocast(windows.images.device.type, torch.bfloat16):
            depth = self(windows.images, fine)
        return teacher_losses(depth, windows, weights)


def teacher_losses(predicted: Tensor, windows: Windows, weights: LossWeights) -> dict[str, Tensor]:
    """Depth without scale and shift, its slopes, and normals of surfaces, nearer ones counting more.

    Args:
        predicted: (B, V, gH, gW) depth up to scale and shift, one of each for every view.
        windows: what was true.
        weights: of depth, gradient and normal.

    Returns:
        Scalars as `losses.losses` gives them.
    """
    grid = (predicted.shape[-2], predicted.shape[-1])
    true = sampled(windows.depth, grid)
    is_known = ~true.isnan()
    ours, theirs = without_scale_and_shift(predicted, is_known), without_scale_and_shift(true, is_known)
    terms = {
        "depth": mean_of_known((ours - theirs).abs(), is_known),
        "gradient": gradient_error(ours - theirs, is_known),
    }
    if weights.normal:
        rays = ray_directions(windows.intrinsics, windows.size, grid)
        placed = _placed_like(predicted, true.nan_to_num(), is_known)
        terms["normal"] = normal_error(placed, true.nan_to_num(), rays, is_known)
    return total(terms, weights)


def without_scale_and_shift(depth: Tensor, is_known: Tensor) -> Tensor:
    """(B, V, H, W) depth less its median, over its mean distance from it; zero where unknown (Ranftl 2020, eq. 5)."""
    flat = depth.where(is_known, torch.nan).flatten(2)
    shifted = flat - flat.nanmedian(-1, keepdim=True).values
    spread = shifted.abs().nanmean(-1, keepdim=True).clamp(min=LEAST_SPREAD)
    known = is_known.flatten(2)
    safe = depth.flatten(2).where(known, 0.0) - flat.nanmedian(-1, keepdim=True).values.nan_to_num()
    return ((safe / spread.nan_to_num(1.0)) * known).view_as(depth)


def normal_error(predicted: Tensor, true: Tensor, rays: Tensor, is_known: Tensor) -> Tensor:
    """Mean of 1 - cosine between normals, weighted by one over true depth."""
    known = is_known[..., 1:, 1:] & is_known[..., :-1, 1:] & is_known[..., 1:, :-1]
    ours, theirs = _normals(predicted, rays), _normals(true, rays)
    near = (1 / true[..., 1:, 1:].clamp(min=LEAST_SPREAD)).where(known, 0.0)
    away = 1 - functional.cosine_similarity(ours, theirs, dim=-1)
    return (away * near).sum() / near.sum().clamp(min=LEAST_SPREAD)


def _placed_like(predicted: Tensor, true: Tensor, is_known: Tensor) -> Tensor:
    """A prediction with the truth's median and spread, so that both have normals."""
    bare = without_scale_and_shift(predicted, is_known)
    flat = true.where(is_known, torch.nan).flatten(2)
    middle = flat.nanmedian(-1).values.nan_to_num()[..., None, None]
    spread = (flat - middle.flatten(2)).abs().nanmean(-1).nan_to_num()[..., None, None]
    return (bare * spread + middle).clamp(min=LEAST_SPREAD)


def _normals(depth: Tensor, rays: Tensor) -> Tensor:
    """(B, V, H - 1, W - 1, 3) cross products of neighbours' differences, not normalised."""
    points = depth[..., None] * rays
    across = points[..., 1:, 1:, :] - points[..., 1:, :-1, :]
    down = points[..., 1:, 1:, :] - points[..., :-1, 1:, :]
    return torch.linalg.cross(across, down)
