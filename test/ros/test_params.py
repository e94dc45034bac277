# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The node's own parameters: what contradicts itself is refused, and the shipped file holds the defaults."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from da3_ros.model.config import ARCHITECTURES, RESOLUTION, MonocularConfig, NestedConfig, usual_resolution
from da3_ros.ros.model_names import METRIC_MODEL, MODELS, MONOCULAR_MODELS, NESTED_MODEL
from da3_ros.ros.parameter_schema import as_yaml, declare, read
from da3_ros.ros.params import NodeParams
from test.ros.graph import Graph

METRIC, NESTED = "da3metric-large", "da3nested-giant-large"
CONFIG = Path(__file__).resolve().parents[2] / "config" / "da3.yaml"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"cameras": ()}, "at least one camera"),
        ({"cameras": ("front", "front")}, "must differ"),
        ({"cameras": ("front", "")}, "not a relative topic name"),
        ({"cameras": ("/front",)}, "not a relative topic name"),
        ({"cameras": ("front camera",)}, "not a relative topic name"),
        ({"engine": "magic"}, "'engine' must be one of network, oracle, null"),
        ({"process_resolution": 500}, "such as 504"),
        ({"process_resolution": 42}, "process_resolution must be 56 or more, or 0, not 42"),
        ({"window_size": 2, "window_stride": 3}, "must not be larger than window_size 2"),
        ({"model": "da3-tiny"}, "'model' must be one of auto, da3-nano, da3-small, da3-base"),
        (
            {"scale_mode": "model", "model": "da3-small"},
            "needs metric_model 'da3metric-large', or the model da3metric-large or da3nested",
        ),
        ({"scale_mode": "model", "model": "da3mono-large", "window_size": 1}, "needs metric_model 'da3metric-large'"),
        ({"metric_model": "da3-small"}, "metric_model must be da3metric-large or empty, not 'da3-small'"),
        ({"metric_model": METRIC, "scale_mode": "rig"}, "metric_model is of no use with scale_mode 'rig'"),
        ({"metric_model": METRIC, "model": NESTED}, "which knows metres itself"),
        ({"metric_model": METRIC, "model": "da3mono-large", "window_size": 1}, "set model to da3metric-large"),
        ({"model": METRIC}, "model 'da3metric-large' sees one image at a time: set window_size to 1"),
        ({"model": METRIC, "window_size": 1, "scale_mode": "rig"}, "scale_mode 'rig' needs a model that predicts"),
        ({"model": METRIC, "window_size": 1, "intrinsics": "predicted"}, "'predicted' needs a model that predicts"),
        ({"model": METRIC, "window_size": 1, "pose_source": "rays"}, "pose_source 'rays' needs a model that predicts"),
        ({"model": METRIC, "window_size": 1, "pose_conditioning": "rig"}, "'rig' needs a model that predicts cameras"),
        ({"window_size": 1, "tf_mode": "base"}, "tf_mode 'base' needs window_size 2 or more"),
        ({"window_size": 1, "scale_mode": "odom", "odometry_topic": "odom"}, "scale_mode 'odom' needs window_size 2"),
        ({"window_size": 1, "map_voxel_size": 0.1}, "map_voxel_size 0.1 needs window_size 2 or more"),
        ({"metric_every": 0}, "'metric_every' must lie in"),
        ({"sky_depth": "far"}, "'sky_depth' must be one of nan, inf"),
        ({"sky_depth": "inf", "depth_encoding": "16UC1"}, "16UC1 has no infinity"),
        ({"precision": "int8"}, "'precision' must be one of auto, fp32, bf16, fp16"),
        ({"pose_conditioning": "rig"}, "needs window_size 1"),
        ({"window_size": 4, "window_stride": 4}, "leaves no set for two windows of 4 to share"),
        ({"min_depth": 2.0, "max_depth": 1.0}, "max_depth 1.0 must be larger than min_depth 2.0"),
        ({"device": "gpu"}, "device must be"),
        ({"device": "cuda:"}, "device must be"),
        ({"odom_frame": "/odom"}, "without a leading slash"),
        ({"base_frame": ""}, "without a leading slash"),
        ({"odom_frame": "base_link"}, "must differ"),
        ({"fixed_scale": 0.0}, "'fixed_scale' must lie in"),
        ({"scale_mode": "metric"}, "'scale_mode' must be one of auto, rig, odom, model, fixed, relative"),
        ({"scale_mode": "odom"}, "scale_mode 'odom' needs odometry_topic or odometry_frame"),
        ({"pose_conditioning": "odom"}, "pose_conditioning 'odom' needs odometry_topic or odometry_frame"),
        ({"odometry_topic": "odom", "odometry_frame": "odom"}, "set only one of them"),
        ({"odometry_frame": "/odom"}, "odometry_frame must be a frame without a leading slash"),
        ({"odometry_frame": "base_link"}, "odometry_frame and base_frame must differ"),
        ({"require_metric": True, "scale_mode": "relative"}, "would publish nothing: set scale_mode to auto"),
        ({"max_rejected": 0}, "'max_rejected' must lie in"),
    ],
)
def test_parameters_are_refused_in_one_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refusal:
        NodeParams(**values)

    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "values",
    [
        {"cameras": ("",)},
        {"cameras": ("rig/front", "rig/left_2")},
        {"window_size": 1},
        {"scale_mode": "model"},  # the weights may be those of a model that knows metres
        {"window_size": 1, "scale_mode": "fixed"},
        {"window_size": 4, "window_stride": 2, "window_overlap": 2},
        {"device": "cuda:1"},
        {"min_depth": 2.0, "max_depth": 0.0},
        {"scale_mode": "odom", "odometry_topic": "wheel/odom"},
        {"pose_conditioning": "odom", "odometry_frame": "odom"},
        {"odometry_frame": "odom", "tf_mode": "base"},  # warned about, and not used
        {"metric_model": METRIC},
        {"metric_model": METRIC, "scale_mode": "model", "metric_every": 1, "metric_views": 4},
        {"model": NESTED, "scale_mode": "model"},
        {"model": METRIC, "scale_mode": "model", "window_size": 1, "cameras": ("front", "left")},
        {"model": "da3mono-large", "window_size": 1},
        {"engine": "oracle", "model": METRIC},  # no network runs
        {"sky_depth": "inf"},
        {"precision": "bf16", "head_precision": "fp32", "feature_cache_mb": 0, "max_memory_mb": 4000, "compile": True},
        {"imu_topic": "imu/data", "pose_source": "rays", "intrinsics": "predicted"},
    ],
)
def test_parameters_are_accepted(values: dict[str, Any]) -> None:
    assert NodeParams(**values)


