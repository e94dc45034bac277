# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Network calls that can be compared: the same normalised images in, the same outputs on the host out.

Resizing images before and placing the answer after are no part of them. All networks get the same random weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from da3_ros.cli.published_package import build_published
from da3_ros.inference.device import resolve_device
from da3_ros.inference.estimator import DepthEstimator, network_input
from da3_ros.inference.precision import resolve_precision
from da3_ros.inference.preprocess import Preprocessor, ProcessedViews
from da3_ros.model.build import build_network
from da3_ros.model.config import ARCHITECTURES, Da3Config, architecture
from da3_ros.model.network import Da3Network
from da3_ros.model.weights import calm, fill_with_noise, open_field_of_view

NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
Images = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Which network, and where.

    Attributes:
        model: architecture.
        overrides: fields of `Da3Config` to change, for tiny networks.
        device: as in `resolve_device`.
        threads: of every call on the CPU.
    """

    model: str = "da3-small"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    threads: int = 1

    @property
    def config(self) -> Da3Config:
        """The architecture; ValueError when there is none of that name, or its views do not see each other."""
        config = architecture(self.model, **self.overrides)
        if not isinstance(config, Da3Config):
            any_view = [name for name, other in ARCHITECTURES.items() if isinstance(other, Da3Config)]
            raise ValueError(f"{self.model} cannot be measured here: choose one of {', '.join(any_view)}")
        return config


@dataclass(frozen=True, slots=True)
class Precision:
    """Number type of backbone and head, as the estimator takes them."""

    backbone: str
    head: str

    def __str__(self) -> str:
        return self.backbone if self.backbone == self.head else f"{self.backbone}, head {self.head}"


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What every network answers, on the host in float32.

    Attributes:
        depth: (V, H, W) window units.
        confidence: (V, H, W).
        camera_from_world: (V, 3, 4).
        intrinsics: (V, 3, 3).
    """

    depth: Tensor
    confidence: Tensor
    camera_from_world: Tensor
    intrinsics: Tensor


NetworkCall = Callable[[ProcessedViews], Outputs]


def resolved(precisions: Sequence[str], device: str) -> tuple[Precision, ...]:
    """What `bf16` (both) or `bf16/fp32` (backbone and head) stand for on a device, each once.

    Raises:
        ValueError: when there is no such device.
    """
    target = resolve_device(device)
    found = []
    for text in precisions:
        backbone, _, head = text.partition("/")
        used = [NAMES[resolve_precision(name, target)] for name in (backbone, head or backbone)]
        found.append(Precision(*used))
    return tuple(dict.fromkeys(found))


def make_images(views: int, size: tuple[int, int], seed: int = 0) -> Images:
    """(V, H, W, 3) uint8 pictures with structure at several scales, all different; what they show does not matter."""
    generator = np.random.default_rng(seed)
    height, width = size
    pictures = np.zeros((views, height, width, 3))
    for cell, contrast in ((56, 100), (14, 50), (4, 30)):
        coarse = generator.random((views, -(-height // cell), -(-width // cell), 3)) * contrast
        pictures += coarse.repeat(cell, axis=1).repeat(cell, axis=2)[:, :height, :width]
    return pictures.astype(np.uint8)


def processed(images: Images) -> ProcessedViews:
    """Pictures that have the network's size already, as its input; see `make_images`."""
    return Preprocessor(max(images.shape[1:3])).process(list(images))


def same_weights(options: NetworkOptions, ours: int, published: bool) -> tuple[list[Da3Network], Any]:
    """So many networks of ours and one of theirs, None unless asked for, all with the random weights of seed 0, calmed.

    Raises:
        ValueError: when there is no such architecture.
        PublishedPackageError: when theirs is asked for and cannot be had.
    """
    config = options.config
    network = build_network(config.name, **options.overrides)
    assert isinstance(network, Da3Network)  # as its configuration says
    fill_with_noise(network, seed=0)
    open_field_of_view(network.camera_decoder.field_of_view)
    calm(network)
    theirs = build_published(config, network.state_dict()) if published else None
    return [network, *(deepcopy(network) for _ in range(ours - 1))], theirs


def make_estimator(
    network: Da3Network, options: NetworkOptions, precision: Precision, resolution: int, **settings: Any
) -> DepthEstimator:
    """Our estimator for images whose longest side is `resolution` already."""
    return DepthEstimator(
        network,
        resolve_device(options.device),
        process_resolution=resolution,
        cpu_threads=options.threads,
        precision=precision.backbone,
        head_precision=precision.head,
        **settings,
    )


def our_call(
    network: Da3Network, options: NetworkOptions, precision: Precision, size: tuple[int, int], **settings: Any
) -> NetworkCall:
    """Ours, as the node's engine runs it, without its feature cache."""
    estimator = make_estimator(network, options, precision, max(size), cache_mb=0, **settings)

    def call(views: ProcessedViews) -> Outputs:
        answer = estimator.answer(views)
        return _on_host(answer.depth, answer.confidence, answer.camera_from_world, answer.intrinsics)

    return call


def published_call(network: Any, options: NetworkOptions, bf16: bool = False) -> NetworkCall:
    """Theirs; in bf16 under autocast, as the package's own API runs it."""
    device = resolve_device(options.device)
    network = network.to(device)

    def call(views: ProcessedViews) -> Outputs:
        torch.set_num_threads(options.threads)
        autocast = torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext()
        with torch.inference_mode(), autocast:
            answer = network(network_input(views.images, device))
        return _on_host(answer["depth"], answer["depth_conf"], answer["extrinsics"], answer["intrinsics"])

    return call


def differences(ours: Outputs, reference: Outputs) -> dict[str, float]:
    """How far two answers are apart.

    Returns:
        `depth_error`: largest difference of depth over the largest depth. `depth_difference`: median of the difference
        of each pixel over its depth. `pose_error`: largest difference of the poses, or of the intrinsics, over their
        largest number.
    """
    relative = (ours.depth - reference.depth).abs() / reference.depth.abs()
    return {
        "depth_error": _largest_error(ours.depth, reference.depth),
        "depth_difference": float(relative.median()),
        "pose_error": max(
            _largest_error(ours.camera_from_world, reference.camera_from_world),
            _largest_error(ours.intrinsics, reference.intrinsics),
        ),
    }


def _largest_error(ours: Tensor, reference: Tensor) -> float:
    return float((ours - reference).abs().max() / reference.abs().max())


def _on_host(depth: Tensor, confidence: Tensor, camera_from_world: Tensor, intrinsics: Tensor) -> Outputs:
    """Of (1, V, ...) tensors. Copying waits for the device: a call ends when its numbers are there."""
    depth, confidence, camera_from_world, intrinsics = (
        tensor[0].float().cpu() for tensor in (depth, confidence, camera_from_world, intrinsics)
    )
    return Outputs(depth, confidence, camera_from_world[:, :3], intrinsics)
