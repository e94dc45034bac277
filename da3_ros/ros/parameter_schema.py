# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""ROS parameters from frozen dataclasses: each field's default and rule make its descriptor, its checks and its YAML.

```
@dataclass(frozen=True, slots=True)
class GrabberParams:
    rate_hz: float = parameter(10.0, "Frames per second.", minimum=0.1, maximum=1000.0, dynamic=True)
    def __post_init__(self) -> None:
        check(self)
```
A field's type is that of its default: bool, int, float, str, or a tuple of str for a string array.
"""

from __future__ import annotations

import dataclasses
import json
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.parameter import Parameter

Params = TypeVar("Params")
_FOREIGN_NAMES = ("use_sim_time", "start_type_description_service")
_FOREIGN_PREFIXES = ("qos_overrides.",)
_TYPE_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", tuple: "a list of texts"}
_RULE = "rule"


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """What a parameter means and which values it may have.

    Attributes:
        description: one or two sentences, with the unit.
        minimum: smallest number allowed; numeric parameters must have both bounds.
        maximum: largest number allowed.
        step: distance of allowed whole numbers, counted from the minimum; 0 allows all.
        choices: the texts allowed; empty allows all.
        dynamic: whether it may change while the node runs.
    """

    description: str
    minimum: float | None = None
    maximum: float | None = None
    step: int = 0
    choices: tuple[str, ...] = ()
    dynamic: bool = False


def parameter(
    default: Any,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    step: int = 0,
    choices: tuple[str, ...] = (),
    dynamic: bool = False,
) -> Any:
    """A dataclass field that is a ROS parameter; the arguments are those of `Rule`."""
    is_number = isinstance(default, int | float) and not isinstance(default, bool)
    if is_number != (minimum is not None and maximum is not None):
        raise ValueError(f"the parameter with default {default!r} needs both bounds if and only if it is a number")
    rule = Rule(description, minimum, maximum, step, choices, dynamic)
    return dataclasses.field(default=default, metadata={_RULE: rule})


def check(params: Any) -> None:
    """Hold every value of an instance against its rule; call it from `__post_init__`.

    Raises:
        ValueError: in one sentence, on the first value of a wrong type or out of its range or choices.
    """
    for field in dataclasses.fields(params):
        reason = _refusal(field, getattr(params, field.name))
        if reason:
            raise ValueError(f"parameter '{field.name}' {reason}")


def declare(node: Node, schema: type[Any]) -> None:
    """Declare every parameter of `schema` on the node, with descriptors.

    All acceptable parameters get declared even when some are refused, so that the node can still answer
    `ros2 param list` and report the refusal when it is configured.

    Raises:
        ValueError: in one sentence, naming each value given at start that is refused, and each unknown name.
    """
    refusals = _unknown_names(node, schema)
    for field in dataclasses.fields(schema):
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        try:
            node.declare_parameter(field.name, default, _descriptor(field))
        except (InvalidParameterTypeException, InvalidParameterValueException):
            # rclpy words this differently in every distribution: say it in our own words.
            given = node._parameter_overrides[field.name].value
            refusals.append(f"parameter '{field.name}' {_refusal(field, given) or f'cannot be {given!r}'}")
    if refusals:
        raise ValueError("; ".join(refusals))


def read(node: Node, schema: type[Params]) -> Params:
    """The declared parameters as one instance of `schema`.

    Raises:
        ValueError: when the values contradict each other or a rule.
    """
    names = [field.name for field in dataclasses.fields(schema)]  # type: ignore[arg-type]
    return schema(**{name: _frozen(node.get_parameter(name).value) for name in names})


def with_changes(current: Params, changes: Iterable[Parameter]) -> Params:
    """The parameters after `changes`, for the node's set-parameters callback; names that are not ours are ignored.

    Raises:
        ValueError: in one sentence that can be the reason of the refusal; `current` stays valid.
    """
    fields = {field.name: field for field in dataclasses.fields(current)}  # type: ignore[arg-type]
    ours = {change.name: _frozen(change.value) for change in changes if change.name in fields}
    for name, value in ours.items():
        if not _rule(fields[name]).dynamic and value != getattr(current, name):
            raise ValueError(f"parameter '{name}' is fixed once the node has started")
    return dataclasses.replace(current, **ours)  # type: ignore[type-var]


def as_yaml(schema: type[Any], header: str = "") -> str:
    """A parameter file of the defaults, for any node name, with every rule as a comment."""
    lines = [*(f"# {line}".rstrip() for line in header.splitlines()), "/**:", "  ros__parameters:"]
    for field in dataclasses.fields(schema):
        lines += [f"    # {line}" for line in textwrap.wrap(_comment(field), 110)]
        # JSON texts, numbers, booleans and lists of texts are YAML too.
        lines.append(f"    {field.name}: {json.dumps(field.default)}")
    return "\n".join(lines) + "\n"


def _rule(field: dataclasses.Field[Any]) -> Rule:
    rule: Rule = field.metadata[_RULE]
    return rule


def _refusal(field: dataclasses.Field[Any], value: Any) -> str:
    """Why the value is refused, to be read after the parameter's name; empty when it is accepted."""
    rule = _rule(field)
    expected: Any = type(field.default)
    if type(value) is not expected or (expected is tuple and not all(isinstance(item, str) for item in value)):
        hint = f" (write {value}.0)" if expected is float and type(value) is int else ""
        return f"must be {_TYPE_WORDS[expected]}, not {value!r}{hint}"
    if rule.choices and value not in rule.choices:
        return f"must be one of {', '.join(rule.choices)}, not '{value}'"
    if rule.minimum is None or rule.maximum is None:
        return ""
    if not (math.isfinite(value) and rule.minimum <= value <= rule.maximum):
        return f"must lie in {_bounds(rule)}, not {value}"
    if rule.step and (value - rule.minimum) % rule.step:
        nearest = int(rule.minimum + round((value - rule.minimum) / rule.step) * rule.step)
        return f"must be {rule.minimum} plus a multiple of {rule.step}, such as {nearest}, not {value}"
    return ""


