# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From names, as a user gives them, to an engine that is ready to estimate."""

from __future__ import annotations

import torch

from da3_ros.inference.device import resolve_device
from da3_ros.inference.engine import Engine
from da3_ros.inference.estimator import DepthEstimator
from da3_ros.inference.model_choice import choose_model
from da3_ros.inference.monocular_estimator import MonocularEstimator
from da3_ros.inference.onnx_engine import OnnxEngine
from da3_ros.inference.onnx_file import is_onnx_file
from da3_ros.inference.peak_memory import MB, weight_bytes
from da3_ros.inference.precision import resolve_precision, set_precision
from da3_ros.model.build import build_network
from da3_ros.model.config import usual_resolution
from da3_ros.model.monocular import MonocularNetwork
from da3_ros.model.weights import initialise, resolve_weights


def load_estimator(
    model: str,
    weights: str,
    *,
    device: str = "auto",
    process_resolution: int = 0,
    reference_view: str = "saddle_balanced",
    pose_source: str = "camera_head",
    cpu_threads: int = 0,
    precision: str = "fp32",
    head_precision: str = "fp32",
    cache_mb: int = 256,
    compile: bool = False,
    max_memory_mb: int = 0,
    accept_noncommercial_license: bool = False,
    allow_download: bool = False,
) -> Engine:
    """Build the network, give it its weights and bring it to the device; or open the ONNX file that holds all this.

    Args:
        model: architecture, a key of `config.ARCHITECTURES`, or `auto` for the one that the weights are for. Those for
            single images have no use for a reference view and a cache.
        weights: `auto`, path of a safetensors file or its folder, Hugging Face id, or `random` for tests; or path of an
            ONNX file, whose own resolution and reference view rule. Both `auto`: the embedded network.
        device: auto, cpu, cuda or cuda:<index>.
        process_resolution: pixels of the longest side that the network sees; 0 for what it was trained at.
        reference_view: how the network chooses its reference view.
        pose_source: where cameras and their poses come from: `camera_head` or `rays`.
        cpu_threads: threads of one call on the CPU; 0 leaves a core to the rest of the process.
        precision: see `DepthEstimator`.
        head_precision: see `DepthEstimator`.
        cache_mb: see `DepthEstimator`.
        compile: see `DepthEstimator`.
        max_memory_mb: see `DepthEstimator`.
        accept_noncommercial_license: the user accepts CC BY-NC 4.0 for the weights that need it.
        allow_download: weights that are not in the local cache may be downloaded.

    Raises:
        ValueError: when an argument is out of its range, or (as `WeightsError`) the weights cannot be used.
        EngineError: when the device has not enough memory for the weights.
    """
    model = choose_model(model, weights)
    if is_onnx_file(weights):
        path = resolve_weights(weights, model, accept_noncommercial_license=accept_noncommercial_license)
        return OnnxEngine(path, model=model, device=device, pose_source=pose_source, cpu_threads=cpu_threads)
    target = resolve_device(device)  # before the minutes that big weights take
    process_resolution = process_resolution or usual_resolution(model)
    network = build_network(model)
    if isinstance(network, MonocularNetwork) and pose_source != "camera_head":
        raise ValueError(f"pose_source '{pose_source}' needs a model that predicts cameras, and '{model}' does not")
    initialise(
        network, weights, accept_noncommercial_license=accept_noncommercial_license, allow_download=allow_download
    )
    if isinstance(network, MonocularNetwork):
        return MonocularEstimator(
            network,
            target,
            process_resolution=process_resolution,
            cpu_threads=cpu_threads,
            precision=precision,
            head_precision=head_precision,
            compile=compile,
            max_memory_mb=max_memory_mb,
        )
    return DepthEstimator(
        network,
        target,
        process_resolution=process_resolution,
        reference_view=reference_view,
        pose_source=pose_source,
        cpu_threads=cpu_threads,
        precision=precision,
        head_precision=head_precision,
        cache_mb=cache_mb,
        compile=compile,
        max_memory_mb=max_memory_mb,
    )


def weights_mb(model: str, precision: str, head_precision: str, device: str) -> int:
    """Megabytes that a network's weights take as they are stored, known without having them; arguments as above.

    Raises:
        ValueError: when an argument is out of its range.
    """
    target = resolve_device(device)
    with torch.device("meta"):
        network = build_network(model)
    set_precision(network, resolve_precision(precision, target), resolve_precision(head_precision, target))
    return -(-weight_bytes(network) // MB)
