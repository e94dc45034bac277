# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters that may change take effect at once; the others are refused with a reason."""

from __future__ import annotations

import dataclasses
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.parameter import Parameter

from da3_ros.inference.null_engine import NullEngine
from da3_ros.ros.params import NodeParams
from test.graph.harness import Graph
from test.graph.truth import floats_of

DEPTH, STATUS = "depth/image_rect", "da3_node/status"


def change(graph: Graph, name: str, value: Any) -> SetParametersResult:
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    (result,) = graph.ask(SetParameters, "da3_node/set_parameters", request).results
    return result


@pytest.mark.parametrize(("name", "value"), [("max_depth", 0.5), ("min_depth", 1.5), ("min_confidence", 6.0)])
def test_filter_takes_effect_with_the_next_window_when_it_changes(graph: Graph, name: str, value: float) -> None:
    graph.recorder.listen_to_node("front", topics=[DEPTH, STATUS])
    graph.active_node(cameras=["front"])
    cameras = graph.cameras("front")
    graph.run(cameras, 0, 2)

    assert change(graph, name, value).successful
    graph.run(cameras, 2, 2)
    assert change(graph, name, 0.0).successful
    graph.run(cameras, 4, 1)

    depths = [floats_of(message) for message in graph.recorder.messages(f"front/{DEPTH}")]
    assert [bool(np.isfinite(depth).all()) for depth in depths] == [True, True, False, False, True]
    assert np.isnan(depths[2]).all()


def test_edge_filter_takes_effect_when_it_changes(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    estimate = NullEngine.estimate

    def with_a_step(engine: NullEngine, *arguments: Any, **options: Any) -> Any:
        prediction = estimate(engine, *arguments, **options)
        depth = prediction.depth.copy()
        depth[..., depth.shape[2] // 2 :] = 3.0
        return dataclasses.replace(prediction, depth=depth)

    monkeypatch.setattr(NullEngine, "estimate", with_a_step)
    graph.recorder.listen_to_node("front", topics=[DEPTH, STATUS])
    graph.active_node(cameras=["front"])
    cameras = graph.cameras("front")
    graph.run(cameras, 0, 1)
    assert change(graph, "edge_threshold", 0.0).successful
    graph.run(cameras, 1, 1)

    with_edges_cut, whole = (floats_of(message) for message in graph.recorder.messages(f"front/{DEPTH}"))
    assert np.isnan(with_edges_cut).any(axis=0).sum() == 2
    assert np.isfinite(whole).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window_size", 8),
        ("cameras", ["left"]),
        ("max_depth", -1.0),
        ("max_depth", float("nan")),
        ("max_depth", 0.001),
        ("min_confidence", "high"),
        ("engine", "oracle"),
    ],
)
def test_change_is_refused_with_a_reason_and_without_effect(graph: Graph, name: str, value: Any) -> None:
    graph.recorder.listen_to_node("front", topics=[DEPTH, STATUS])
    node = graph.active_node(cameras=["front"], min_depth=0.01)
    before = node.node.get_parameter(name).value

    result = change(graph, name, value)

    assert not result.successful
    assert result.reason
    assert node.node.get_parameter(name).value == before
    graph.run(graph.cameras("front"), 0, 1)
    assert np.isfinite(floats_of(graph.recorder.messages(f"front/{DEPTH}")[0])).all()


def test_every_parameter_describes_itself(graph: Graph) -> None:
    names = [field.name for field in fields(NodeParams)]
    graph.node()

    answer = graph.ask(DescribeParameters, "da3_node/describe_parameters", DescribeParameters.Request(names=names))

    assert [descriptor.name for descriptor in answer.descriptors] == names
    assert all(descriptor.description for descriptor in answer.descriptors)
    dynamic = {descriptor.name for descriptor in answer.descriptors if not descriptor.read_only}
    assert dynamic == {"min_confidence", "edge_threshold", "min_depth", "max_depth"}
