# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the launch file has image_source_node play, its functions taken from the source: this runs without `launch`."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="NOT RUN: no ROS 2 here; run `make test`")

FILE = Path(__file__).resolve().parents[2] / "launch" / "da3.launch.py"
IN_FILE = {"cameras": ["left", "right"], "image_transport": "compressed", "window_size": 2}
TAKEN = ("FITTING", "played", "parameters_in", "typed", "is_true")


@pytest.fixture(scope="module")
def module() -> dict[str, Any]:
    tree = ast.parse(FILE.read_text())
    names = {node: getattr(node, "name", None) for node in tree.body}
    names |= {node: ast.unparse(node.targets[0]) for node in tree.body if isinstance(node, ast.Assign)}
    tree.body = [node for node in tree.body if names[node] in TAKEN]
    found: dict[str, Any] = {"re": re, "yaml": yaml, "ParameterValue": lambda text, value_type: text}
    exec(compile(tree, str(FILE), "exec"), found)
    return found


@pytest.mark.parametrize(
    ("given", "cameras", "transport"),
    [
        ({}, ["left", "right"], "compressed"),
        ({"cameras": "right"}, ["right"], "compressed"),
        ({"image_transport": "raw"}, ["left", "right"], "raw"),
    ],
)
def test_cameras_and_transport_are_those_of_the_file_where_the_arguments_are_empty(
    module: dict[str, Any], given: dict[str, str], cameras: list[str], transport: str
) -> None:
    played = module["played"]("/some/folder", {"tf_mode": "cameras", **given}, IN_FILE)

    assert played == {
        "source": "/some/folder",
        "cameras": cameras,
        "image_transport": transport,
        "static_tf": False,
    }


def test_all_cameras_are_played_raw_where_nobody_says_otherwise(module: dict[str, Any]) -> None:
    played = module["played"]("/some/folder", {"tf_mode": "base"}, {})

    assert (played["cameras"], played["image_transport"], played["static_tf"]) == ([""], "raw", True)


@pytest.mark.parametrize("namespace", ["", "robot", "/fleet/robot"])
@pytest.mark.parametrize(
    "names",
    [
        ["/**"],
        ["da3_node"],
        ["/robot/da3_node"],
        ["/**/da3_node"],
        ["/*/da3_node"],
        ["/fleet/*/da3_node"],
        ["/**", "/robot/da3_node"],
        ["/robot/da3_node", "/**"],
        ["other_node"],
    ],
    ids=" ".join,
)
def test_parameter_file_is_read_as_ros_reads_it(
    module: dict[str, Any], tmp_path: Path, namespace: str, names: list[str]
) -> None:
    sections = {name: {"ros__parameters": {"cameras": [f"camera_{n}"]}} for n, name in enumerate(names)}
    text = yaml.safe_dump(sections, sort_keys=False)

    ours = module["parameters_in"](text, f"/{namespace}/da3_node")

    assert ours.get("cameras") == taken_by_ros(text, namespace, tmp_path)


def test_sections_may_be_nested_and_empty(module: dict[str, Any]) -> None:
    text = "robot: {da3_node: {ros__parameters: {cameras: [left]}}}\n/**:\n  ros__parameters:\n"

    assert module["parameters_in"](text, "/robot/da3_node") == {"cameras": ["left"]}
    assert module["parameters_in"]("", "/da3_node") == {}


def taken_by_ros(text: str, namespace: str, folder: Path) -> list[str] | None:
    """The cameras that a node of this name finds in the file."""
    import rclpy
    from rclpy.context import Context
    from rclpy.node import Node

    file = folder / "mine.yaml"
    file.write_text(text)
    context = Context()
    rclpy.init(context=context, args=["--ros-args", "--params-file", str(file)])
    options: dict[str, Any] = {"context": context, "start_parameter_services": False}
    node = Node("da3_node", namespace=namespace, automatically_declare_parameters_from_overrides=True, **options)
    try:
        return list(node.get_parameter("cameras").value) if node.has_parameter("cameras") else None
    finally:
        node.destroy_node()
        context.try_shutdown()
