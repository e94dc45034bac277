# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Weights to begin a training with."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from da3_ros.model.config import POSITION_GRID
from da3_ros.model.monocular import MonocularNetwork
from da3_ros.model.network import Da3Network
from da3_ros.model.patch_embed import PatchEmbed

SPREAD = 0.02
POSITION_STRENGTH = 1.4  # what patches show is noise to who asks where they are
PATCHES = "backbone.patch_embed.projection"  # begins as quiet as positions are
HEAD_SHARE = 0.1  # of the usual size: depth, rays and cameras begin near one, zero and the identity
OPEN_RAD = 1.0  # field of view to begin with


def initialise_for_training(network: Da3Network | MonocularNetwork, seed: int) -> None:
    """Give every parameter its first value: small truncated normals, quiet outputs, and positions that are known.

    Images of a first training are small, so that the position table, 37x37 for all sizes, would be seen at few places
    only: it begins as smooth waves, which any size samples alike.
    """
    generator = torch.Generator().manual_seed(seed)
    blocks = len(network.backbone.blocks)
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, nn.Linear) or name == PATCHES:
                nn.init.trunc_normal_(module.weight, std=SPREAD, generator=generator)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear", generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            if name.endswith(("attention.projection", "feed_forward.fc2", "feed_forward.output")):
                module.weight /= math.sqrt(2 * blocks)  # what blocks add up to stays of one size (GPT-2)
        _begin_tokens(network.backbone.patch_embed, generator)
        _quieten(network.head.depth_output.output)
        if isinstance(network, Da3Network):
            # As large as patches from the start: the camera decoder reads it as it is, and its units would die on
            # what grows a hundredfold.
            nn.init.trunc_normal_(network.backbone.camera_token, generator=generator)
            camera = network.camera_decoder
            for layer in camera.trunk:
                if isinstance(layer, nn.Linear):  # so narrow a way passes little on when it begins small
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            for layer in (network.head.ray_output.output, camera.centre, camera.quaternion, camera.field_of_view):
                _quieten(layer)
            camera.quaternion.bias[3] = 1.0
            camera.field_of_view.bias.fill_(OPEN_RAD)


def _begin_tokens(embed: PatchEmbed, generator: torch.Generator) -> None:
    embed.positions[0, 0] = 0.0
    embed.positions[0, 1:] = position_waves(embed.positions.shape[-1])
    nn.init.trunc_normal_(embed.class_token, std=SPREAD, generator=generator)


def _quieten(layer: nn.Conv2d | nn.Linear) -> None:
    layer.weight *= HEAD_SHARE


def position_waves(dim: int) -> Tensor:
    """(37 * 37, dim) sines and cosines of column and row over the image, half a wave to four waves long."""
    place = (torch.arange(POSITION_GRID) + 0.5) / POSITION_GRID
    frequencies = math.pi * 2.0 ** torch.linspace(-1, 3, dim // 4)
    angles = place[:, None] * frequencies
    waves = torch.cat((angles.sin(), angles.cos()), dim=1)  # (37, dim / 2)
    columns = waves[None].expand(POSITION_GRID, -1, -1)
    rows = waves[:, None].expand(-1, POSITION_GRID, -1)
    return POSITION_STRENGTH * torch.cat((columns, rows), dim=-1).flatten(0, 1)
