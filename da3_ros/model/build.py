# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From the name of an architecture to a network, with initial weights."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, overload

from da3_ros.model.backbone import Backbone
from da3_ros.model.camera_token import CameraDecoder, CameraEncoder
from da3_ros.model.config import (
    AnyViewName,
    Da3Config,
    MonocularConfig,
    MonocularName,
    NestedConfig,
    NestedName,
    architecture,
)
from da3_ros.model.gaussian_network import GAUSSIAN_MODELS, GaussianNetwork
from da3_ros.model.gaussians import GaussianHead
from da3_ros.model.heads import DualDptHead
from da3_ros.model.monocular import MonocularBackbone, MonocularHead, MonocularNetwork
from da3_ros.model.nested import NestedNetwork
from da3_ros.model.network import Da3Network

Network: TypeAlias = Da3Network | MonocularNetwork | NestedNetwork


@overload
def build_network(name: str, *, with_gaussians: Literal[True], **overrides: Any) -> GaussianNetwork: ...
@overload
def build_network(name: AnyViewName, **overrides: Any) -> Da3Network: ...
@overload
def build_network(name: MonocularName, **overrides: Any) -> MonocularNetwork: ...
@overload
def build_network(name: NestedName, **overrides: Any) -> NestedNetwork: ...
@overload
def build_network(name: str, **overrides: Any) -> Network: ...
def build_network(name: str, *, with_gaussians: bool = False, **overrides: Any) -> Network:
    """Build a network whose weights are still to be loaded; `weights.initialise` does that.

    Args:
        name: architecture, a key of `config.ARCHITECTURES`.
        with_gaussians: build the head for 3D Gaussians too, where the architecture has one.
        overrides: fields of its configuration to change, for small test networks.

    Returns:
        The network in evaluation mode, float32, on PyTorch's default device.

    Raises:
        ValueError: if the architecture does not exist (lists those that do) or the overrides do not fit.
    """
    config = architecture(name, **overrides)
    if with_gaussians:
        if not isinstance(config, Da3Config) or name not in GAUSSIAN_MODELS:
            raise ValueError(f"{name} has no 3D Gaussians: use {', '.join(GAUSSIAN_MODELS)}")
        return GaussianNetwork(config, gaussian_head=GaussianHead(config), **_any_view_parts(config)).eval()
    if isinstance(config, NestedConfig):
        return NestedNetwork(config, any_view=_any_view(config.any_view), metric=_monocular(config.metric)).eval()
    return _monocular(config) if isinstance(config, MonocularConfig) else _any_view(config)


def _any_view(config: Da3Config) -> Da3Network:
    return Da3Network(config, **_any_view_parts(config)).eval()


def _any_view_parts(config: Da3Config) -> dict[str, Any]:
    return {
        "backbone": Backbone(config),
        "camera_encoder": CameraEncoder(config),
        "camera_decoder": CameraDecoder(2 * config.dim),
        "head": DualDptHead(config),
    }


def _monocular(config: MonocularConfig) -> MonocularNetwork:
    return MonocularNetwork(config, backbone=MonocularBackbone(config), head=MonocularHead(config)).eval()
