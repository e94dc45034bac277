# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The head that predicts one 3D Gaussian per pixel, in numbers relative to that pixel's ray and depth."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn

from da3_ros.model.config import PATCH_SIZE, Da3Config
from da3_ros.model.dpt import Fusion, Reassemble, add_image_positions, resize
from da3_ros.model.heads import VIEWS_AT_ONCE
from da3_ros.model.spherical_harmonics import COEFFICIENTS

# What the channels mean, in order; `gaussian_adapter` turns them into Gaussians.
RAW_FIELDS: Final = MappingProxyType(
    {"offset_px": 2, "scale": 3, "rotation": 4, "harmonics": 3 * COEFFICIENTS, "depth_offset": 1, "opacity": 1}
)
CHANNELS: Final = sum(RAW_FIELDS.values())

_HIDDEN = 32


class ImageMerger(nn.Sequential):
    """Colours at full size to features: three convolutions, each with a GELU behind it."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(3, channels // 4, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(channels // 4, channels // 2, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(channels // 2, channels, 3, padding=1),
            nn.GELU(),
        )


class GaussianHead(nn.Module):
    """Patch features of the four taps, and the images, to raw Gaussians at full image size."""

    def __init__(self, config: Da3Config) -> None:
        super().__init__()
        features = config.head_features
        self.reassemble = Reassemble(2 * config.dim, features, config.head_channels, normed=False)
        self.fusion = Fusion(features)
        self.neck = nn.Conv2d(features, features // 2, 3, padding=1)
        self.image_merger = ImageMerger(features // 2)
        self.hidden = nn.Conv2d(features // 2, _HIDDEN, 3, padding=1)
        self.output = nn.Conv2d(_HIDDEN, CHANNELS, kernel_size=1)

    def project(self, stage: int, patches: Tensor, image_size: tuple[int, int]) -> Tensor:
        """What the head needs of one tap: (B, V, h*w, 2*D) patch features -> (B, V, channels, h, w), much smaller."""
        H, W = image_size
        grid = (H // PATCH_SIZE, W // PATCH_SIZE)
        return self.reassemble.project(stage, patches.flatten(0, 1), grid, W / H).unflatten(0, patches.shape[:2])

    def forward(self, projected: Sequence[Tensor], images: Tensor, views_at_once: int = VIEWS_AT_ONCE) -> Tensor:
        """Predict for all views, a few at a time.

        Args:
            projected: four (B, V, channels, h, w) maps that `project` made of the taps, shallow to deep.
            images: (B, V, 3, 14*h, 14*w), as the backbone had them.
            views_at_once: bounds the memory of the full-size maps; views are independent here.

        Returns:
            (B, V, H, W, 38) raw fields in the order of RAW_FIELDS.
        """
        chunks = zip(*(x.flatten(0, 1).split(views_at_once) for x in (*projected, images)), strict=True)
        raw = torch.cat([self._predict(some, pixels) for *some, pixels in chunks])
        return raw.unflatten(0, images.shape[:2])

    def _predict(self, projected: Sequence[Tensor], images: Tensor) -> Tensor:
        """(N, channels, h, w) maps and (N, 3, H, W) images -> (N, H, W, 38)."""
        H, W = images.shape[-2:]
        pyramid = self.reassemble.pyramid(projected)
        x = resize(self.neck(self.fusion(pyramid)), (H, W)) + self.image_merger(images)
        x = self.output(self.hidden(add_image_positions(x, W / H)).relu_())
        return x.permute(0, 2, 3, 1)  # (N, 38, H, W) -> (N, H, W, 38)
