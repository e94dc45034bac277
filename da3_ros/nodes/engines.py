# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From parameters to the engine that answers the windows."""

from __future__ import annotations

import logging
import math
from pathlib import Path

from da3_ros.inference.engine import Engine
from da3_ros.inference.oracle import OracleEngine, OracleNoise, Truth
from da3_ros.ros.params import NodeParams

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

    return load_estimator(
        params.model,
        params.weights,
        device=params.device,
        process_resolution=params.process_resolution,
        reference_view=params.reference_view,
        pose_source=params.pose_source,
        cpu_threads=params.cpu_threads,
        accept_noncommercial_license=params.accept_noncommercial_license,
        allow_download=params.allow_download,
    )


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
