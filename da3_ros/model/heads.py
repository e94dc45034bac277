# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The Dual-DPT head: depth from one fusion chain, camera rays from another, over one shared pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from da3_ros.model.config import PATCH_SIZE, Da3Config
from da3_ros.model.dpt import Fusion, Reassemble, add_image_positions, resize

VIEWS_AT_ONCE = 8
_HIDDEN = 32


@dataclass(frozen=True, slots=True)
class DenseOutput:
    """What the head says; fields as in `network.NetworkOutput`."""

    depth: Tensor
    confidence: Tensor
    ray: Tensor | None = None
    ray_confidence: Tensor | None = None


class DepthOutput(nn.Module):
    """Fused features to depth and its confidence at full image size."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.neck = nn.Conv2d(features, features // 2, 3, padding=1)
        self.hidden = nn.Conv2d(features // 2, _HIDDEN, 3, padding=1)
        self.output = nn.Conv2d(_HIDDEN, 2, kernel_size=1)

    def forward(self, x: Tensor, image_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """(N, features, 8h, 8w) -> depth > 0 and confidence > 1, (N, H, W) each."""
        H, W = image_size
        x = add_image_positions(resize(self.neck(x), image_size), W / H)
        # Both exponentials would make much of the rounding in a low-precision last layer.
        log_depth, log_confidence = self.output(self.hidden(x).relu_().float()).unbind(1)
        return log_depth.exp(), log_confidence.exp() + 1


class RayOutput(nn.Module):
    """Fused features to rays and their confidence at eight samples per patch side."""

    def __init__(self, features: int) -> None:
        super().__init__()
        half = features // 2
        widths = (features, half, features, half, features, half)
        # No activations between: that is how it was trained.
        self.neck = nn.Sequential(*(nn.Conv2d(c_in, c_out, 3, padding=1) for c_in, c_out in pairwise(widths)))
        self.hidden = nn.Conv2d(half, _HIDDEN, 3, padding=1)
        self.norm = nn.LayerNorm(_HIDDEN)
        self.output = nn.Conv2d(_HIDDEN, 7, kernel_size=1)

    def forward(self, x: Tensor, aspect: float) -> tuple[Tensor, Tensor]:
        """(N, features, 8h, 8w) -> rays (N, 8h, 8w, 6), direction then origin, and confidence > 1 (N, 8h, 8w)."""
        x = self.hidden(add_image_positions(self.neck(x), aspect))
        x = self.norm(x.permute(0, 2, 3, 1).float()).permute(0, 3, 1, 2).relu_()  # norm over channels
        ray, log_confidence = self.output(x).split((6, 1), dim=1)
        return ray.permute(0, 2, 3, 1), log_confidence.squeeze(1).exp() + 1


class DualDptHead(nn.Module):
    """Patch features of the four taps to depth, confidence and, when asked, rays."""

    def __init__(self, config: Da3Config) -> None:
        super().__init__()
        features = config.head_features
        self.reassemble = Reassemble(2 * config.dim, features, config.head_channels)
        self.depth_fusion = Fusion(features)
        self.depth_output = DepthOutput(features)
        self.ray_fusion = Fusion(features)
        self.ray_output = RayOutput(features)

    def project(self, stage: int, patches: Tensor, image_size: tuple[int, int]) -> Tensor:
        """What the head needs of one tap: (B, V, h*w, 2*D) patch features -> (B, V, channels, h, w), much smaller."""
        H, W = image_size
        grid = (H // PATCH_SIZE, W // PATCH_SIZE)
        return self.reassemble.project(stage, patches.flatten(0, 1), grid, W / H).unflatten(0, patches.shape[:2])

    def forward(
        self,
        projected: Sequence[Tensor],
        image_size: tuple[int, int],
        *,
        want_rays: bool,
        views_at_once: int = VIEWS_AT_ONCE,
    ) -> DenseOutput:
        """Predict for all views, a few at a time.

        Args:
            projected: four (B, V, channels, h, w) maps that `project` made of the taps, shallow to deep.
            image_size: (H, W) = (14*h, 14*w).
            want_rays: run the ray branch too.
            views_at_once: bounds the memory of the full-size maps; views are independent here.

        Returns:
            Depth and confidence (B, V, H, W); rays (B, V, 8h, 8w, 6) and their confidence (B, V, 8h, 8w), or None.
        """
        chunks = zip(*(stage.flatten(0, 1).split(views_at_once) for stage in projected), strict=True)
        parts = [self._predict(chunk, image_size, want_rays) for chunk in chunks]
        fields = (torch.cat(field) for field in zip(*parts, strict=True))  # (B*V, ...) each
        return DenseOutput(*(field.unflatten(0, projected[0].shape[:2]) for field in fields))

    def _predict(self, projected: Sequence[Tensor], image_size: tuple[int, int], want_rays: bool) -> tuple[Tensor, ...]:
        """Fields of `DenseOutput`, in order, for (N, channels, h, w) maps."""
        H, W = image_size
        pyramid = self.reassemble.pyramid(projected)
        depth = self.depth_output(self.depth_fusion(pyramid), image_size)
        return (*depth, *self.ray_output(self.ray_fusion(pyramid), W / H)) if want_rays else depth
