# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From parameters to the network that is asked for metres beside the engine, now and then and about a few views."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.inference.engine import Image
from da3_ros.inference.onnx_file import is_onnx_file
from da3_ros.nodes.engines import WARM_UP_SIZE, load_options
from da3_ros.ros.log_bridge import throttled
from da3_ros.ros.params import NodeParams
from da3_ros.streaming.model_scale import DepthMaps, MetricDepth

if TYPE_CHECKING:
    from da3_ros.inference.monocular_estimator import MonocularEstimator

WARN_PERIOD_S = 30.0
_log = logging.getLogger(__name__)


def make_metric_model(params: NodeParams) -> MetricDepth | None:
    """The network that the parameters ask for, ready to be asked; None where they ask for none.

    Raises:
        ValueError: in one sentence, when its weights or device cannot be used.
        EngineError: when the device has not enough memory.
    """
    if not params.metric_model:
        return None
    from da3_ros.inference.loading import load_estimator
    from da3_ros.inference.monocular_estimator import MonocularEstimator

    # What an exported network takes is ONNX Runtime's own affair.
    beside = params.model if params.engine == "network" and not is_onnx_file(params.weights) else ""
    # It has no cameras to take from rays, and no window shows it an image that it has seen before. Its metres move with
    # the resolution, so it keeps the one that it was trained at, whatever the other network sees.
    options = replace(load_options(params, beside), pose_source="camera_head", cache_mb=0, process_resolution=0)
    estimator = load_estimator(params.metric_model, params.metric_weights, options)
    if not isinstance(estimator, MonocularEstimator):
        raise ValueError(f"metric_weights '{params.metric_weights}' hold no network that sees images one by one")
    estimator.warm_up(params.metric_views, WARM_UP_SIZE)
    return lambda images, cameras: metric_depth(estimator, images, cameras)


def metric_depth(estimator: MonocularEstimator, images: Sequence[Image], cameras: Sequence[PinholeCamera]) -> DepthMaps:
    """What an estimator says of some views as `MetricDepth` has it; NaN everywhere when it fails.

    A window can do without: it is published whatever becomes of this.
    """
    try:
        found = estimator.depth_of(images, cameras)
    except (RuntimeError, MemoryError) as error:
        _log.warning("the metric model failed: %s", error, extra=throttled("metric_model", WARN_PERIOD_S))
        return np.full((len(images), 1, 1), np.nan, dtype=np.float32)
    return np.where(np.array(found.is_metric)[:, None, None], found.depth, np.float32(np.nan))
