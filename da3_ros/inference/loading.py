# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From names, as a user gives them, to an engine that is ready to estimate."""

from __future__ import annotations

from dataclasses import replace

import torch

from da3_ros.inference.device import resolve_device
from da3_ros.inference.engine import Engine
from da3_ros.inference.estimator import DepthEstimator
from da3_ros.inference.load_options import LoadOptions
from da3_ros.inference.model_choice import choose_model
from da3_ros.inference.monocular_estimator import MonocularEstimator
from da3_ros.inference.onnx_engine import OnnxEngine
from da3_ros.inference.onnx_file import is_onnx_file
from da3_ros.inference.peak_memory import MB, weight_bytes
from da3_ros.inference.precision import resolve_precision, set_precision
from da3_ros.model.build import build_network
from da3_ros.model.config import usual_resolution
from da3_ros.model.monocular import MonocularNetwork
from da3_ros.model.nested import NestedNetwork
from da3_ros.model.network import Da3Network
from da3_ros.model.weights import initialise, resolve_weights


def load_estimator(model: str, weights: str, options: LoadOptions) -> Engine:
    """Build the network, give it its weights and bring it to the device; or open the ONNX file that holds all this.

    Args:
        model: architecture, a key of `config.ARCHITECTURES`, or `auto` for the one that the weights are for.
        weights: `auto`, path of a safetensors file or its folder, Hugging Face id, or `random` for tests; or path of an
            ONNX file. Both `auto`: the embedded network.
        options: how it is to be run.

    Raises:
        ValueError: when an option is out of its range, or (as `WeightsError`) the weights cannot be used.
        EngineError: when the device has not enough memory for the weights.
    """
    model = choose_model(model, weights)
    accepted = options.accept_noncommercial_license
    if is_onnx_file(weights):
        path = resolve_weights(weights, model, accept_noncommercial_license=accepted)
        return OnnxEngine(
            path,
            model=model,
            device=options.device,
            pose_source=options.pose_source,
            cpu_threads=options.cpu_threads,
        )
    target = resolve_device(options.device)  # before the minutes that big weights take
    options = replace(options, process_resolution=options.process_resolution or usual_resolution(model))
    network = build_network(model)
    if isinstance(network, MonocularNetwork) and options.pose_source != "camera_head":
        raise ValueError(
            f"pose_source '{options.pose_source}' needs a model that predicts cameras, and '{model}' does not"
        )
    initialise(network, weights, accept_noncommercial_license=accepted, allow_download=options.allow_download)
    if isinstance(network, MonocularNetwork):
        return _monocular_estimator(network, target, options)
    return _depth_estimator(network, target, options)


def _monocular_estimator(network: MonocularNetwork, target: torch.device, options: LoadOptions) -> MonocularEstimator:
    return MonocularEstimator(
        network,
        target,
        process_resolution=options.process_resolution,
        cpu_threads=options.cpu_threads,
        precision=options.precision,
        head_precision=options.head_precision,
        compile=options.compile,
        max_memory_mb=options.max_memory_mb,
    )


def _depth_estimator(network: Da3Network | NestedNetwork, target: torch.device, options: LoadOptions) -> DepthEstimator:
    return DepthEstimator(
        network,
        target,
        process_resolution=options.process_resolution,
        reference_view=options.reference_view,
        pose_source=options.pose_source,
        cpu_threads=options.cpu_threads,
        precision=options.precision,
        head_precision=options.head_precision,
        cache_mb=options.cache_mb,
        compile=options.compile,
        max_memory_mb=options.max_memory_mb,
    )


def weights_mb(model: str, precision: str, head_precision: str, device: str) -> int:
    """Megabytes of a network's weights as they are stored, known without having them; arguments as of `LoadOptions`.

    Raises:
        ValueError: when an argument is out of its range.
    """
    target = resolve_device(device)
    with torch.device("meta"):
        network = build_network(model)
    set_precision(network, resolve_precision(precision, target), resolve_precision(head_precision, target))
    return -(-weight_bytes(network) // MB)
