# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From parameters to how frames become windows."""

from __future__ import annotations

from da3_ros.inference.onnx_file import is_onnx_file
from da3_ros.ros.params import NodeParams
from da3_ros.streaming.stream_config import StreamConfig


def stream_config(params: NodeParams) -> StreamConfig:
    """The stream that the parameters ask for.

    Raises:
        ValueError: when they contradict each other.
    """
    return StreamConfig(
        cameras=params.cameras,
        slop_ns=round(params.sync_slop_ms * 1e6),
        missing_camera=params.missing_camera,  # type: ignore[arg-type]  # checked against the same choices
        # A tenth of slack, as stamps jitter: 30 Hz thinned to 10 Hz must take every third image.
        min_period_ns=round(0.9e9 / params.max_rate_hz) if params.max_rate_hz else 0,
        window_size=params.window_size,
        window_stride=params.window_stride,
        # The first answer after the first set: a robot should not wait for a whole window. An exported network must.
        min_sets=0 if is_onnx_file(params.weights) else 1,
        overlap=max(1, min(params.window_overlap, params.window_size - params.window_stride)),
        max_rejected=params.max_rejected,
        scale_mode=params.scale_mode,
        fixed_scale=params.fixed_scale,
        require_metric=params.require_metric,
        metric_every=params.metric_every,
        metric_views=params.metric_views,
        intrinsics=params.intrinsics,
        conditioning=params.pose_conditioning,
        path_length=params.path_length,
    )
