# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The networks that see every image alone, as an engine: depth and sky, in metres where model and camera allow it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey
from da3_ros.inference.compiling import compiled
from da3_ros.inference.device import compile_mode, resolve_cpu_threads
from da3_ros.inference.engine import EngineError, Image, check_keys
from da3_ros.inference.estimator import memory_shortage_told, network_input
from da3_ros.inference.network_cameras import check_known_poses
from da3_ros.inference.peak_memory import MemoryOfCall, check_fits, half_at_once, limit_cuda_memory, weight_bytes
from da3_ros.inference.precision import resolve_precision, set_precision
from da3_ros.inference.preprocess import PATCH_SIZE_PX, Preprocessor, ProcessedViews
from da3_ros.model.monocular import VIEWS_AT_ONCE, MonocularNetwork, MonocularOutput, metres_from_canonical

_ASSUMED_HORIZONTAL_RAD = math.radians(60)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class MonocularDepth:
    """Depth of V views, each for itself.

    Attributes:
        depth: (V, h, w) float32 z along the optical axis, metres where `is_metric`, else in the view's own unit; NaN in
            sky, and where rectification found no source pixel.
        sky: (V, h, w) bool.
        is_metric: V times, whether the model is metric and the view's camera calibrated.
    """

    depth: npt.NDArray[np.float32]
    sky: npt.NDArray[np.bool_]
    is_metric: tuple[bool, ...]


