# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""An any-view network that also answers with 3D Gaussians."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from da3_ros.model.camera_token import decode_cameras
from da3_ros.model.config import Da3Config
from da3_ros.model.gaussian_adapter import GaussianOutput, gaussians_in_world, known_pose_scale
from da3_ros.model.gaussians import GaussianHead
from da3_ros.model.heads import VIEWS_AT_ONCE
from da3_ros.model.network import Da3Network, NetworkOutput, check_cameras, check_images
from da3_ros.model.reference_view import check_strategy

# The published architectures whose weights hold a head for Gaussians.
GAUSSIAN_MODELS: Final = ("da3-giant",)


@dataclass(frozen=True, slots=True)
class SceneOutput:
    """What one call says of every view, and the Gaussians that follow from it."""

    views: NetworkOutput
    gaussians: GaussianOutput


class GaussianNetwork(Da3Network):
    """A `Da3Network` with one head more; called as such it does not run that head."""

    def __init__(self, config: Da3Config, *, gaussian_head: GaussianHead, **parts: Any) -> None:
        super().__init__(config, **parts)
        self.gaussian_head = gaussian_head

    def scene(
        self,
        images: Tensor,
        camera_from_world: Tensor | None = None,
        intrinsics: Tensor | None = None,
        reference_view: str = "saddle_balanced",
        views_at_once: int = VIEWS_AT_ONCE,
    ) -> SceneOutput:
        """Predict depth, cameras and Gaussians of all views together; arguments and errors as for `relate`.

        Known cameras condition the features and set the Gaussians' unit of length; their place is always that of the
        predicted cameras, in whose world depth was learned.
        """
        check_images(images)
        check_strategy(reference_view)
        check_cameras(camera_from_world, intrinsics, images.shape[:2])
        image_size = (images.shape[-2], images.shape[-1])
        device_type = images.device.type
        tokens = None
        if camera_from_world is not None and intrinsics is not None:
            with torch.autocast(device_type, enabled=False):
                tokens = self.camera_encoder(camera_from_world.float(), intrinsics.float(), image_size)
        views = self.encode(images.flatten(0, 1))
        for_depth: list[Tensor] = []
        for_gaussians: list[Tensor] = []
        for stage, tap in enumerate(self.backbone.relate_views(views, len(images), tokens, reference_view)):
            with torch.autocast(device_type, enabled=False):
                patches = tap.patches.float()
                for_depth.append(self.head.project(stage, patches, image_size))
                for_gaussians.append(self.gaussian_head.project(stage, patches, image_size))
            camera_features = tap.camera_tokens  # of the last tap in the end
            del tap, patches  # or they would stay alive beside the next ones
        with torch.autocast(device_type, enabled=False):
            dense = self.head(for_depth, image_size, want_rays=False, views_at_once=views_at_once)
            cameras, matrices = decode_cameras(self.camera_decoder(camera_features.float()), image_size)
            scale = cameras.new_ones(len(cameras))
            if camera_from_world is not None:
                scale = known_pose_scale(camera_from_world.float(), cameras)
            raw = self.gaussian_head(for_gaussians, images.float(), views_at_once)
            gaussians = gaussians_in_world(raw, dense.depth, cameras, matrices, scale)
        return SceneOutput(NetworkOutput(dense.depth, dense.confidence, cameras, matrices, None, None), gaussians)
