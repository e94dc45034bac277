# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The launch files' arguments, read from the sources: this runs where `launch` is not installed."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rcl_interfaces", reason="NOT RUN: no ROS 2 here; run `make test`")

from da3_ros.ros.params import NodeParams

LAUNCH = Path(__file__).resolve().parents[2] / "launch"
PROMISED = {
    *("model", "weights", "cameras", "device", "tf_mode", "image_transport", "engine", "params_file", "namespace"),
    *("use_sim_time", "autostart", "rviz", "log_level", "python", "source"),
}


def declared(file: Path) -> dict[str, dict[str, Any]]:
    """Each argument's keywords; what is no plain value stands as its source text."""
    calls = [
        node
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "DeclareLaunchArgument"
    ]
    return {ast.literal_eval(call.args[0]): {k.arg or "": value(k.value) for k in call.keywords} for call in calls}


def value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


@pytest.mark.parametrize("file", sorted(LAUNCH.glob("*.launch.py")), ids=lambda file: file.name)
def test_every_argument_has_a_description_and_a_default(file: Path) -> None:
    for name, keywords in declared(file).items():
        assert keywords["description"].endswith("."), name
        assert "default_value" in keywords, name


def test_promised_arguments_are_there() -> None:
    assert set(declared(LAUNCH / "da3.launch.py")) >= PROMISED


def test_arguments_that_are_parameters_offer_the_parameters_choices() -> None:
    arguments = declared(LAUNCH / "da3.launch.py")
    rules = {field.name: field.metadata["rule"] for field in dataclasses.fields(NodeParams)}

    chosen = {name: arguments[name].get("choices") for name in arguments if rules.get(name) and rules[name].choices}

    assert chosen == {name: ["", *rules[name].choices] for name in chosen}
    assert set(chosen) == {"image_transport", "engine", "model", "tf_mode"}


def test_arguments_that_are_parameters_are_empty_by_default_so_that_the_file_decides() -> None:
    arguments = declared(LAUNCH / "da3.launch.py")
    parameters = {field.name for field in dataclasses.fields(NodeParams)}

    assert {arguments[name]["default_value"] for name in parameters & set(arguments)} == {""}
