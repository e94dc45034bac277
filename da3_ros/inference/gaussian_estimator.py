# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Images to 3D Gaussians: one call of a network with a head for them, in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.gaussians import Gaussians
from da3_ros.geometry.prediction import Prediction
from da3_ros.inference.device import resolve_cpu_threads, resolve_device
from da3_ros.inference.engine import EngineError, Image
from da3_ros.inference.estimator import CPU_VIEWS_AT_ONCE, memory_shortage_told, network_input
from da3_ros.inference.model_choice import choose_model
from da3_ros.inference.network_prediction import NetworkArrays, prediction_from_network
from da3_ros.inference.preprocess import Preprocessor
from da3_ros.model.build import build_network
from da3_ros.model.config import usual_resolution
from da3_ros.model.gaussian_adapter import GaussianOutput
from da3_ros.model.gaussian_network import GaussianNetwork
from da3_ros.model.heads import VIEWS_AT_ONCE
from da3_ros.model.weights import initialise


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What one call says of all its views.

    Attributes:
        prediction: depth and cameras, in the window's own gauge.
        gaussians: one per pixel in the order of views, rows and columns, in the same frame and unit.
    """

    prediction: Prediction
    gaussians: Gaussians


class GaussianEstimator:
    """Owns the network and its device. All calls must come from one thread at a time."""

    def __init__(self, network: GaussianNetwork, device: torch.device, *, process_resolution: int = 504) -> None:
        """Take a network with its weights, in float32, and move it to the device.

        Args:
            network: what `build_network(..., with_gaussians=True)` returned.
            device: where it shall run.
            process_resolution: pixels of the longest side that the network sees.

        Raises:
            EngineError: when the device has not enough memory for the weights.
        """
        with memory_shortage_told(f"{device} has not enough memory for the weights"):
            self._network = network.to(device).eval()
        self._device = device
        self._preprocessor = Preprocessor(process_resolution)

    def estimate(self, images: Sequence[Image], cameras: Sequence[PinholeCamera | None] | None = None) -> Scene:
        """Predict Gaussians of all views together.

        Args:
            images: V images (H, W, 3) uint8 RGB.
            cameras: V calibrations, None where there is none; they serve to take lens distortion out.

        Raises:
            ValueError: when an image is malformed; the message names the view.
            EngineError: when the network's answer is not finite, or there is not enough memory.
        """
        views = self._preprocessor.process(images, cameras)
        if self._device.type == "cpu":
            torch.set_num_threads(resolve_cpu_threads(0))
        count, height, width, _ = views.images.shape
        shortage = (
            f"{self._device} has not enough memory for {count} views of {height}x{width}: take fewer or smaller ones"
        )
        with torch.inference_mode(), memory_shortage_told(shortage):
            out = self._network.scene(
                network_input(views.images, self._device),
                views_at_once=CPU_VIEWS_AT_ONCE if self._device.type == "cpu" else VIEWS_AT_ONCE,
            )
        arrays = NetworkArrays(
            depth=_array(out.views.depth),
            confidence=_array(out.views.confidence),
            camera_from_world=_array(out.views.camera_from_world),
            intrinsics=_array(out.views.intrinsics),
            ray=None,
            ray_confidence=None,
        )
        return Scene(prediction_from_network(views, arrays), _gaussians(out.gaussians))


def load_gaussian_estimator(
    model: str,
    weights: str,
    *,
    device: str = "auto",
    process_resolution: int = 0,
    accept_noncommercial_license: bool = False,
    allow_download: bool = False,
) -> GaussianEstimator:
    """Build the network, give it its weights and bring it to the device; arguments as of `loading.load_estimator`.

    Raises:
        ValueError: when the model has no head for Gaussians (names those that have), an argument is out of its range,
            or (as `WeightsError`) the weights cannot be used.
    """
    target = resolve_device(device)
    model = choose_model(model, weights)
    network = build_network(model, with_gaussians=True)
    initialise(
        network, weights, accept_noncommercial_license=accept_noncommercial_license, allow_download=allow_download
    )
    return GaussianEstimator(network, target, process_resolution=process_resolution or usual_resolution(model))


def _gaussians(output: GaussianOutput) -> Gaussians:
    # The sign of a scale says nothing: covariance has its square.
    scales = np.maximum(np.abs(_array(output.scales)), np.finfo(np.float32).tiny)
    parts = (_array(output.means), scales, _array(output.quaternions), _array(output.harmonics))
    opacities = _array(output.opacities)
    if not all(np.isfinite(part).all() for part in (*parts, opacities)):
        raise EngineError("the network's Gaussians hold a NaN or infinity")
    means, scales, quaternions, harmonics = parts
    return Gaussians(means, scales, quaternions, harmonics.swapaxes(1, 2), opacities)  # (N, 3, K) -> (N, K, 3)


def _array(tensor: torch.Tensor) -> npt.NDArray[np.float32]:
    """The one window in (1, ...)."""
    array: npt.NDArray[np.float32] = tensor[0].float().cpu().numpy()
    return array