class MonocularEstimator:
    """Owns a network for single images and its device. An `Engine` without poses and without confidence.

    All calls must come from one thread at a time.
    """

    def __init__(
        self,
        network: MonocularNetwork,
        device: torch.device,
        *,
        process_resolution: int = 504,
        cpu_threads: int = 0,
        precision: str = "fp32",
        head_precision: str = "fp32",
        compile: bool = False,
        max_memory_mb: int = 0,
    ) -> None:
        """Take a network with its weights, and move it to the device; arguments and errors as `DepthEstimator`'s."""
        dtypes = (resolve_precision(precision, device), resolve_precision(head_precision, device))
        self.device = device
        self._preprocessor = Preprocessor(process_resolution)
        self._half_preprocessor = Preprocessor(max(process_resolution // 2, PATCH_SIZE_PX))
        self._cpu_threads = resolve_cpu_threads(cpu_threads)
        with memory_shortage_told(f"{device} has not enough memory for the weights: use a smaller model"):
            set_precision(network, *dtypes)
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # unknown to torch's types
            self._network = network.to(device).eval()
        limit_cuda_memory(device, max_memory_mb)
        self._max_memory_mb = max_memory_mb
        self._call: Callable[..., MonocularOutput] = network
        if compile:
            self._call = compiled(network, compile_mode(device))
        # One at a time costs a CPU nothing, and then an answer does not depend by a rounding on its company.
        self._views_at_once = 1 if device.type == "cpu" else VIEWS_AT_ONCE
        self._is_warned = False

    def estimate(
        self,
        images: Sequence[Image],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: npt.ArrayLike | None = None,
        keys: Sequence[ViewKey] | None = None,
        *,
        effort: Effort = FULL_EFFORT,
    ) -> Prediction:
        """See `Engine.estimate`. Known poses are checked and not used: the network neither takes nor tells any.

        Depth is NaN in sky, and confidence 1 everywhere. The prediction's unit is the metre when the model is metric
        and every camera calibrated; otherwise each view has its own. A camera without calibration is taken to be 60
        degrees wide, with one warning.

        Raises:
            ValueError: also when there are two images of one camera, as windows over time have.
        """
        check_keys(keys, len(images))
        check_known_poses(camera_from_world, cameras, len(images))
        self._check_one_instant(keys)
        views = self._process(images, cameras, effort)
        found = self._depth_of(views, effort)
        V, H, W = found.depth.shape
        assumed = PinholeCamera.from_field_of_view((H, W), _ASSUMED_HORIZONTAL_RAD)
        used = tuple(camera or assumed for camera in views.cameras)
        return Prediction(
            images=views.images,
            depth=found.depth,
            confidence=np.ones((V, H, W), dtype=np.float32),
            window_from_camera=np.tile(np.eye(4), (V, 1, 1)),
            cameras=used,
            predicted_cameras=used,
            sky=found.sky,
            metres_per_unit=1.0 if all(found.is_metric) else math.nan,
            has_poses=False,
        )

    def depth_of(
        self, images: Sequence[Image], cameras: Sequence[PinholeCamera | None] | None = None
    ) -> MonocularDepth:
        """Depth and sky alone; arguments and errors as `Engine.estimate`'s."""
        return self._depth_of(self._process(images, cameras, FULL_EFFORT), FULL_EFFORT)

    def warm_up(self, views: int, size: tuple[int, int]) -> None:
        """See `Engine.warm_up`."""
        blank = PinholeCamera.from_field_of_view(size, _ASSUMED_HORIZONTAL_RAD)  # calibrated: nothing to warn of
        self.depth_of([np.zeros((*size, 3), dtype=np.uint8)] * views, [blank] * views)

    def _process(
        self, images: Sequence[Image], cameras: Sequence[PinholeCamera | None] | None, effort: Effort
    ) -> ProcessedViews:
        views = (self._half_preprocessor if effort.half_resolution else self._preprocessor).process(images, cameras)
        uncalibrated = [view for view, camera in enumerate(views.cameras) if camera is None]
        if uncalibrated and not self._is_warned:
            self._is_warned = True
            relative = ", and its depth is relative, not in metres" if self._network.config.is_metric else ""
            _log.warning(
                "view %d has no calibration: it is taken to be %.0f degrees wide%s",
                uncalibrated[0],
                math.degrees(_ASSUMED_HORIZONTAL_RAD),
                relative,
            )
        return views

    def _depth_of(self, views: ProcessedViews, effort: Effort) -> MonocularDepth:
        output = self._run(views.images, effort)
        canonical_focal_px = self._network.config.canonical_focal_px
        depth = output.depth
        is_metric = tuple(canonical_focal_px is not None and camera is not None for camera in views.cameras)
        if canonical_focal_px is not None:
            # Without calibration the depth stays as the network says it.
            focal_px = [canonical_focal_px if one is None else (one.fx_px + one.fy_px) / 2 for one in views.cameras]
            depth = metres_from_canonical(depth, depth.new_tensor(focal_px), canonical_focal_px)
        arrays: list[npt.NDArray[np.float32]] = [one[0].cpu().numpy() for one in (depth, output.sky)]
        for name, array in zip(("depth", "sky"), arrays, strict=True):
            finite = np.isfinite(array).all(axis=(1, 2))
            if not finite.all():
                raise EngineError(f"the network's {name} of view {int(np.argmin(finite))} holds a NaN or infinity")
        sky = output.is_sky[0].cpu().numpy() & views.valid
        return MonocularDepth(np.where(views.valid & ~sky, arrays[0], np.float32(np.nan)), sky, is_metric)

    def _run(self, images: npt.NDArray[np.uint8], effort: Effort) -> MonocularOutput:
        # PyTorch keeps the number of threads per calling thread: it must be set by the one that computes.
        if self.device.type == "cpu" and torch.get_num_threads() != self._cpu_threads:
            torch.set_num_threads(self._cpu_threads)
        count, height, width, _ = images.shape
        shortage = (
            f"{self.device} has not enough memory for {count} views of {height}x{width}: use a lower process resolution"
        )
        views_at_once = half_at_once(self._views_at_once, count) if effort.half_chunks else self._views_at_once
        self._check_fits(min(count, views_at_once), (height, width))
        with torch.inference_mode(), memory_shortage_told(shortage):
            output: MonocularOutput = self._call(network_input(images, self.device), views_at_once=views_at_once)
            return output

    def _check_fits(self, views: int, size: tuple[int, int]) -> None:
        """Refuse so many views at once on the CPU where they would take more than they may."""
        if self._max_memory_mb and self.device.type == "cpu":
            call = MemoryOfCall(
                config=self._network.config,
                weight_bytes=weight_bytes(self._network),
                views=views,
                size=size,
                views_at_once=views,
            )
            check_fits(call, self._max_memory_mb)

    def _check_one_instant(self, keys: Sequence[ViewKey] | None) -> None:
        """What this engine cannot relate, it must not be asked to."""
        cameras = [key.camera for key in keys or ()]
        if len(set(cameras)) < len(cameras):
            raise ValueError(
                f"{self._network.config.name} sees every image alone and cannot relate two of one camera: "
                "set window_size to 1, or use an any-view model"
            )