def test_models_are_those_that_there_are() -> None:
    assert set(MODELS) == set(ARCHITECTURES)
    assert {usual_resolution(name) for name in set(MODELS) - {"da3-nano"}} == {RESOLUTION}
    told = f"{RESOLUTION}, or {usual_resolution('da3-nano')} for da3-nano."
    assert told in as_yaml(NodeParams).replace("\n    # ", " ")
    kinds = {name: type(ARCHITECTURES[name]) for name in MODELS}
    assert {name for name in MODELS if kinds[name] is MonocularConfig} == set(MONOCULAR_MODELS)
    assert {name for name in MODELS if kinds[name] is NestedConfig} == {NESTED_MODEL}
    assert {name for name in MONOCULAR_MODELS if ARCHITECTURES[name].is_metric} == {METRIC_MODEL}  # type: ignore[union-attr]


def test_calibrated_intrinsics_are_not_said_to_do_without_a_calibration() -> None:
    told = {field.name: field.metadata["rule"].description for field in dataclasses.fields(NodeParams)}

    # What IntrinsicsPolicy does is tested in test_intrinsics.
    assert "calibrated (camera_info rules; a window with a camera that has none fails)" in told["intrinsics"]


@pytest.mark.parametrize(
    ("values", "metres"), [({}, False), ({"model": NESTED}, True), ({"model": NESTED, "engine": "null"}, False)]
)
def test_network_knows_metres_by_its_name(values: dict[str, Any], metres: bool) -> None:
    assert NodeParams(**values).knows_metres == metres


def test_shipped_file_is_what_the_code_says() -> None:
    shipped = CONFIG.read_text()
    header = "\n".join(line[2:] for line in shipped.splitlines()[:3])

    # To write the file anew: CONFIG.write_text(as_yaml(NodeParams, header))
    assert shipped == as_yaml(NodeParams, header)


def test_node_started_with_the_shipped_file_has_the_defaults(graph: Graph) -> None:
    arguments = ["--ros-args", "--params-file", str(CONFIG)]
    node = graph.node("any_name", cli_args=arguments)

    declare(node, NodeParams)

    assert read(node, NodeParams) == NodeParams()


def test_fixed_scale_is_refused_where_every_image_has_a_unit_of_its_own() -> None:
    with pytest.raises(ValueError, match="scale_mode 'fixed' needs window_size 2 or more"):
        NodeParams(window_size=1, scale_mode="fixed", model="da3-small")
    NodeParams(window_size=1, scale_mode="fixed", engine="oracle")
    NodeParams(window_size=1, scale_mode="fixed", model="da3metric-large")


def test_confidence_is_not_asked_of_a_model_that_has_none() -> None:
    with pytest.raises(ValueError, match="knows no confidence"):
        NodeParams(model="da3metric-large", window_size=1, min_confidence=2.0)
