# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""da3nested-giant-large: an any-view network for shape and cameras, a metric one for the unit of length and for sky.

One scalar per window joins them: the least-squares factor from the any-view depth to the metric depth, over the surer
half of all pixels that are not sky. The published package draws it over all windows of a call, and from a random
sample of the pixels once there are more than 100 000; here it is each window's own, and exact: the same images give
the same metres in any order and any company.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from da3_ros.model.backbone import ViewTokens
from da3_ros.model.config import NestedConfig
from da3_ros.model.heads import VIEWS_AT_ONCE
from da3_ros.model.monocular import MonocularNetwork, metres_from_canonical
from da3_ros.model.network import Da3Network, NetworkOutput, check_cameras, check_images
from da3_ros.model.reference_view import check_strategy

_MIN_METRES = 1e-2
_MIN_DEPTH = 1e-3
_MIN_PIXELS = 11


@dataclass(frozen=True, slots=True)
class NestedOutput:
    """As `network.NetworkOutput`, in metres, and what the metric network adds.

    Attributes:
        depth: (B, V, H, W), metres; in sky whatever the any-view network said.
        confidence: (B, V, H, W), > 1.
        camera_from_world: (B, V, 4, 4), translation in metres.
        intrinsics: (B, V, 3, 3).
        ray: (B, V, 8*H/14, 8*W/14, 6), origins in metres; None unless asked for.
        ray_confidence: (B, V, 8*H/14, 8*W/14); None unless asked for.
        sky: (B, V, H, W) bool.
        scale: (B,) metres per unit of the any-view network. NaN where too little was seen but sky: the metric scale of
            that window is not known, and all its lengths are in the any-view network's own unit.
    """

    depth: Tensor
    confidence: Tensor
    camera_from_world: Tensor
    intrinsics: Tensor
    ray: Tensor | None
    ray_confidence: Tensor | None
    sky: Tensor
    scale: Tensor


@dataclass(frozen=True, slots=True)
class NestedTokens:
    """What both networks know of N images before any looks at another; exact to keep and reuse.

    Attributes:
        shape: the any-view network's.
        canonical_depth: (N, H, W) of the metric network, metres at its canonical focal length.
        sky: (N, H, W) bool.
    """

    shape: ViewTokens
    canonical_depth: Tensor
    sky: Tensor

    @staticmethod
    def joined(parts: Sequence[NestedTokens]) -> NestedTokens:
        """Images that were encoded apart, as if they had been encoded together."""
        return NestedTokens(
            ViewTokens.joined([part.shape for part in parts]),
            torch.cat([part.canonical_depth for part in parts]),
            torch.cat([part.sky for part in parts]),
        )

    def apart(self) -> tuple[NestedTokens, ...]:
        """One for each image, to be kept alone."""
        images = zip(self.shape.apart(), self.canonical_depth.split(1), self.sky.split(1), strict=True)
        return tuple(NestedTokens(shape, depth.clone(), sky.clone()) for shape, depth, sky in images)

    @property
    def size_bytes(self) -> int:
        """What it takes to keep this."""
        return self.shape.size_bytes + self.canonical_depth.nbytes + self.sky.nbytes


