# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""An exported network as a call that can be compared with the others."""

from __future__ import annotations

from pathlib import Path

import torch

from da3_ros.cli.network_calls import NetworkCall, NetworkOptions, Outputs
from da3_ros.inference.onnx_engine import OnnxEngine
from da3_ros.inference.preprocess import ProcessedViews
from da3_ros.model.weights import RANDOM


def onnx_call(file: Path, options: NetworkOptions, shape: tuple[int, int, int]) -> NetworkCall:
    """ONNX Runtime on a file that `da3_ros export onnx --weights random` made: the weights of all the others.

    Args:
        file: the export.
        options: what it must hold, and where it shall run.
        shape: (V, H, W) of the call.

    Raises:
        ValueError: when the file is missing, is not such an export, or was made for another shape.
    """
    engine = OnnxEngine(file, model=options.model, device=options.device, cpu_threads=options.threads)
    if engine.contents.weights != RANDOM:
        raise ValueError(f"{file} holds other weights than the networks beside it: export with --weights random")
    if (engine.contents.views, *engine.contents.size) != shape:
        asked = "{} views of {}x{}".format(*shape)
        raise ValueError(f"{file} was exported for {engine.contents.shape}, not {asked}: export again")

    def call(views: ProcessedViews) -> Outputs:
        answer = engine.answer(views.images)
        depth, confidence, camera_from_world, intrinsics = (
            torch.from_numpy(array)
            for array in (answer.depth, answer.confidence, answer.camera_from_world, answer.intrinsics)
        )
        return Outputs(depth, confidence, camera_from_world[:, :3], intrinsics)

    return call
