# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From the name of an architecture to a network, with initial weights."""

from __future__ import annotations

from typing import Any

from da3_ros.model.backbone import Backbone
from da3_ros.model.camera_token import CameraDecoder, CameraEncoder
from da3_ros.model.config import architecture
from da3_ros.model.heads import DualDptHead
from da3_ros.model.network import Da3Network


def build_network(name: str, **overrides: Any) -> Da3Network:
    """Build a network whose weights are still to be loaded; `weights.initialise` does that.

    Args:
        name: architecture: da3-small, da3-base, da3-large or da3-giant.
        overrides: fields of `Da3Config` to change, for small test networks.

    Returns:
        The network in evaluation mode, float32, on PyTorch's default device.

    Raises:
        ValueError: if the architecture does not exist (lists those that do) or the overrides do not fit.
    """
    config = architecture(name, **overrides)
    return Da3Network(
        config,
        backbone=Backbone(config),
        camera_encoder=CameraEncoder(config),
        camera_decoder=CameraDecoder(2 * config.dim),
        head=DualDptHead(config),
    ).eval()
