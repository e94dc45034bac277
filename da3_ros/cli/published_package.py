# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The published package `depth-anything-3`, when it is installed, to measure ours against. Nothing else imports it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from da3_ros.model.config import Da3Config
from da3_ros.model.upstream_keys import PREFIX, our_name

INSTALL = "pip install --no-deps depth-anything-3==0.1.1 && pip install omegaconf addict einops"


class PublishedPackageError(Exception):
    """The published package is not there, or has no such network; the text says which and what to do."""


def check_installed() -> None:
    """Raise `PublishedPackageError` unless the published package and what its network needs can be imported."""
    os.environ.setdefault("DA3_LOG_LEVEL", "ERROR")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it imports has grown since
            import depth_anything_3.cfg
            import depth_anything_3.utils.ray_utils  # noqa: F401
    except ImportError as error:
        raise PublishedPackageError(f"the published package cannot be imported ({error}): {INSTALL}") from error


def build_published(config: Da3Config, weights: Mapping[str, Tensor] | None = None) -> Any:
    """Its network of `config.name` without the Gaussian head, in float32.

    Sizes of the layers come from the package's own file; depth and the schedule of blocks come from `config`.

    Args:
        config: which network.
        weights: by our names. What we have no name for, because no output of ours depends on it, stays as the package
            makes it; so does all of it without them.

    Raises:
        PublishedPackageError: when the package is missing or its blocks are not of the width of `config`.
    """
    check_installed()
    import depth_anything_3
    from depth_anything_3.cfg import create_object
    from omegaconf import OmegaConf

    yaml: Any = OmegaConf.load(Path(depth_anything_3.__path__[0]) / "configs" / f"{config.name}.yaml")
    yaml.pop("gs_head", None)
    yaml.pop("gs_adapter", None)
    yaml.net.out_layers = list(config.tapped_blocks)
    yaml.net.alt_start = yaml.net.qknorm_start = yaml.net.rope_start = config.alternation_start
    network = create_object(yaml).eval()
    transformer = network.backbone.pretrained
    if transformer.embed_dim != config.dim:
        raise PublishedPackageError(
            f"the published {config.name} has {transformer.embed_dim} channels, not {config.dim}: nothing to compare"
        )
    transformer.blocks = transformer.blocks[: config.depth]
    if weights is not None:
        _copy_weights(network, weights)
    return network


def _copy_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            ours = our_name(f"{PREFIX}{name}")
            if ours is not None:
                parameter.copy_(weights[ours])


def cameras_of_rays(rays: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
    """What the package makes of ray maps where its `use_ray_pose` is set.

    Args:
        rays: (B, V, h, w, 6).
        confidence: (B, V, h, w).

    Returns:
        (B, V, 4, 4) window from camera and (B, V, 2) focal lengths in halves of the map's width and height.
    """
    from depth_anything_3.utils.ray_utils import get_extrinsic_from_camray

    window_from_camera, focal_lengths, _ = get_extrinsic_from_camray(rays, confidence, *rays.shape[2:4])
    return window_from_camera, focal_lengths
