# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The network: images in; depth, cameras and rays out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from da3_ros.model.backbone import Backbone, ViewTokens
from da3_ros.model.camera_token import CameraDecoder, CameraEncoder, decode_cameras
from da3_ros.model.config import PATCH_SIZE, Da3Config
from da3_ros.model.heads import VIEWS_AT_ONCE, DualDptHead
from da3_ros.model.reference_view import check_strategy


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """What one call says of B windows of V views, in the call's own gauge (scale, and world near the reference view).

    Attributes:
        depth: (B, V, H, W), z along the optical axis, > 0, window units.
        confidence: (B, V, H, W), > 1; larger is surer.
        camera_from_world: (B, V, 4, 4) rigid, OpenCV axes. The reference camera is near the identity, not at it.
        intrinsics: (B, V, 3, 3) pinhole matrices for exactly (H, W), principal point in the centre.
        ray: (B, V, 8*H/14, 8*W/14, 6) in the world: direction R K^-1 (u, v, 1), not normalised, then origin.
            None unless asked for.
        ray_confidence: (B, V, 8*H/14, 8*W/14), > 1. None unless asked for.
    """

    depth: Tensor
    confidence: Tensor
    camera_from_world: Tensor
    intrinsics: Tensor
    ray: Tensor | None
    ray_confidence: Tensor | None


class Da3Network(nn.Module):
    """Depth Anything 3, any number of views, with or without known cameras."""

    def __init__(
        self,
        config: Da3Config,
        *,
        backbone: Backbone,
        camera_encoder: CameraEncoder,
        camera_decoder: CameraDecoder,
        head: DualDptHead,
    ) -> None:
        super().__init__()
        self.config = config
        self.backbone = backbone
        self.camera_encoder = camera_encoder
        self.camera_decoder = camera_decoder
        self.head = head

    def forward(
        self,
        images: Tensor,
        camera_from_world: Tensor | None = None,
        intrinsics: Tensor | None = None,
        want_rays: bool = False,
        reference_view: str = "saddle_balanced",
    ) -> NetworkOutput:
        """Predict depth and cameras of all views together.

        Under autocast only the backbone runs in low precision; cameras and heads stay in float32.

        Args:
            images: (B, V, 3, H, W) float32 RGB, ImageNet-normalised; H and W multiples of 14.
            camera_from_world: (B, V, 4, 4) known cameras as `camera_token.normalise_cameras` returns them
                (the network was trained on that gauge and this method does not change it), or None.
            intrinsics: (B, V, 3, 3) of exactly these images; given if and only if `camera_from_world` is.
            want_rays: run the ray branch as well; it costs about as much as the depth branch.
            reference_view: how the reference view is chosen from three views on; ignored with known cameras.

        Returns:
            The prediction. With known cameras it is made in their gauge, yet its cameras are its own.

        Raises:
            ValueError: on a wrong shape, half a camera, or an unknown strategy.
        """
        check_images(images)
        check_strategy(reference_view)
        check_cameras(camera_from_world, intrinsics, images.shape[:2])
        views = self.encode(images.flatten(0, 1))
        return self.relate(views, len(images), camera_from_world, intrinsics, want_rays, reference_view)

    def encode(self, images: Tensor) -> ViewTokens:
        """All of `forward` that sees one image at a time; what it says of an image may be kept and used again.

        Args:
            images: (N, 3, H, W), as in `forward`.
        """
        return self.backbone.encode_views(images)

    def relate(
        self,
        views: ViewTokens,
        batch: int,
        camera_from_world: Tensor | None = None,
        intrinsics: Tensor | None = None,
        want_rays: bool = False,
        reference_view: str = "saddle_balanced",
        views_at_once: int = VIEWS_AT_ONCE,
    ) -> NetworkOutput:
        """All of `forward` that looks across views, for images that `encode` has seen.

        Args:
            views: tokens of B*V images, window by window.
            batch: B.
            camera_from_world: as in `forward`.
            intrinsics: as in `forward`.
            want_rays: as in `forward`.
            reference_view: as in `forward`.
            views_at_once: views that pass through the head together, which bounds its memory.

        Returns:
            The prediction.
        """
        device, image_size = views.tokens.device, (PATCH_SIZE * views.grid[0], PATCH_SIZE * views.grid[1])
        camera_tokens = None
        if camera_from_world is not None and intrinsics is not None:
            with torch.autocast(device.type, enabled=False):
                camera_tokens = self.camera_encoder(camera_from_world.float(), intrinsics.float(), image_size)
        projected: list[Tensor] = []
        for tap in self.backbone.relate_views(views, batch, camera_tokens, reference_view):
            with torch.autocast(device.type, enabled=False):
                projected.append(self.head.project(len(projected), tap.patches.float(), image_size))
            camera_features = tap.camera_tokens  # of the last tap in the end
            del tap  # or it would stay alive beside the next one
        with torch.autocast(device.type, enabled=False):
            dense = self.head(projected, image_size, want_rays=want_rays, views_at_once=views_at_once)
            predicted, predicted_intrinsics = decode_cameras(self.camera_decoder(camera_features.float()), image_size)
        return NetworkOutput(
            depth=dense.depth,
            confidence=dense.confidence,
            camera_from_world=predicted,
            intrinsics=predicted_intrinsics,
            ray=dense.ray,
            ray_confidence=dense.ray_confidence,
        )


def check_images(images: Tensor) -> None:
    """Refuse what is not a batch of windows of whole patches; ValueError says why."""
    if images.ndim != 5 or images.shape[2] != 3 or 0 in images.shape:
        raise ValueError(f"images must be (B, V, 3, H, W) with at least one view, not {tuple(images.shape)}")
    H, W = images.shape[-2:]
    if H % PATCH_SIZE or W % PATCH_SIZE:
        raise ValueError(f"image height and width must be multiples of {PATCH_SIZE}, not {H}x{W}: resize them first")


def check_cameras(camera_from_world: Tensor | None, intrinsics: Tensor | None, batch: torch.Size) -> None:
    """Refuse half a camera, and cameras of other than (B, V) `batch` views; ValueError says why."""
    if (camera_from_world is None) != (intrinsics is None):
        raise ValueError("known cameras need both camera_from_world and intrinsics: give both or neither")
    for name, value, shape in (
        ("camera_from_world", camera_from_world, (*batch, 4, 4)),
        ("intrinsics", intrinsics, (*batch, 3, 3)),
    ):
        if value is not None and tuple(value.shape) != shape:
            raise ValueError(f"{name} must be {shape} to match the images, not {tuple(value.shape)}")
