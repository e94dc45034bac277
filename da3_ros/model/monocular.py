# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The networks that see every image alone: da3mono-large (depth without a unit) and da3metric-large (metres), with sky.

Images to the plain vision transformer of DINOv2, four of its blocks to a DPT head with two towers. No view knows of
another: what is said of an image does not depend on the images it came with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from da3_ros.model.block import Block
from da3_ros.model.config import PATCH_SIZE, MonocularConfig
from da3_ros.model.dpt import Fusion, Reassemble, resize
from da3_ros.model.network import check_images
from da3_ros.model.patch_embed import PatchEmbed

# From here on a pixel is sky: the threshold by which the published networks tell sky apart before they use the depth.
SKY_THRESHOLD: Final = 0.3
VIEWS_AT_ONCE: Final = 4
_HIDDEN = 32


@dataclass(frozen=True, slots=True)
class MonocularOutput:
    """What one call says of B x V images, each in a unit of its own unless the network is metric.

    Attributes:
        depth: (B, V, H, W), z along the optical axis, > 0; in sky whatever the network said, which means nothing.
            Of a metric network it becomes metres by `metres_from_canonical`.
        sky: (B, V, H, W), >= 0; a pixel is sky from `SKY_THRESHOLD` on.
    """

    depth: Tensor
    sky: Tensor

    @property
    def is_sky(self) -> Tensor:
        """(B, V, H, W) bool."""
        return self.sky >= SKY_THRESHOLD


class MonocularBackbone(nn.Module):
    """Images to patch features of four blocks."""

    def __init__(self, config: MonocularConfig) -> None:
        super().__init__()
        self.tapped_blocks = config.tapped_blocks
        self.patch_embed = PatchEmbed(config.dim)
        self.blocks = nn.ModuleList(Block(config.dim, config.heads, norm_eps=1e-6) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.dim)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) images, ImageNet-normalised -> four (N, h*w, D) normed patch features, shallow to deep."""
        x = self.patch_embed(images)
        taps = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self.tapped_blocks:
                taps.append(self.norm(x[:, 1:]))
        return taps


class DepthAndSkyOutput(nn.Module):
    """Fused features to depth and sky at full image size: one neck, two towers."""

    def __init__(self, features: int) -> None:
        super().__init__()
        half = features // 2
        self.neck = nn.Conv2d(features, half, 3, padding=1)
        self.hidden = nn.Conv2d(half, _HIDDEN, 3, padding=1)
        self.output = nn.Conv2d(_HIDDEN, 1, kernel_size=1)
        self.sky_hidden = nn.Conv2d(half, _HIDDEN, 3, padding=1)
        self.sky_output = nn.Conv2d(_HIDDEN, 1, kernel_size=1)

    def forward(self, x: Tensor, image_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """(N, features, 8h, 8w) -> depth > 0 and sky >= 0, (N, H, W) each."""
        x = resize(self.neck(x), image_size)
        log_depth = self.output(self.hidden(x).relu_().float())
        sky = self.sky_output(self.sky_hidden(x).relu_().float())
        return log_depth.squeeze(1).exp(), sky.squeeze(1).relu()


class MonocularHead(nn.Module):
    """Patch features of the four taps to depth and sky."""

    def __init__(self, config: MonocularConfig) -> None:
        super().__init__()
        features = config.head_features
        self.reassemble = Reassemble(config.dim, features, config.head_channels, normed=False, positioned=False)
        self.depth_fusion = Fusion(features)
        self.depth_output = DepthAndSkyOutput(features)

    def forward(self, taps: list[Tensor], image_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Four (N, h*w, D) taps -> depth and sky, (N, H, W) each."""
        H, W = image_size
        pyramid = self.reassemble(taps, (H // PATCH_SIZE, W // PATCH_SIZE), W / H)
        depth, sky = self.depth_output(self.depth_fusion(pyramid), image_size)
        return depth, sky


class MonocularNetwork(nn.Module):
    """Depth Anything 3 for single images."""

    def __init__(self, config: MonocularConfig, *, backbone: MonocularBackbone, head: MonocularHead) -> None:
        super().__init__()
        self.config = config
        self.backbone = backbone
        self.head = head

    def forward(self, images: Tensor, views_at_once: int = VIEWS_AT_ONCE) -> MonocularOutput:
        """Predict depth and sky of every image, a few images at a time.

        Sky is not painted over in the depth: that would need a number for "far", and any number taken from the images
        of a call makes one view depend on the others. Under autocast only the backbone runs in low precision.

        Args:
            images: (B, V, 3, H, W) float32 RGB, ImageNet-normalised; H and W multiples of 14.
            views_at_once: images that pass through backbone and head together, which bounds the memory of both.

        Returns:
            The raw prediction.

        Raises:
            ValueError: on a wrong shape.
        """
        check_images(images)
        parts = [self._predict(chunk) for chunk in images.flatten(0, 1).split(views_at_once)]
        depth, sky = (torch.cat(part).unflatten(0, images.shape[:2]) for part in zip(*parts, strict=True))
        return MonocularOutput(depth, sky)

    def _predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        taps = self.backbone(images)
        with torch.autocast(images.device.type, enabled=False):
            depth, sky = self.head([tap.float() for tap in taps], (images.shape[-2], images.shape[-1]))
        return depth, sky


def metres_from_canonical(depth: Tensor, focal_px: Tensor, canonical_focal_px: float) -> Tensor:
    """Depth of a metric network in metres: an object at twice the focal length looks half as far away.

    Args:
        depth: (..., H, W) as the network says it.
        focal_px: (...) mean of both focal lengths of exactly these images, pixels.
        canonical_focal_px: of the network.
    """
    return depth * (focal_px / canonical_focal_px)[..., None, None]
