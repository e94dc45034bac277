# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The network as an engine: images and cameras in numpy in, a Prediction in numpy out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey
from da3_ros.inference.compiling import compiled
from da3_ros.inference.device import compile_mode, resolve_cpu_threads
from da3_ros.inference.engine import Image, OutOfMemory, check_keys
from da3_ros.inference.feature_cache import FeatureCache, ImageIdentities
from da3_ros.inference.network_cameras import check_known_poses, network_intrinsics_from_camera
from da3_ros.inference.network_prediction import NetworkArrays, prediction_from_network
from da3_ros.inference.peak_memory import MemoryOfCall, check_fits, half_at_once, limit_cuda_memory, weight_bytes
from da3_ros.inference.precision import resolve_precision, set_precision
from da3_ros.inference.preprocess import PATCH_SIZE_PX, Preprocessor, ProcessedViews
from da3_ros.model.camera_token import normalise_cameras
from da3_ros.model.config import IMAGENET_MEAN, IMAGENET_STD, NestedConfig
from da3_ros.model.heads import VIEWS_AT_ONCE
from da3_ros.model.nested import NestedNetwork, NestedOutput
from da3_ros.model.network import Da3Network, NetworkOutput
from da3_ros.model.reference_view import check_strategy

POSE_SOURCES = ("camera_head", "rays")
CPU_VIEWS_AT_ONCE = 1

_SHORTAGES = ("out of memory", "alloc_failed", "bad_alloc", "defaultcpuallocator")


