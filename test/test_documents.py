# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the documents list is what the code has: parameters, topics, services, diagnostics, folders, dependencies.

A table of parameters that differs is printed as it should be: paste it.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="NOT RUN: no ROS 2 here; run `make test`")

from da3_ros.nodes import health
from da3_ros.nodes.camera_outputs import TOPICS
from da3_ros.nodes.da3_node import Da3Node
from da3_ros.nodes.progress import MOVES, Flow
from da3_ros.nodes.robot_health import GravityState, OdometryInputState, RigInputState, RobotState
from da3_ros.ros.params import NodeParams
from da3_ros.ros.source_params import SourceParams
from da3_ros.streaming.camera_health import CameraHealth
from da3_ros.streaming.ledger import Counters

ROOT = Path(__file__).resolve().parents[1]
NODE = ROOT / "docs" / "node.md"
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
# What every lifecycle node has; the document does not repeat it.
EVERY_NODE = ("/rosout", "/parameter_events", "~/transition_event", "/clock")


def section(file: Path, heading: str) -> str:
    """The text under a heading, down to the next one of its level or above."""
    text = file.read_text()
    level = len(heading) - len(heading.lstrip("#"))
    start = text.index(f"{heading}\n") + len(heading)
    return re.split(rf"^#{{1,{level}}} ", text[start:], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """Cells of the rows of all tables in a text, without heads."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def column(text: str, number: int) -> list[str]:
    """The words in code style of one column."""
    return [word for row in rows(text) for word in re.findall(r"`([^`]+)`", row[number])]


def parameter_rows(schema: type[Any]) -> list[str]:
    """The table of a node's parameters, as the document must have it."""
    lines = []
    for field in dataclasses.fields(schema):
        rule = field.metadata["rule"]
        span = f" {rule.minimum:.10g} to {rule.maximum:.10g}." if rule.minimum is not None else ""
        step = f" Steps of {rule.step}." if rule.step else ""
        choices = f" One of {', '.join(f'`{choice}`' for choice in rule.choices)}." if rule.choices else ""
        meaning = f"{rule.description}{choices}{span}{step}".replace("<", "&lt;")
        default = json.dumps(field.default)
        lines.append(f"| `{field.name}` | `{default}` | {meaning} | {'yes' if rule.dynamic else ''} |")
    return lines


@pytest.mark.parametrize(
    ("heading", "schema"),
    [("## Parameters of da3_node", NodeParams), ("## Parameters of image_source_node", SourceParams)],
    ids=["da3_node", "image_source_node"],
)
def test_parameter_tables_are_what_the_code_declares(heading: str, schema: type[Any]) -> None:
    documented = [line for line in section(NODE, heading).splitlines() if line.startswith("| `")]
    expected = parameter_rows(schema)

    assert documented == expected, "paste this:\n" + "\n".join(expected)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Da3Node]:
    """An active node with one camera and every output."""
    import rclpy
    from rclpy.context import Context
    from rclpy.parameter import Parameter

    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = Context()
    rclpy.init(context=context, domain_id=1 + os.getpid() % 100)
    given = {"cameras": ["front"], "engine": "null", "tf_mode": "base"}
    given |= {"odometry_topic": "wheel/odom", "imu_topic": "imu"}
    overrides = [Parameter(name, value=value) for name, value in given.items()]
    node = Da3Node(context=context, parameter_overrides=overrides)
    node.trigger_configure()
    node.trigger_activate()
    yield node
    node.trigger_shutdown()
    node.destroy_node()
    context.try_shutdown()


def documented_name(topic: str) -> str:
    """A topic of the node above as the document writes it."""
    topic = {"/wheel/odom": "<odometry_topic>", "/imu": "<imu_topic>"}.get(topic, topic)
    topic = re.sub("^/da3_node/", "~/", topic)
    return re.sub("^/front/", "<camera>/", topic)


def interface(endpoints: Any, name: str, kind: str) -> dict[str, str]:
    """Names and types of a node's own publishers, subscriptions or services."""
    found = {}
    for endpoint in endpoints:
        type_ = getattr(endpoint, kind)
        package = type_.__module__.split(".")[0]
        topic = documented_name(getattr(endpoint, name))
        if topic not in EVERY_NODE:
            found[topic] = f"{package}/{type_.__name__}"
    return found


def documented(heading: str) -> dict[str, str]:
    text = section(NODE, heading)
    return dict(zip(column(text, 0), column(text, 1), strict=True))


def test_published_topics_are_what_the_node_publishes(node: Da3Node) -> None:
    published = interface(node.publishers, "topic_name", "msg_type")

    assert set(published) >= {f"<camera>/{topic}" for topic in TOPICS}
    assert documented("## Published topics") == published