def _bounds(rule: Rule) -> str:
    return f"[{rule.minimum:.10g}, {rule.maximum:.10g}]"


def _constraint(rule: Rule) -> str:
    return f"One of: {', '.join(rule.choices)}." if rule.choices else ""


def _comment(field: dataclasses.Field[Any]) -> str:
    rule = _rule(field)
    step = f" in steps of {rule.step}" if rule.step else ""
    span = f"Range {_bounds(rule)}{step}." if rule.minimum is not None else ""
    return " ".join(filter(None, (rule.description, _constraint(rule), span, "[DYNAMIC]" if rule.dynamic else "")))


def _descriptor(field: dataclasses.Field[Any]) -> ParameterDescriptor:
    rule = _rule(field)
    descriptor = ParameterDescriptor(
        description=rule.description, additional_constraints=_constraint(rule), read_only=not rule.dynamic
    )
    if isinstance(field.default, float):
        span = FloatingPointRange(from_value=float(rule.minimum or 0), to_value=float(rule.maximum or 0))
        descriptor.floating_point_range = [span]
    elif rule.minimum is not None and rule.maximum is not None:
        whole = IntegerRange(from_value=int(rule.minimum), to_value=int(rule.maximum), step=rule.step)
        descriptor.integer_range = [whole]
    return descriptor


def _unknown_names(node: Node, schema: type[Any]) -> list[str]:
    """One sentence per value given at start whose name nobody declares: a misspelling would else go unseen."""
    # rclpy has no public way to ask for the overrides; the attribute is the same from Humble to Rolling.
    overrides: Mapping[str, Any] = node._parameter_overrides
    known = [field.name for field in dataclasses.fields(schema)]
    sentences = []
    for name in overrides:
        if name in known or name in _FOREIGN_NAMES or name.startswith(_FOREIGN_PREFIXES) or node.has_parameter(name):
            continue
        close = get_close_matches(name, known, 1)
        sentences.append(f"parameter '{name}' is unknown" + (f" (did you mean '{close[0]}'?)" if close else ""))
    return sentences


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