class DepthEstimator:
    """Owns the network and its device, and is the only place where torch meets numpy. An `Engine`.

    All calls must come from one thread at a time.
    """

    def __init__(
        self,
        network: Da3Network | NestedNetwork,
        device: torch.device,
        *,
        process_resolution: int = 504,
        reference_view: str = "saddle_balanced",
        pose_source: str = "camera_head",
        cpu_threads: int = 0,
        precision: str = "fp32",
        head_precision: str = "fp32",
        cache_mb: int = 256,
        compile: bool = False,
        max_memory_mb: int = 0,
    ) -> None:
        """Take a network with its weights, and move it to the device.

        Args:
            network: in float32; its weights change to the precision that is asked for.
            device: where it shall run.
            process_resolution: pixels of the longest side that the network sees.
            reference_view: how the network chooses its reference view; a name in `reference_view.STRATEGIES`.
            pose_source: where cameras and their poses come from: `camera_head`, or `rays`, which costs the ray branch
                and finds principal points too. A view whose rays agree on no camera keeps that of the camera head.
            cpu_threads: threads of one call on the CPU; 0 leaves a core to the rest of the process.
            precision: of the transformer blocks; a name in `precision.PRECISIONS`.
            head_precision: of the dense heads.
            cache_mb: memory for what is known of images from earlier calls; see `feature_cache`. 0 keeps nothing.
            compile: let `torch.compile` make kernels for each number of views and image size; the first call of each
                takes long, and on the CPU it needs a C++ compiler.
            max_memory_mb: what weights and a call may take; see `peak_memory`. 0 allows all.

        Raises:
            ValueError: when an argument is out of its range.
            OutOfMemory: when the device has not enough memory for the weights.
        """
        check_strategy(reference_view)
        if pose_source not in POSE_SOURCES:
            raise ValueError(f"pose_source '{pose_source}' is not one of {', '.join(POSE_SOURCES)}")
        dtypes = (resolve_precision(precision, device), resolve_precision(head_precision, device))
        self.device = device
        self._cache, self._identities = FeatureCache(cache_mb * 2**20), ImageIdentities()
        self._preprocessor = Preprocessor(process_resolution, self._cache)
        self._half_preprocessor = Preprocessor(max(process_resolution // 2, PATCH_SIZE_PX), self._cache)
        self._max_memory_mb = max_memory_mb
        limit_cuda_memory(device, max_memory_mb)
        self._reference_view = reference_view
        self._want_rays = pose_source == "rays"
        self._cpu_threads = resolve_cpu_threads(cpu_threads)
        with memory_shortage_told(f"{device} has not enough memory for the weights: use a smaller model"):
            set_precision(network, *dtypes)
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # unknown to torch's types
            self._network = network.to(device).eval()
        self._views_at_once = CPU_VIEWS_AT_ONCE if device.type == "cpu" else VIEWS_AT_ONCE
        self._encode: Callable[..., Any] = network.encode
        self._relate: Callable[..., Any] = network.relate
        if compile:
            # No CUDA graphs for features: those are kept beyond the next call.
            self._encode = compiled(network.encode)
            self._relate = compiled(network.relate, compile_mode(device))

    def estimate(
        self,
        images: Sequence[Image],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: npt.ArrayLike | None = None,
        keys: Sequence[ViewKey] | None = None,
        *,
        effort: Effort = FULL_EFFORT,
    ) -> Prediction:
        """See `Engine.estimate`. Depth is NaN where rectification found no source pixel."""
        check_keys(keys, len(images))
        known_poses = check_known_poses(camera_from_world, cameras, len(images))
        identities = None
        if keys is not None and self._cache.max_bytes:
            identities = [self._identities.of(*one) for one in zip(keys, images, strict=True)]
        preprocessor = self._half_preprocessor if effort.half_resolution else self._preprocessor
        views = preprocessor.process(images, cameras, identities)
        return prediction_from_network(views, _as_arrays(self.answer(views, known_poses, effort)))

    def warm_up(self, views: int, size: tuple[int, int]) -> None:
        """See `Engine.warm_up`."""
        self.estimate([np.zeros((*size, 3), dtype=np.uint8)] * views)

    def answer(
        self,
        views: ProcessedViews,
        known_poses: npt.NDArray[np.floating] | None = None,
        effort: Effort = FULL_EFFORT,
    ) -> NetworkOutput | NestedOutput:
        """What the network says of processed views, on its device.

        Raises:
            OutOfMemory: when there is not enough.
        """
        # PyTorch keeps the number of threads per calling thread: it must be set by the one that computes.
        if self.device.type == "cpu" and torch.get_num_threads() != self._cpu_threads:
            torch.set_num_threads(self._cpu_threads)
        count, height, width, _ = views.images.shape
        shortage = (
            f"{self.device} has not enough memory for {count} views of {height}x{width}: "
            "use a smaller window or process resolution"
        )
        views_at_once = half_at_once(self._views_at_once, count) if effort.half_chunks else self._views_at_once
        poses, intrinsics = self._known_cameras(views, known_poses)
        try:
            self._check_fits(count, (height, width), views_at_once)
            with torch.inference_mode(), memory_shortage_told(shortage):
                return self._relate(
                    self._encoded(views),
                    batch=1,
                    camera_from_world=poses,
                    intrinsics=intrinsics,
                    want_rays=self._want_rays,
                    reference_view=self._reference_view,
                    views_at_once=views_at_once,
                )
        except OutOfMemory:
            self._cache.clear()  # the next attempt needs the room more
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            raise

    def _check_fits(self, count: int, size: tuple[int, int], views_at_once: int) -> None:
        """Refuse a call on the CPU that would take more than it may."""
        if not self._max_memory_mb or self.device.type != "cpu":
            return
        config = self._network.config
        call = MemoryOfCall(
            config=config.any_view if isinstance(config, NestedConfig) else config,
            weight_bytes=weight_bytes(self._network),
            views=count,
            size=size,
            views_at_once=views_at_once,
            want_rays=self._want_rays,
            kept_bytes=self._cache.size_bytes,
        )
        try:
            check_fits(call, self._max_memory_mb)
        except OutOfMemory:
            self._cache.clear()  # what is kept for speed goes before anything is given up
            check_fits(replace(call, kept_bytes=0), self._max_memory_mb)

    def _encoded(self, views: ProcessedViews) -> Any:
        """Features of single images; only those that are new go through the network.

        On the CPU one at a time, which costs nothing: then an answer does not depend, not by a rounding, on which
        images came together and which were remembered. A GPU needs them together to be busy.
        """
        keys = [("features", identity) for identity in views.identities]
        parts: dict[int, Any] = {}
        for view, key in enumerate(keys):
            if (found := self._cache.get(key)) is not None:
                parts[view] = found
        new = [view for view in range(len(views.images)) if view not in parts]
        at_once = 1 if self.device.type == "cpu" else max(len(new), 1)
        for chunk in (new[begin : begin + at_once] for begin in range(0, len(new), at_once)):
            features = self._encode(network_input(views.images[chunk], self.device)[0])
            for view, part in zip(chunk, features.apart(), strict=True):
                parts[view] = part
                if keys:
                    self._cache.put(keys[view], part, part.size_bytes)
        return parts[0].joined([parts[view] for view in range(len(views.images))])

    def _known_cameras(
        self, views: ProcessedViews, known_poses: npt.NDArray[np.floating] | None
    ) -> tuple[torch.Tensor, torch.Tensor] | tuple[None, None]:
        if known_poses is None:
            return None, None
        intrinsics = np.stack(
            [network_intrinsics_from_camera(camera) for camera in views.cameras if camera is not None]
        )
        # Normalised in float64: poses may lie kilometres from their origin.
        poses = normalise_cameras(torch.from_numpy(known_poses)[None])
        return poses.float().to(self.device), torch.from_numpy(intrinsics)[None].float().to(self.device)


def network_input(images: npt.NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    """Images as the network takes them: (x / 255 - mean) / std with ImageNet's numbers, as one multiply and add.

    Args:
        images: (V, h, w, 3) uint8 RGB.
        device: where the tensor shall be; bytes travel there, a quarter of the floats, and nobody waits for them.

    Returns:
        (1, V, 3, h, w) float32.
    """
    pixels = torch.from_numpy(images)
    if device.type == "cuda":
        pixels = pixels.pin_memory()
    return normalised(pixels.to(device, non_blocking=True))


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """(V, h, w, 3) uint8 pixels as the network takes them, (1, V, 3, h, w) float32; see `network_input`."""
    factor, shift = _normalisation(pixels.device)
    pixels = pixels.permute(0, 3, 1, 2)  # (V, h, w, 3) -> (V, 3, h, w)
    tensor = torch.empty(pixels.shape, dtype=torch.float32, device=pixels.device).copy_(pixels)
    return tensor.mul_(factor).sub_(shift)[None]


@lru_cache(maxsize=4)
def _normalisation(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Factor and shift of every channel, (3, 1, 1) each; to send them anew each time would wait for a GPU."""
    with torch.inference_mode(False):  # cached: made while predicting, it must also serve where gradients flow
        mean = torch.tensor(IMAGENET_MEAN, device=device).view(3, 1, 1)
        std = torch.tensor(IMAGENET_STD, device=device).view(3, 1, 1)
        return 1 / (255 * std), mean / std


def _as_arrays(output: NetworkOutput | NestedOutput) -> NetworkArrays:
    """The one window in (1, V, ...) tensors; all of them travel together, and are waited for once."""
    moved = {
        field.name: tensor[0].to("cpu", non_blocking=True)
        for field in fields(output)
        if (tensor := getattr(output, field.name)) is not None
    }
    if output.depth.is_cuda:
        torch.cuda.synchronize(output.depth.device)
    # Of a nested network the unit is the metre, wherever its metric half has seen enough to say so.
    is_metric = math.isfinite(moved.pop("scale", math.nan))
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in moved.items()}
    return NetworkArrays(**arrays, metres_per_unit=1.0 if is_metric else math.nan)


@contextmanager
def memory_shortage_told(message: str) -> Iterator[None]:
    """Turn a shortage of memory into OutOfMemory. PyTorch has a type for one kind; the others it tells in words."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        words = str(error).lower()
        if isinstance(error, MemoryError) or any(shortage in words for shortage in _SHORTAGES):
            raise OutOfMemory(message) from error
        raise