class NestedNetwork(nn.Module):
    """Any number of views, in metres. Called like `Da3Network`, in one go or in its two halves."""

    def __init__(self, config: NestedConfig, *, any_view: Da3Network, metric: MonocularNetwork) -> None:
        super().__init__()
        self.config = config
        self.any_view = any_view
        self.metric = metric

    def forward(
        self,
        images: Tensor,
        camera_from_world: Tensor | None = None,
        intrinsics: Tensor | None = None,
        want_rays: bool = False,
        reference_view: str = "saddle_balanced",
    ) -> NestedOutput:
        """Predict with both networks and join them; arguments and errors as those of `Da3Network.forward`."""
        check_images(images)
        check_strategy(reference_view)
        check_cameras(camera_from_world, intrinsics, images.shape[:2])
        views = self.encode(images.flatten(0, 1))
        return self.relate(views, len(images), camera_from_world, intrinsics, want_rays, reference_view)

    def encode(self, images: Tensor) -> NestedTokens:
        """All that sees one image at a time, the whole metric network among it; see `Da3Network.encode`."""
        shape, metric = self.any_view.encode(images), self.metric(images[None])
        return NestedTokens(shape, metric.depth[0], metric.is_sky[0])

    def relate(
        self,
        views: NestedTokens,
        batch: int,
        camera_from_world: Tensor | None = None,
        intrinsics: Tensor | None = None,
        want_rays: bool = False,
        reference_view: str = "saddle_balanced",
        views_at_once: int = VIEWS_AT_ONCE,
    ) -> NestedOutput:
        """All that looks across views, for images that `encode` has seen; see `Da3Network.relate`."""
        shape = self.any_view.relate(
            views.shape,
            batch,
            camera_from_world,
            intrinsics,
            want_rays=want_rays,
            reference_view=reference_view,
            views_at_once=views_at_once,
        )
        focal_px = (shape.intrinsics[..., 0, 0] + shape.intrinsics[..., 1, 1]) / 2
        depth, sky = (one.unflatten(0, (batch, -1)) for one in (views.canonical_depth, views.sky))
        canonical_focal_px = self.config.metric.canonical_focal_px
        assert canonical_focal_px is not None, "NestedConfig takes a metric part only"
        return in_metres(shape, metres_from_canonical(depth, focal_px, canonical_focal_px), sky)


def in_metres(shape: NetworkOutput, metres: Tensor, sky: Tensor) -> NestedOutput:
    """An any-view network's answer with its lengths in metres.

    Args:
        shape: the answer.
        metres: (B, V, H, W) depth of the same images, metres.
        sky: (B, V, H, W) bool.
    """
    scale = metric_scale(shape.depth, shape.confidence, metres, sky)
    factor = torch.where(scale.isnan(), 1.0, scale)
    return NestedOutput(
        depth=shape.depth * factor[:, None, None, None],
        confidence=shape.confidence,
        camera_from_world=_translations_scaled(shape.camera_from_world, factor),
        intrinsics=shape.intrinsics,
        ray=None if shape.ray is None else _origins_scaled(shape.ray, factor),
        ray_confidence=shape.ray_confidence,
        sky=sky,
        scale=scale,
    )


def metric_scale(depth: Tensor, confidence: Tensor, metres: Tensor, sky: Tensor) -> Tensor:
    """The factor s of each window for which s * depth is nearest to metres in the least-squares sense.

    Pixels count that are not sky, are at least as sure as the window's median of those, and are not right at the
    camera. No random numbers, and no wait for the device.

    Args:
        depth: (B, V, H, W), window units.
        confidence: (B, V, H, W), larger is surer.
        metres: (B, V, H, W), the same surfaces in metres.
        sky: (B, V, H, W) bool.

    Returns:
        (B,) metres per window unit; NaN where ten pixels or fewer count.
    """
    depth, confidence, metres, solid = (x.flatten(1) for x in (depth, confidence, metres, ~sky))
    used = solid & (confidence >= _median(confidence, solid)) & (metres > _MIN_METRES) & (depth > _MIN_DEPTH)
    product = torch.where(used, metres * depth, 0.0).sum(1, dtype=torch.float64)
    square = torch.where(used, depth * depth, 0.0).sum(1, dtype=torch.float64)
    return torch.where(used.sum(1) >= _MIN_PIXELS, product / square, math.nan).to(depth.dtype)


def _median(values: Tensor, mask: Tensor) -> Tensor:
    """(B, 1) exact median of the (B, N) values where the mask holds, the mean of two middle ones; inf where nowhere."""
    count = mask.sum(1, keepdim=True)
    ordered = values.masked_fill(~mask, math.inf).sort(1).values
    low, high = (ordered.gather(1, rank) for rank in ((count - 1).clamp(min=0) // 2, count // 2))
    return (low + high) / 2


def _translations_scaled(transforms: Tensor, factor: Tensor) -> Tensor:
    """(B, V, 4, 4) rigid transforms, lengths multiplied by the (B,) factor."""
    scaled = transforms.clone()
    scaled[..., :3, 3] *= factor[:, None, None]
    return scaled


def _origins_scaled(rays: Tensor, factor: Tensor) -> Tensor:
    """(B, V, h, w, 6) rays with their origins, the last three, multiplied by the (B,) factor."""
    direction, origin = rays.split(3, dim=-1)
    return torch.cat((direction, origin * factor[:, None, None, None, None]), dim=-1)
