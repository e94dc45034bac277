# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The published package `depth-anything-3`, as an oracle: built from its own configuration, randomised, run."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from da3_ros.model.config import Da3Config
from da3_ros.model.weights import fill_with_noise, open_field_of_view

os.environ.setdefault("DA3_LOG_LEVEL", "ERROR")

# What an output is called in the comparison, in the order of the table's columns.
OUTPUTS = ("depth", "confidence", "camera_from_world", "intrinsics", "ray", "ray_confidence")


def build(config: Da3Config, seed: int = 0) -> Any:
    """The reference network without its Gaussian head, every parameter random.

    Layers, heads and channels come from the reference's own file for `config.name`, so that ours are checked
    against them; what a test may change (depth and the schedule of blocks) comes from `config`.
    """
    import depth_anything_3
    from depth_anything_3.cfg import create_object
    from depth_anything_3.model.dinov2 import dinov2
    from omegaconf import OmegaConf

    yaml: Any = OmegaConf.load(Path(depth_anything_3.__path__[0]) / "configs" / f"{config.name}.yaml")
    yaml.pop("gs_head", None)
    yaml.pop("gs_adapter", None)
    yaml.net.out_layers = list(config.tapped_blocks)
    yaml.net.alt_start = yaml.net.qknorm_start = yaml.net.rope_start = config.alternation_start
    constructor = {"vits": "vit_small", "vitb": "vit_base", "vitl": "vit_large", "vitg": "vit_giant2"}[yaml.net.name]
    with patch.object(dinov2, constructor, partial(getattr(dinov2, constructor), depth=config.depth)):
        network = create_object(yaml).eval()
    fill_with_noise(network, seed)
    open_field_of_view(network.cam_dec.fc_fov[0])
    return network


def save(network: nn.Module, path: Path) -> None:
    """Write the weights as the official files have them: upstream's names, shared tensors once."""
    save_file({f"model.{name}": value.detach() for name, value in network.named_parameters()}, path)


def run(network: Any, images: Tensor, cameras: dict[str, Tensor], strategy: str) -> dict[str, Tensor]:
    """All six outputs; the rays are caught before the reference deletes them.

    Args:
        network: what `build` returned.
        images: (B, V, 3, H, W).
        cameras: `camera_from_world` and `intrinsics`, or empty.
        strategy: of the reference view.
    """
    rays: dict[str, Tensor] = {}

    def catch(_module: nn.Module, _inputs: Any, output: Any) -> None:
        rays.update(ray=output["ray"], ray_confidence=output["ray_conf"])

    handle = network.head.register_forward_hook(catch)
    with torch.inference_mode():
        out = network(images, cameras.get("camera_from_world"), cameras.get("intrinsics"), ref_view_strategy=strategy)
    handle.remove()
    return {
        "depth": out["depth"],
        "confidence": out["depth_conf"],
        "camera_from_world": out["extrinsics"],
        "intrinsics": out["intrinsics"],
        **rays,
    }
