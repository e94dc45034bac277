# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The network as an engine: images and cameras in numpy in, a Prediction in numpy out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.prediction import Prediction, ViewKey
from da3_ros.geometry.rays import camera_from_rays
from da3_ros.inference.device import resolve_cpu_threads
from da3_ros.inference.engine import EngineError, Image, check_keys
from da3_ros.inference.network_cameras import (
    camera_from_network_intrinsics,
    check_known_poses,
    network_intrinsics_from_camera,
    window_from_camera_of_network,
)
from da3_ros.inference.preprocess import Preprocessor, ProcessedViews
from da3_ros.model.camera_token import normalise_cameras
from da3_ros.model.network import Da3Network, NetworkOutput
from da3_ros.model.reference_view import check_strategy

POSE_SOURCES = ("camera_head", "rays")

_log = logging.getLogger(__name__)
_WARN_PERIOD_S = 30.0
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class DepthEstimator:
    """Owns the network and its device, and is the only place where torch meets numpy. An `Engine`.

    All calls must come from one thread at a time.
    """

    def __init__(
        self,
        network: Da3Network,
        device: torch.device,
        *,
        process_resolution: int = 504,
        reference_view: str = "saddle_balanced",
        pose_source: str = "camera_head",
        cpu_threads: int = 0,
    ) -> None:
        """Take a network with its weights, and move it to the device.

        Args:
            network: in float32.
            device: where it shall run.
            process_resolution: pixels of the longest side that the network sees.
            reference_view: how the network chooses its reference view; a name in `reference_view.STRATEGIES`.
            pose_source: where cameras and their poses come from: `camera_head`, or `rays`, which costs the ray branch
                and finds principal points too. A view whose rays agree on no camera keeps that of the camera head.
            cpu_threads: threads of one call on the CPU; 0 leaves a core to the rest of the process.

        Raises:
            ValueError: when an argument is out of its range.
            EngineError: when the device has not enough memory for the weights.
        """
        check_strategy(reference_view)
        if pose_source not in POSE_SOURCES:
            raise ValueError(f"pose_source '{pose_source}' is not one of {', '.join(POSE_SOURCES)}")
        self.device = device
        self._preprocessor = Preprocessor(process_resolution)
        self._reference_view = reference_view
        self._want_rays = pose_source == "rays"
        self._cpu_threads = resolve_cpu_threads(cpu_threads)
        with _memory_shortage_told(f"{device} has not enough memory for the weights: use a smaller model"):
            self._network = network.to(device).eval()

    def estimate(
        self,
        images: Sequence[Image],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: npt.ArrayLike | None = None,
        keys: Sequence[ViewKey] | None = None,
    ) -> Prediction:
        """See `Engine.estimate`. Depth is NaN where rectification found no source pixel."""
        views = self._preprocessor.process(images, cameras)
        known_poses = check_known_poses(camera_from_world, cameras, len(images))
        check_keys(keys, len(images))
        return _prediction(views, self._run(views, known_poses))

    def warm_up(self, views: int, size: tuple[int, int]) -> None:
        """See `Engine.warm_up`."""
        self.estimate([np.zeros((*size, 3), dtype=np.uint8)] * views)

    def _run(self, views: ProcessedViews, known_poses: npt.NDArray[np.floating] | None) -> NetworkOutput:
        # PyTorch keeps the number of threads per calling thread: it must be set by the one that computes.
        if self.device.type == "cpu" and torch.get_num_threads() != self._cpu_threads:
            torch.set_num_threads(self._cpu_threads)
        count, height, width, _ = views.images.shape
        shortage = (
            f"{self.device} has not enough memory for {count} views of {height}x{width}: "
            "use a smaller window or process resolution"
        )
        with torch.inference_mode(), _memory_shortage_told(shortage):
            return self._network(
                network_input(views.images, self.device),
                *self._known_cameras(views, known_poses),
                want_rays=self._want_rays,
                reference_view=self._reference_view,
            )

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
        device: where the tensor shall be; bytes travel there, a quarter of the floats.

    Returns:
        (1, V, 3, h, w) float32.
    """
    mean = torch.tensor(_IMAGENET_MEAN, device=device).view(3, 1, 1)
    std = torch.tensor(_IMAGENET_STD, device=device).view(3, 1, 1)
    pixels = torch.from_numpy(images).to(device).permute(0, 3, 1, 2)  # (V, h, w, 3) -> (V, 3, h, w)
    tensor = torch.empty(pixels.shape, dtype=torch.float32, device=device).copy_(pixels)
    return tensor.mul_(1 / (255 * std)).sub_(mean / std)[None]


def _prediction(views: ProcessedViews, output: NetworkOutput) -> Prediction:
    depth, confidence = _per_view("depth", output.depth), _per_view("confidence", output.confidence)
    size = (views.images.shape[1], views.images.shape[2])
    window_from_camera = window_from_camera_of_network(_per_view("pose", output.camera_from_world))
    predicted = [camera_from_network_intrinsics(matrix, size) for matrix in _per_view("K", output.intrinsics)]
    if output.ray is not None and output.ray_confidence is not None:
        rays = zip(_per_view("ray", output.ray), _per_view("ray confidence", output.ray_confidence), strict=True)
        for view, ray_map in enumerate(rays):
            try:
                found = camera_from_rays(*ray_map)
            except DegenerateGeometryError as error:
                once = {"throttle_key": f"rays/{view}", "throttle_period_s": _WARN_PERIOD_S}
                _log.warning("view %d: %s; its camera is that of the camera head", view, error, extra=once)
                continue
            window_from_camera[view] = found.window_from_camera
            predicted[view] = found.camera.resized(size)  # the ray map spans the image
    return Prediction(
        images=views.images,
        depth=np.where(views.valid, depth, np.float32(np.nan)),
        confidence=np.where(views.valid, confidence, np.float32(1.0)),
        window_from_camera=window_from_camera,
        cameras=tuple(given or found for given, found in zip(views.cameras, predicted, strict=True)),
        predicted_cameras=tuple(predicted),
    )


def _per_view(name: str, output: torch.Tensor) -> npt.NDArray[np.float32]:
    """(V, ...) of the one window in (1, V, ...); EngineError when it is not finite."""
    array: npt.NDArray[np.float32] = output[0].float().cpu().numpy()
    finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if not finite.all():
        raise EngineError(f"the network's {name} of view {int(np.argmin(finite))} holds a NaN or infinity")
    return array


@contextmanager
def _memory_shortage_told(message: str) -> Iterator[None]:
    """Turn a shortage of memory into an EngineError. PyTorch has a type for the GPU's; the CPU's it says in words."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)) or "DefaultCPUAllocator" in str(error):
            raise EngineError(message) from error
        raise
