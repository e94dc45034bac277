# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters from a dataclass: descriptors, refusals in one sentence, and changes while running, on real nodes."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from rcl_interfaces.msg import ParameterType
from rclpy.parameter import Parameter

from da3_ros.ros.parameter_schema import as_yaml, check, declare, parameter, read, with_changes
from test.ros.graph import Graph


@dataclass(frozen=True, slots=True)
class Params:
    names: tuple[str, ...] = parameter(("left", "right"), "Names.")
    mode: str = parameter("slow", "Mode.", choices=("slow", "fast"))
    grid: int = parameter(28, "Grid, pixels.", minimum=14, maximum=70, step=14)
    rate_hz: float = parameter(10.0, "Rate, hertz.", minimum=0.5, maximum=100.0, dynamic=True)
    enabled: bool = parameter(True, "Whether.", dynamic=True)

    def __post_init__(self) -> None:
        check(self)
        if self.mode == "fast" and self.rate_hz < 5:
            raise ValueError(f"mode fast needs rate_hz of 5 or more, not {self.rate_hz}")


def overrides(**values: Any) -> list[Parameter]:
    return [Parameter(name, value=value) for name, value in values.items()]


def test_defaults_are_read_when_nothing_is_given(graph: Graph) -> None:
    node = graph.node("grabber")

    declare(node, Params)

    assert read(node, Params) == Params()


def test_given_values_are_read_as_the_fields_types(graph: Graph) -> None:
    given = overrides(names=["a", "b", "c"], mode="fast", grid=42, rate_hz=7.5, enabled=False)
    node = graph.node("grabber", parameter_overrides=given)

    declare(node, Params)

    assert read(node, Params) == Params(("a", "b", "c"), "fast", 42, 7.5, False)


def test_descriptors_tell_tools_everything_about_a_parameter(graph: Graph) -> None:
    node = graph.node("grabber")
    declare(node, Params)

    grid, rate, mode = (node.describe_parameter(name) for name in ("grid", "rate_hz", "mode"))

    assert (grid.description, grid.type, grid.read_only) == ("Grid, pixels.", ParameterType.PARAMETER_INTEGER, True)
    assert [(r.from_value, r.to_value, r.step) for r in grid.integer_range] == [(14, 70, 14)]
    assert [(r.from_value, r.to_value) for r in rate.floating_point_range] == [(0.5, 100.0)]
    assert not rate.read_only
    assert mode.additional_constraints == "One of: slow, fast."


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"grid": 84}, r"'grid' must lie in \[14, 70\], not 84"),
        ({"grid": 43}, r"'grid' must be 14 plus a multiple of 14, such as 42, not 43"),
        ({"grid": 2.0}, r"'grid' must be a whole number, not 2.0"),
        ({"rate_hz": 5}, r"'rate_hz' must be a number, not 5 \(write 5.0\)"),
        ({"rate_hz": 0.1}, r"'rate_hz' must lie in \[0.5, 100\], not 0.1"),
        ({"rate_hz": float("nan")}, r"'rate_hz' must lie in \[0.5, 100\], not nan"),
        ({"enabled": "yes"}, r"'enabled' must be true or false, not 'yes'"),
        ({"names": "left"}, r"'names' must be a list of texts, not 'left'"),
        ({"names": []}, r"'names' must be a list of texts"),
        ({"mode": "medium"}, r"'mode' must be one of slow, fast, not 'medium'"),
        ({"mode": "fast", "rate_hz": 1.0}, r"mode fast needs rate_hz of 5 or more, not 1.0"),
        ({"rate": 5.0}, r"'rate' is unknown \(did you mean 'rate_hz'\?\)"),
        ({"zzz": 5.0}, r"'zzz' is unknown$"),
    ],
)
def test_wrong_value_is_refused_in_one_sentence(graph: Graph, given: dict[str, Any], sentence: str) -> None:
    node = graph.node("grabber", parameter_overrides=overrides(**given))

    def start() -> None:
        declare(node, Params)
        read(node, Params)

    with pytest.raises(ValueError, match=sentence):
        start()


def test_all_wrong_values_are_named_at_once_and_the_rest_is_declared(graph: Graph) -> None:
    node = graph.node("grabber", parameter_overrides=overrides(grid=1, rate_hz=1e6, enabled=False, typo=1))

    with pytest.raises(ValueError, match=r"'typo'.*'grid'.*'rate_hz'"):
        declare(node, Params)

    assert node.get_parameter("enabled").value is False


def test_parameters_of_ros_itself_are_not_unknown(graph: Graph) -> None:
    given = [*overrides(use_sim_time=True), Parameter("qos_overrides./image.publisher.depth", value=3)]
    node = graph.node("grabber", parameter_overrides=given)

    declare(node, Params)

    assert read(node, Params) == Params()


def test_dynamic_parameters_change_while_running() -> None:
    changed = with_changes(Params(), overrides(rate_hz=20.0, enabled=False, use_sim_time=True))

    assert changed == Params(rate_hz=20.0, enabled=False)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"grid": 42}, "'grid' is fixed once the node has started"),
        ({"rate_hz": 0.0}, "'rate_hz' must lie in"),
        ({"rate_hz": 20}, "'rate_hz' must be a number"),
    ],
)
def test_change_is_refused_in_one_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        with_changes(Params(), overrides(**change))


def test_change_is_refused_when_it_contradicts_another_parameter() -> None:
    with pytest.raises(ValueError, match="mode fast needs"):
        with_changes(Params(mode="fast"), overrides(rate_hz=1.0))


def test_yaml_gives_a_node_the_defaults(tmp_path: Any) -> None:
    text = as_yaml(Params, "A header.\n\nIts end.")

    loaded = yaml.safe_load(text)["/**"]["ros__parameters"]
    assert text.startswith("# A header.\n#\n# Its end.\n/**:\n")
    assert {**loaded, "names": tuple(loaded["names"])} == dataclasses.asdict(Params())
    for name, value in loaded.items():
        assert type(value) is type(getattr(Params(), name)) or name == "names"


def test_yaml_marks_what_is_dynamic_and_says_what_is_allowed() -> None:
    text = as_yaml(Params)

    assert "# Rate, hertz. Range [0.5, 100]. [DYNAMIC]\n    rate_hz: 10.0\n" in text
    assert "# Mode. One of: slow, fast.\n" in text
    assert "# Grid, pixels. Range [14, 70] in steps of 14.\n" in text
    assert len(re.findall(r"\[DYNAMIC\]", text)) == 2


def test_numeric_parameter_is_refused_when_it_has_no_bounds() -> None:
    with pytest.raises(ValueError, match="needs both bounds"):
        parameter(1.0, "Free.")
