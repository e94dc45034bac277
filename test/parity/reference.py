# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The published package `depth-anything-3`, as an oracle: built from its own configuration, randomised, run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from da3_ros.model.config import Config, Da3Config, MonocularConfig, NestedConfig
from da3_ros.model.weights import fill_with_noise, open_field_of_view

os.environ.setdefault("DA3_LOG_LEVEL", "ERROR")


TIE = 1e-5


def build(config: Config, seed: int = 0) -> Any:
    """The reference network without its Gaussian head, every parameter random.

    Layers, heads and channels come from the reference's own file for `config.name`, so that ours are checked
    against them; what a test may change (depth and the schedule of blocks) comes from `config`.
    """
    from depth_anything_3.model import da3

    if isinstance(config, NestedConfig):
        any_view, metric = _part(config.any_view), _part(config.metric)
        with patch.object(da3, "create_object", lambda part: part):
            network = da3.NestedDepthAnything3Net(anyview=any_view, metric=metric)
    else:
        network = _part(config)
    fill_with_noise(network, seed)
    for name, module in network.named_modules():
        if name.endswith("cam_dec"):
            open_field_of_view(module.fc_fov[0])
    return network.eval()


def _part(config: Da3Config | MonocularConfig) -> Any:
    import depth_anything_3
    from depth_anything_3.cfg import create_object
    from depth_anything_3.model.dinov2 import dinov2
    from omegaconf import OmegaConf

    yaml: Any = OmegaConf.load(Path(depth_anything_3.__path__[0]) / "configs" / f"{config.name}.yaml")
    yaml.pop("gs_head", None)
    yaml.pop("gs_adapter", None)
    yaml.net.out_layers = list(config.tapped_blocks)
    if isinstance(config, Da3Config):
        yaml.net.alt_start = yaml.net.qknorm_start = yaml.net.rope_start = config.alternation_start
    constructor = {"vits": "vit_small", "vitb": "vit_base", "vitl": "vit_large", "vitg": "vit_giant2"}[yaml.net.name]
    with patch.object(dinov2, constructor, partial(getattr(dinov2, constructor), depth=config.depth)):
        return create_object(yaml)


def build_from_numbers(config: Da3Config) -> Any:
    """The reference network of an architecture that the package has no file for: da3-small's, every size from `config`.

    Its parameters are as the package initialises them.
    """
    import depth_anything_3
    from depth_anything_3.cfg import create_object
    from depth_anything_3.model.dinov2 import dinov2
    from depth_anything_3.model.dinov2.vision_transformer import DinoVisionTransformer
    from omegaconf import OmegaConf

    yaml: Any = OmegaConf.load(Path(depth_anything_3.__path__[0]) / "configs" / "da3-small.yaml")
    yaml.net.out_layers = list(config.tapped_blocks)
    yaml.net.alt_start = yaml.net.qknorm_start = yaml.net.rope_start = config.alternation_start
    yaml.head.dim_in = yaml.cam_dec.dim_in = 2 * config.dim
    yaml.head.features, yaml.head.out_channels = config.head_features, list(config.head_channels)
    yaml.cam_enc.dim_out = config.dim
    yaml.cam_enc.num_heads, yaml.cam_enc.trunk_depth = config.camera_heads, config.camera_depth
    transformer = partial(
        DinoVisionTransformer, embed_dim=config.dim, depth=config.depth, num_heads=config.heads, mlp_ratio=4,
        num_register_tokens=0,
    )  # fmt: skip
    with patch.object(dinov2, "vit_small", transformer):
        return create_object(yaml).eval()


def save(network: nn.Module, path: Path) -> None:
    """Write the weights as the official files have them: upstream's names, shared tensors once."""
    save_file({f"model.{name}": value.detach() for name, value in network.named_parameters()}, path)


def run(network: Any, images: Tensor, cameras: dict[str, Tensor], strategy: str) -> dict[str, Tensor]:
    """All outputs under our names; those that the reference deletes or paints over are caught before it does.

    Args:
        network: what `build` returned.
        images: (B, V, 3, H, W).
        cameras: `camera_from_world` and `intrinsics`, or empty.
        strategy: of the reference view.
    """
    if hasattr(network, "da3_metric"):
        return _by_window(_run_nested, network, images, cameras, strategy)
    if network.cam_dec is None:
        return _by_window(_run_monocular, network, images, cameras, strategy)
    return _run_any_view(network, images, cameras, strategy)


