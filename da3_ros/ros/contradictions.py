# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters that are good one by one but not together are refused before anything is loaded, each in one sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from da3_ros.ros.model_names import METRIC_MODEL, NESTED_MODEL

if TYPE_CHECKING:
    from da3_ros.ros.params import NodeParams

SMALLEST_PX = 56  # less shows a network next to nothing
_CAMERA_NAME = re.compile(r"[A-Za-z]\w*(/[A-Za-z]\w*)*", re.ASCII)


def refuse_contradictions(params: NodeParams) -> None:
    """Hold the parameters against one another; what hangs on a model that is not known yet is taken to be good.

    Raises:
        ValueError: in one sentence, on the first contradiction.
    """
    _check_cameras(params)
    _check_window(params)
    _check_monocular(params)
    _check_track(params)
    _check_odometry(params)
    _check_metres(params)
    _check_depth(params)
    _check_frames(params)
    if 0 < params.process_resolution < SMALLEST_PX:
        raise ValueError(f"process_resolution must be {SMALLEST_PX} or more, or 0, not {params.process_resolution}")
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", params.device):
        raise ValueError(f"device must be auto, cpu, cuda or cuda:<number>, not '{params.device}'")


def _check_cameras(params: NodeParams) -> None:
    if not params.cameras:
        raise ValueError("cameras must name at least one camera")
    if len(set(params.cameras)) != len(params.cameras):
        raise ValueError(f"cameras must differ, not {list(params.cameras)}")
    for name in params.cameras:
        if not (_CAMERA_NAME.fullmatch(name) or params.cameras == ("",)):
            raise ValueError(f"camera name '{name}' is not a relative topic name, such as 'front' or 'rig/front'")


def _check_window(params: NodeParams) -> None:
    size, stride = params.window_size, params.window_stride
    if stride > size:
        raise ValueError(f"window_stride {stride} must not be larger than window_size {size}")
    if stride == size > 1:
        raise ValueError(f"window_stride {stride} leaves no set for two windows of {size} to share")
    if params.pose_conditioning == "rig" and size > 1:
        raise ValueError("pose_conditioning 'rig' needs window_size 1: a rig says nothing of motion between sets")


def _check_monocular(params: NodeParams) -> None:
    if not params.is_monocular:
        return
    if params.window_size > 1:
        raise ValueError(f"model '{params.model}' sees one image at a time: set window_size to 1")
    if params.min_confidence > 1.0:
        raise ValueError(f"model '{params.model}' knows no confidence, it is 1: leave min_confidence at 1 or below")
    refused = ("scale_mode", "rig"), ("intrinsics", "predicted"), ("pose_source", "rays"), ("pose_conditioning", "rig")
    for name, value in (*refused, ("pose_conditioning", "odom")):
        if getattr(params, name) == value:
            raise ValueError(f"{name} '{value}' needs a model that predicts cameras, and '{params.model}' does not")


def _check_track(params: NodeParams) -> None:
    """What windows that share nothing cannot give."""
    if params.has_track:
        return
    needs = "needs window_size 2 or more: windows of one frame set share nothing, so there is no track"
    if params.tf_mode != "none":
        raise ValueError(f"tf_mode '{params.tf_mode}' {needs}")
    if params.scale_mode == "odom":
        raise ValueError(f"scale_mode 'odom' {needs}")
    knows_metres = params.knows_metres or params.awaits_model
    if params.scale_mode == "fixed" and params.engine == "network" and not knows_metres:
        raise ValueError(f"scale_mode 'fixed' {needs}, and every image has a unit of its own")
    if params.map_voxel_size > 0:
        raise ValueError(f"map_voxel_size {params.map_voxel_size} {needs}")


def _check_odometry(params: NodeParams) -> None:
    if params.odometry_topic and params.odometry_frame:
        raise ValueError("odometry_topic and odometry_frame are two ways to the same thing: set only one of them")
    if not (params.odometry_topic or params.odometry_frame):
        for name in ("scale_mode", "pose_conditioning"):
            if getattr(params, name) == "odom":
                raise ValueError(f"{name} 'odom' needs odometry_topic or odometry_frame")
    if params.odometry_frame and params.odometry_frame == params.base_frame:
        raise ValueError(f"odometry_frame and base_frame must differ; both are '{params.base_frame}'")


def _check_metres(params: NodeParams) -> None:
    model, mode = params.metric_model, params.scale_mode
    if params.require_metric and mode == "relative":
        raise ValueError("require_metric with scale_mode 'relative' would publish nothing: set scale_mode to auto")
    if mode == "model" and not (model or params.knows_metres or params.awaits_model):
        raise ValueError(
            f"scale_mode 'model' needs metric_model '{METRIC_MODEL}', or the model {METRIC_MODEL} or {NESTED_MODEL}"
        )
    if not model:
        return
    if model != METRIC_MODEL:
        raise ValueError(f"metric_model must be {METRIC_MODEL} or empty, not '{model}'")
    if mode not in ("auto", "model"):
        raise ValueError(f"metric_model is of no use with scale_mode '{mode}': set that to auto or model")
    if params.knows_metres:
        raise ValueError(f"metric_model is of no use beside the model '{params.model}', which knows metres itself")
    if params.is_monocular:
        raise ValueError(f"metric_model is of no use beside the model '{params.model}': set model to {METRIC_MODEL}")


def _check_depth(params: NodeParams) -> None:
    if 0 < params.max_depth <= params.min_depth:
        raise ValueError(f"max_depth {params.max_depth} must be larger than min_depth {params.min_depth}, or 0")
    if params.sky_depth == "inf" and params.depth_encoding == "16UC1":
        raise ValueError("sky_depth 'inf' needs depth_encoding 32FC1: 16UC1 has no infinity")


def _check_frames(params: NodeParams) -> None:
    frames = {"odom_frame": params.odom_frame, "base_frame": params.base_frame}
    if params.odometry_frame:
        frames["odometry_frame"] = params.odometry_frame
    for name, frame_id in frames.items():
        if not frame_id or frame_id.startswith("/"):
            raise ValueError(f"{name} must be a frame without a leading slash, not '{frame_id}'")
    if params.odom_frame == params.base_frame:
        raise ValueError(f"odom_frame and base_frame must differ; both are '{params.odom_frame}'")