def test_subscribed_topics_are_what_the_node_subscribes(node: Da3Node) -> None:
    listed = documented("## Subscribed topics")
    compressed = listed.pop("<camera>/image_raw/compressed")

    assert compressed == "sensor_msgs/CompressedImage"
    assert listed == interface(node.subscriptions, "topic_name", "msg_type")


def test_services_are_what_the_node_offers(node: Da3Node) -> None:
    offered = interface(node.services, "srv_name", "srv_type")
    ours = {name: type_ for name, type_ in offered.items() if type_.startswith("std_srvs/")}

    assert documented("## Services") == ours
    assert f"{node.get_name()}/set_parameters" in offered  # rclpy's own, which dynamic parameters need


def test_diagnostics_are_what_the_node_reports() -> None:
    idle = CameraHealth("front", 0, 0, None, 0, 0, None, "")
    state = health.InputState("/front/image_raw", 0, "reliable", False, {}, 0, "", "")
    flow = Flow(True, MOVES, MOVES, {"front": MOVES}, {"front": MOVES})
    counters = Counters(frames_in=1, sets=0, windows=0, frames_published=0, dropped={"late": 1}, in_flight=0)
    latencies = health.LatencyLog()
    latencies.add(1.0)

    rig = RigInputState(0, {}, {}, True, True)
    robot = RobotState(rig, OdometryInputState("/odom", 1, 0, 0, 1, "", "", ""), GravityState("/imu", 1, True, ""))
    reports = health.reports([(idle, state)], flow, counters, latencies.percentiles(), 0.0, None, (), robot)

    listed = {name: values for name, _, values in rows(section(NODE, "## Diagnostics"))}
    tasks = {f"`{report.task}`".replace("front", "<name>"): report for report in reports}
    assert set(listed) == set(tasks)
    for task, report in tasks.items():
        keys = {re.sub("^dropped_.*", "dropped_<cause>", key) for key in report.values}
        assert keys <= set(re.findall(r"`([^`]+)`", listed[task])), task


def test_causes_of_drops_are_those_in_the_code() -> None:
    trees = [ast.parse(file.read_text()) for file in (ROOT / "da3_ros").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant)}
    calls = [node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) == "FrameError"]
    of_images = {ast.literal_eval(call.args[0]) for call in calls} - {"uncalibrated", "invalid_camera_info"}

    causes = set(column(section(NODE, "## Dropped frames"), 0))

    assert causes <= texts
    assert of_images <= causes


def test_tree_in_architecture_is_the_tree() -> None:
    tree = re.search(r"```\n(README.*?)```", ARCHITECTURE.read_text(), re.DOTALL)
    assert tree
    layers = set(re.findall(r"^  (\w+)/", tree[1], re.MULTILINE))
    top = set(re.findall(r"^(\w+)/", tree[1], re.MULTILINE))
    files = set(re.findall(r"^(\S+\.\w+|Makefile|LICENSE)", tree[1], re.MULTILINE))

    folders = {folder.name for folder in (ROOT / "da3_ros").iterdir() if (folder / "__init__.py").is_file()}
    assert layers == folders | ({"weights"} if (ROOT / "da3_ros" / "weights").is_dir() else set())
    assert top == {"msg", "config", "launch", "docs", "resource", "underlay", "da3_ros", "test"}
    assert all((ROOT / name).exists() for name in top | files)


def dependencies() -> set[str]:
    """What package.xml, setup.py and the environment's list name, versions and extras cut off."""
    manifest = re.findall(r"<\w*depend>([^<]+)<", (ROOT / "package.xml").read_text())
    setup = ast.parse((ROOT / "setup.py").read_text())
    keywords = [node for node in ast.walk(setup) if isinstance(node, ast.keyword)]
    lists = [list_ for k in keywords if k.arg in ("install_requires", "extras_require") for list_ in ast.walk(k.value)]
    python = [item for list_ in lists if isinstance(list_, ast.List) for item in ast.literal_eval(list_)]
    environment = re.findall("^[A-Za-z].*", (ROOT / "underlay" / "requirements.txt").read_text(), re.MULTILINE)
    return {re.split(r"[\s<>=\[]", name, maxsplit=1)[0] for name in (*manifest, *python, *environment)}


def test_every_dependency_is_explained_in_contributing() -> None:
    text = CONTRIBUTING.read_text()

    missing = {name for name in dependencies() if f"`{name}`" not in text}

    assert not missing


@pytest.mark.parametrize("file", [ARCHITECTURE, CONTRIBUTING, NODE, ROOT / "docs" / "integrations.md"])
def test_links_and_named_files_exist(file: Path) -> None:
    text = file.read_text()
    links = [file.parent / link for link in re.findall(r"\]\((?!http)([^)#]+)\)", text)]
    named = [ROOT / name for name in re.findall(r"`((?:da3_ros|test|config|launch|docs|underlay)/[\w./]+\.\w+)`", text)]

    assert not [str(path) for path in (*links, *named) if not path.exists()]
