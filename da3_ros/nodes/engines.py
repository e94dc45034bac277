# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From parameters to the engine that answers the windows."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

from da3_ros.inference.engine import Engine
from da3_ros.inference.onnx_file import is_onnx_file
from da3_ros.inference.oracle import OracleEngine, OracleNoise, Truth
from da3_ros.ros.params import NodeParams

WARM_UP_SIZE = (480, 640)
_log = logging.getLogger(__name__)


def make_engine(params: NodeParams) -> Engine:
    """The engine that the parameters ask for, ready to estimate.

    Raises:
        ValueError: in one sentence, when its weights, device or scene cannot be used.
        EngineError: when the device has not enough memory.
    """
    if params.engine == "oracle":
        return _oracle(params)
    if params.engine == "null":
        from da3_ros.inference.null_engine import NullEngine

        _log.warning("the engine is 'null': depth is one everywhere and poses are identity")
        return NullEngine(process_resolution=params.process_resolution)
    # Torch and the network take seconds to import: only who asks for them waits.
    from da3_ros.inference.loading import load_estimator

    engine = load_estimator(
        params.model,
        params.weights,
        reference_view=params.reference_view,
        pose_source=params.pose_source,
        **network_options(params),
    )
    if is_onnx_file(params.weights):
        _check_windows(engine, params)
    return engine


def network_options(params: NodeParams) -> dict[str, Any]:
    """How any network is run, as keywords of `load_estimator`."""
    return {
        "device": params.device,
        "process_resolution": params.process_resolution,
        "precision": params.precision,
        "head_precision": params.head_precision,
        "cache_mb": params.feature_cache_mb,
        "compile": params.compile,
        "max_memory_mb": params.max_memory_mb,
        "cpu_threads": params.cpu_threads,
        "accept_noncommercial_license": params.accept_noncommercial_license,
        "allow_download": params.allow_download,
    }


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
    return OracleEngine(_truth(params), noise, process_resolution=params.process_resolution)


def _truth(params: NodeParams) -> Truth:
    if params.oracle_scene != "simulation":
        from da3_ros.evaluation.datasets import dataset_truth

        return dataset_truth(Path(params.oracle_scene))
    from da3_ros.sources.simulated import simulation

    room = simulation(params.simulation_seed)
    return lambda key, camera, image: room.truth(key, camera)
