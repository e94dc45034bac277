# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A network on its way: its outputs as the losses want them, and what two blocks say of matches between views.

The match and flow supervision needs the queries and keys of the first head of some global blocks, and the tokens that
leave them. Hooks read them, so that the network itself knows nothing of being trained; the probe that reads flow off
tokens belongs to the training alone and is in no exported file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from da3_ros.model.camera_token import invert_rigid, normalise_cameras
from da3_ros.model.config import PATCH_SIZE
from da3_ros.model.network import Da3Network
from da3_ros.training.config import LossWeights
from da3_ros.training.losses import losses
from da3_ros.training.predicted import BlockMatches, Predicted
from da3_ros.training.targets import Windows, in_gauge
from da3_ros.training.variants import SeparateHeads

PROBE_SHARE = 0.03  # of a token's size is what the probe sees: a step of the optimiser moves its answer by as little
REFERENCE = "first"  # targets are in the frame of the first view


def given_cameras(windows: Windows) -> tuple[Tensor, Tensor]:
    """Cameras as the network is given them at inference: in a unit made of the cameras alone, whatever depth is."""
    poses = normalise_cameras(invert_rigid(windows.world_from_camera.double()))
    return poses.float(), windows.intrinsics


class TrainedNetwork(nn.Module):
    """An any-view network with the probe that is trained beside it.

    Args:
        network: to be trained.
        matched_blocks: global blocks whose first head learns to find the same point in other views.
    """

    def __init__(self, network: Da3Network, matched_blocks: tuple[int, ...]) -> None:
        super().__init__()
        blocks = range(network.config.depth)
        wrong = [block for block in matched_blocks if block not in blocks or not network.config.is_global(block)]
        if wrong:
            raise ValueError(f"{network.config.name}: blocks {wrong} do not look across views, so they cannot match")
        self.network = network
        self.matched_blocks = matched_blocks
        # Tokens grow in training, and a probe of what grows would swing with every step of the optimiser.
        self.still = nn.LayerNorm(network.config.dim, elementwise_affine=False)
        self.flow_probe = nn.Linear(network.config.dim, 2)
        nn.init.zeros_(self.flow_probe.weight)
        nn.init.constant_(self.flow_probe.bias, 0.5)  # the middle of the image

    def forward(self, images: Tensor, known: tuple[Tensor, Tensor] | None, fine: bool) -> Predicted:
        """Run forward.

        Args:
            images: (B, V, 3, H, W) ImageNet-normalised.
            known: camera_from_world (B, V, 4, 4) and intrinsics (B, V, 3, 3), as `given_cameras`, or None.
            fine: depth at image size and rays at eight samples per patch side, as at inference; else both at four.
        """
        network, (B, V), (H, W) = self.network, images.shape[:2], images.shape[-2:]
        with self._read(network) as seen:
            tokens = None
            if known is not None:
                with torch.autocast(images.device.type, enabled=False):
                    tokens = network.camera_encoder(*known, (H, W))
            taps = list(network.backbone.relate_views(network.encode(images.flatten(0, 1)), B, tokens, REFERENCE))
        head, patches = network.head, [tap.patches.flatten(0, 1) for tap in taps]
        pyramid = ray_pyramid = head.reassemble(patches, (H // PATCH_SIZE, W // PATCH_SIZE), W / H)
        if isinstance(head, SeparateHeads):
            ray_pyramid = head.ray_reassemble(patches, (H // PATCH_SIZE, W // PATCH_SIZE), W / H)
        growth, grid = (2, (H, W)) if fine else (1, (4 * H // PATCH_SIZE, 4 * W // PATCH_SIZE))
        depth, depth_confidence = head.depth_output(head.depth_fusion(pyramid, growth), grid)
        ray, ray_confidence = head.ray_output(head.ray_fusion(ray_pyramid, growth), W / H)
        depth, depth_confidence, ray, ray_confidence = (
            field.float().unflatten(0, (B, V)) for field in (depth, depth_confidence, ray, ray_confidence)
        )
        with torch.autocast(images.device.type, enabled=False):
            camera = network.camera_decoder(taps[-1].camera_tokens.float())
        matches = tuple(self._matches(seen[block], V) for block in self.matched_blocks)
        return Predicted(depth, depth_confidence, ray, ray_confidence, camera, matches)

    def terms(self, windows: Windows, knows_cameras: bool, fine: bool, weights: LossWeights) -> dict[str, Tensor]:
        """Terms of the loss in the windows' gauge; see `losses.losses`. Windows are as they were drawn."""
        known = given_cameras(windows) if knows_cameras else None
        windows = in_gauge(windows)
        with torch.autocast(windows.images.device.type, torch.bfloat16):
            predicted = self(windows.images, known, fine)
        return losses(predicted, windows, weights)

    def _matches(self, seen: dict[str, Tensor], views: int) -> BlockMatches:
        """From (B, heads, V*T, d) queries and keys and (B, V*T, D) tokens; the first of each T is no patch."""
        query, key = (seen[name][:, 0].float().unflatten(1, (views, -1))[:, :, 1:] for name in ("query", "key"))
        tokens = seen["tokens"].unflatten(1, (views, -1))[:, :, 1:]
        return BlockMatches(query, key, self.flow_probe(PROBE_SHARE * self.still(tokens)).float())

    @contextmanager
    def _read(self, network: Da3Network) -> Iterator[dict[int, dict[str, Tensor]]]:
        seen: dict[int, dict[str, Tensor]] = {block: {} for block in self.matched_blocks}

        def note(into: dict[str, Tensor], name: str) -> Any:
            return lambda _module, _inputs, output: into.__setitem__(name, output)

        handles = []
        for number, into in seen.items():
            block: Any = network.backbone.blocks[number]
            handles += [
                block.attention.q_norm.register_forward_hook(note(into, "query")),
                block.attention.k_norm.register_forward_hook(note(into, "key")),
                block.register_forward_hook(note(into, "tokens")),
            ]
        try:
            yield seen
        finally:
            for handle in handles:
                handle.remove()
