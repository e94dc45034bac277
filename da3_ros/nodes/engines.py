# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From parameters to the engine that answers the windows."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path

from da3_ros.inference.engine import Engine
from da3_ros.inference.load_options import LoadOptions
from da3_ros.inference.onnx_file import is_onnx_file
from da3_ros.inference.oracle import OracleEngine, OracleNoise, Truth
from da3_ros.model.config import RESOLUTION
from da3_ros.ros.params import NodeParams

WARM_UP_SIZE = (480, 640)
_log = logging.getLogger(__name__)


def with_model(params: NodeParams) -> NodeParams:
    """The same, with the model named where the weights say which one it is.

    Raises:
        ValueError: in one sentence, when they do not say it, or the model contradicts another parameter.
    """
    if not params.awaits_model:
        return params
    from da3_ros.inference.model_choice import choose_model

    return replace(params, model=choose_model(params.model, params.weights))


def make_engine(params: NodeParams) -> Engine:
    """The engine that the parameters ask for, ready to estimate.

    Args:
        params: as `with_model` returned them.

    Raises:
        ValueError: in one sentence, when its weights, device or scene cannot be used.
        EngineError: when the device has not enough memory.
    """
    if params.engine == "oracle":
        return _oracle(params)
    if params.engine == "null":
        from da3_ros.inference.null_engine import NullEngine

        _log.warning("the engine is 'null': depth is one everywhere and poses are identity")
        return NullEngine(process_resolution=params.process_resolution or RESOLUTION)
    # Torch and the network take seconds to import: only who asks for them waits.
    from da3_ros.inference.loading import load_estimator

    engine = load_estimator(params.model, params.weights, load_options(params, beside=params.metric_model))
    if is_onnx_file(params.weights):
        _check_windows(engine, params)
    return engine


def load_options(params: NodeParams, beside: str) -> LoadOptions:
    """How the parameters want their networks to be run.

    Args:
        params: of the node.
        beside: the other network in this process, whose weights take memory too; empty for none.

    Raises:
        ValueError: when `max_memory_mb` is too little for that one alone.
    """
    return LoadOptions(
        device=params.device,
        process_resolution=params.process_resolution,
        reference_view=params.reference_view,
        pose_source=params.pose_source,
        cpu_threads=params.cpu_threads,
        precision=params.precision,
        head_precision=params.head_precision,
        cache_mb=params.feature_cache_mb,
        compile=params.compile,
        max_memory_mb=_memory_left_mb(params, beside),
        accept_noncommercial_license=params.accept_noncommercial_license,
        allow_download=params.allow_download,
    )


def _memory_left_mb(params: NodeParams, beside: str) -> int:
    """`max_memory_mb` less the weights of another network; on a GPU PyTorch counts both by itself."""
    from da3_ros.inference.device import resolve_device
    from da3_ros.inference.loading import weights_mb

    if not params.max_memory_mb or not beside or resolve_device(params.device).type != "cpu":
        return params.max_memory_mb
    taken_mb = weights_mb(beside, params.precision, params.head_precision, params.device)
    if taken_mb >= params.max_memory_mb:
        raise ValueError(
            f"max_memory_mb is {params.max_memory_mb}, and the weights of {beside} alone take {taken_mb} MB: raise it, "
            "or leave metric_model empty"
        )
    return params.max_memory_mb - taken_mb


def _check_windows(engine: Engine, params: NodeParams) -> None:
    """Refuse at the start what an exported network would refuse window by window."""
    from da3_ros.inference.onnx_engine import OnnxEngine

    assert isinstance(engine, OnnxEngine)  # by its name
    if params.pose_conditioning != "none":
        raise ValueError(f"{params.weights} takes no known poses: set pose_conditioning to none")
    engine.check_windows(len(params.cameras), params.window_size)


def _oracle(params: NodeParams) -> OracleEngine:
    _log.warning("the engine is 'oracle': it knows the truth of '%s'; no network runs", params.oracle_scene)
    noise = OracleNoise(
        depth_smooth=params.oracle_depth_noise,
        depth_pixel=params.oracle_depth_noise / 3,
        position_m=params.oracle_position_noise,
        rotation_rad=math.radians(params.oracle_rotation_noise_deg),
        random_gauge=params.oracle_random_gauge,
        seed=params.oracle_seed,
    )
    return OracleEngine(_truth(params), noise, process_resolution=params.process_resolution or RESOLUTION)


def _truth(params: NodeParams) -> Truth:
    if params.oracle_scene != "simulation":
        from da3_ros.evaluation.datasets import dataset_truth

        return dataset_truth(Path(params.oracle_scene))
    from da3_ros.sources.simulated import simulation

    room = simulation(params.simulation_seed)
    return lambda key, camera, image: room.truth(key, camera)
