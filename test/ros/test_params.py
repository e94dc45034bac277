# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The node's own parameters: what contradicts itself is refused, and the shipped file holds the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from da3_ros.ros.parameter_schema import as_yaml, declare, read
from da3_ros.ros.params import NodeParams
from test.ros.graph import Graph

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
        ({"window_size": 2, "window_stride": 3}, "must not be larger than window_size 2"),
        ({"scale_mode": "model"}, "this version has none"),
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
        {"window_size": 4, "window_stride": 2, "window_overlap": 2},
        {"device": "cuda:1"},
        {"min_depth": 2.0, "max_depth": 0.0},
        {"scale_mode": "odom", "odometry_topic": "wheel/odom"},
        {"pose_conditioning": "odom", "odometry_frame": "odom"},
        {"odometry_frame": "odom", "tf_mode": "base"},  # warned about, and not used
        {"imu_topic": "imu/data", "pose_source": "rays", "intrinsics": "predicted"},
    ],
)
def test_parameters_are_accepted(values: dict[str, Any]) -> None:
    assert NodeParams(**values)


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