def _by_window(run_one: Callable[..., dict[str, Tensor]], network: Any, *arguments: Any) -> dict[str, Tensor]:
    """One window after the other: these networks mix the windows of a call, or fail on more than eight views of two."""
    images, cameras, strategy = arguments
    parts = [
        run_one(network, images[[b]], {name: value[[b]] for name, value in cameras.items()}, strategy)
        for b in range(len(images))
    ]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


@contextmanager
def _first_of_equals() -> Iterator[None]:
    """Of two views that `saddle_sim_range` finds equal, the most alike ones always, theirs takes either by rounding."""
    from depth_anything_3.model.dinov2 import vision_transformer

    select = vision_transformer.select_reference_view

    def select_first(x: Tensor, strategy: str) -> Tensor:
        chosen = select(x, strategy=strategy)
        if strategy != "saddle_sim_range":
            return chosen
        spread = sim_range(x[:, :, 0])
        first = (spread >= spread.amax(1, keepdim=True) - TIE).int().argmax(1)
        assert torch.allclose(spread.gather(1, first[:, None]), spread.gather(1, chosen[:, None]), atol=TIE)
        return first

    with patch.object(vision_transformer, "select_reference_view", select_first):
        yield


def sim_range(class_tokens: Tensor) -> Tensor:
    """(B, V) by how much the similarities of a view to the others, its own counting as 0, spread."""
    directions = torch.nn.functional.normalize(class_tokens.double(), dim=-1)
    similarities = directions @ directions.mT - torch.eye(class_tokens.shape[1], dtype=torch.float64)
    return similarities.amax(-1) - similarities.amin(-1)


def _run_any_view(network: Any, images: Tensor, cameras: dict[str, Tensor], strategy: str) -> dict[str, Tensor]:
    with torch.inference_mode(), _first_of_equals(), _caught(network.head) as head:
        out = network(images, cameras.get("camera_from_world"), cameras.get("intrinsics"), ref_view_strategy=strategy)
    return {
        "depth": out["depth"],
        "confidence": out["depth_conf"],
        "camera_from_world": out["extrinsics"],
        "intrinsics": out["intrinsics"],
        "ray": head["ray"],
        "ray_confidence": head["ray_conf"],
    }


def _run_monocular(network: Any, images: Tensor, _cameras: Any, _strategy: Any) -> dict[str, Tensor]:
    """Depth and sky as the head says them, before sky is painted over."""
    with torch.inference_mode(), _caught(network.head) as head:
        network(images)
    return {"depth": head["depth"], "sky": head["sky"]}


def _run_nested(network: Any, images: Tensor, cameras: dict[str, Tensor], strategy: str) -> dict[str, Tensor]:
    """Everything in metres, before sky is painted over; quantiles of all pixels, not of a random sample of them."""
    from depth_anything_3.model import da3

    known = (cameras.get("camera_from_world"), cameras.get("intrinsics"))
    exact = patch.object(da3, "sample_tensor_for_quantile", lambda values, max_samples: values)
    parts = _caught(network.da3.head), _caught(network.da3_metric.head)
    with torch.inference_mode(), exact, _first_of_equals(), parts[0] as shape, parts[1] as metric:
        out = network(images, *known, ref_view_strategy=strategy)
    direction, origin = shape["ray"].split(3, dim=-1)
    return {
        "depth": out["scale_factor"] * shape["depth"],
        "confidence": shape["depth_conf"],
        "camera_from_world": out["extrinsics"],
        "intrinsics": out["intrinsics"],
        "ray": torch.cat((direction, out["scale_factor"] * origin), dim=-1),
        "ray_confidence": shape["ray_conf"],
        "scale": torch.tensor([out["scale_factor"]]),
        "metric depth": metric["depth"],
        "metric sky": metric["sky"],
    }


@contextmanager
def _caught(head: nn.Module) -> Iterator[dict[str, Tensor]]:
    """What a head says, copied: the reference scales and paints in place."""
    said: dict[str, Tensor] = {}

    def catch(_module: nn.Module, _inputs: Any, output: Any) -> None:
        said.update({name: value.clone() for name, value in output.items()})

    handle = head.register_forward_hook(catch)
    try:
        yield said
    finally:
        handle.remove()
