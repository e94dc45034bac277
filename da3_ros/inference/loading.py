# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From names, as a user gives them, to an engine that is ready to estimate."""

from __future__ import annotations

from da3_ros.inference.device import resolve_device
from da3_ros.inference.estimator import DepthEstimator
from da3_ros.model.build import build_network
from da3_ros.model.weights import initialise


def load_estimator(
    model: str,
    weights: str,
    *,
    device: str = "auto",
    process_resolution: int = 504,
    reference_view: str = "saddle_balanced",
    pose_source: str = "camera_head",
    cpu_threads: int = 0,
    accept_noncommercial_license: bool = False,
    allow_download: bool = False,
) -> DepthEstimator:
    """Build the network, give it its weights and bring it to the device.

    Args:
        model: architecture, as in `da3-small`.
        weights: path of a safetensors file or its folder, Hugging Face id, or `random` for tests.
        device: auto, cpu, cuda or cuda:<index>.
        process_resolution: pixels of the longest side that the network sees.
        reference_view: how the network chooses its reference view.
        pose_source: where cameras and their poses come from: `camera_head` or `rays`.
        cpu_threads: threads of one call on the CPU; 0 leaves a core to the rest of the process.
        accept_noncommercial_license: the user accepts CC BY-NC 4.0 for the weights that need it.
        allow_download: weights that are not in the local cache may be downloaded.

    Raises:
        ValueError: when an argument is out of its range, or (as `WeightsError`) the weights cannot be used.
        EngineError: when the device has not enough memory for the weights.
    """
    target = resolve_device(device)  # before the minutes that big weights take
    network = build_network(model)
    initialise(
        network, weights, accept_noncommercial_license=accept_noncommercial_license, allow_download=allow_download
    )
    return DepthEstimator(
        network,
        target,
        process_resolution=process_resolution,
        reference_view=reference_view,
        pose_source=pose_source,
        cpu_threads=cpu_threads,
    )
