# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""launch/da3.launch.py where `launch` is installed: what it starts, and the node that it starts for real."""

from __future__ import annotations

import os
import runpy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Not `launch`: our own folder of that name would answer.
pytest.importorskip("launch_ros", reason="NOT RUN: launch_ros is not installed (PyPI has none)")
launch = pytest.importorskip("launch.launch_service")
launch_context = pytest.importorskip("launch.launch_context")

FILE = Path(__file__).resolve().parents[2] / "launch" / "da3.launch.py"
TIMEOUT_S = 60.0  # far above what any of this takes; only a failure waits so long


@pytest.fixture
def module() -> dict[str, Any]:
    return runpy.run_path(str(FILE))


def context(module: dict[str, Any], **given: str) -> Any:
    """A context in which all arguments have been declared."""
    made = launch_context.LaunchContext()
    made.launch_configurations.update(given)
    for action in module["NODE_ARGUMENTS"] + module["LAUNCH_ARGUMENTS"]:
        action.visit(made)
    return made


@pytest.mark.parametrize(
    ("given", "executables"),
    [
        ({}, ["da3_node"]),
        ({"source": "simulation"}, ["da3_node", "image_source_node"]),
        ({"source": "simulation", "tf_mode": "cameras"}, ["da3_node", "image_source_node"]),
    ],
)
def test_nodes_are_started_as_asked(module: dict[str, Any], given: dict[str, str], executables: list[str]) -> None:
    started = module["nodes"](context(module, **given))

    assert [node.node_executable for node in started] == executables


def test_only_cameras_that_somebody_listens_to_are_played(module: dict[str, Any]) -> None:
    played, first_look = module["played"], module["first_look"]

    assert played("simulation", first_look("simulation"), {})["cameras"] == ["front", "left", "right"]
    assert played("simulation", {"cameras": "front, left", "tf_mode": "base"}, {})["cameras"] == ["front", "left"]
    assert played("/some/folder", first_look("/some/folder"), {})["cameras"] == [""]
    assert played("/some/folder", first_look("/some/folder"), {"cameras": ["left"]})["cameras"] == ["left"]


def test_first_look_gives_every_frame_one_parent(module: dict[str, Any]) -> None:
    assert module["first_look"]("simulation") == {"cameras": "front,left,right", "tf_mode": "base"}
    assert module["first_look"]("/some/folder") == {"tf_mode": "cameras"}


@pytest.mark.parametrize(
    ("set_by_user", "count"), [(None, 2), ("FASTRTPS_DEFAULT_PROFILES_FILE", 0), ("FASTDDS_DEFAULT_PROFILES_FILE", 0)]
)
def test_users_transport_profile_is_kept(monkeypatch: pytest.MonkeyPatch, set_by_user: str | None, count: int) -> None:
    monkeypatch.delenv("FASTRTPS_DEFAULT_PROFILES_FILE", raising=False)
    monkeypatch.delenv("FASTDDS_DEFAULT_PROFILES_FILE", raising=False)
    if set_by_user:
        monkeypatch.setenv(set_by_user, "mine.xml")

    description = runpy.run_path(str(FILE))["generate_launch_description"]()

    kinds = [type(entity).__name__ for entity in description.entities]
    assert kinds.count("SetEnvironmentVariable") == count


@pytest.fixture
def launched(module: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run the launch file with arguments while a function looks at it from another thread; return what that saw."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")

    def run(look: Callable[[], Any], **given: str) -> Any:
        service = launch.LaunchService(noninteractive=True)
        service.context.launch_configurations.update(given)
        service.include_launch_description(module["generate_launch_description"]())
        seen: list[Any] = []

        def look_and_end() -> None:
            try:
                seen.append(look())
            finally:
                service.shutdown()

        looking = threading.Thread(target=look_and_end)
        looking.start()
        service.run()
        looking.join()
        assert seen, "the look failed; its traceback is above"
        return seen[0]

    return run


def test_node_has_the_arguments_over_the_file_when_launched(
    launched: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERE_WEIGHTS_ARE", "/weights")
    file = tmp_path / "mine.yaml"
    weights = "$(env WHERE_WEIGHTS_ARE)/mine.safetensors"
    file.write_text(
        "/**: {ros__parameters: {window_size: 2, engine: oracle}}\n"
        f"/**/da3_node: {{ros__parameters: {{model: da3-base, weights: '{weights}', tf_mode: base}}}}\n"
    )
    names = ["cameras", "engine", "model", "weights", "tf_mode", "window_size", "autostart", "use_sim_time"]

    found = launched(
        lambda: parameters_of("/robot/da3_node", names),
        namespace="robot",
        params_file=str(file),
        cameras="front, left",
        engine="null",
        tf_mode="cameras",
        autostart="False",
        use_sim_time="True",
    )

    expected = [["front", "left"], "null", "da3-base", "/weights/mine.safetensors", "cameras", 2, False, True]
    assert found == dict(zip(names, expected, strict=True))


def parameters_of(node_name: str, names: list[str]) -> dict[str, Any]:
    import rclpy
    from rcl_interfaces.srv import GetParameters
    from rclpy.context import Context
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.parameter import parameter_value_to_python

    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("looker", context=context)
    executor = SingleThreadedExecutor(context=context)
    try:
        client = node.create_client(GetParameters, f"{node_name}/get_parameters")
        assert client.wait_for_service(TIMEOUT_S), f"{node_name} did not come"
        answer = client.call_async(GetParameters.Request(names=names))
        executor.add_node(node)
        executor.spin_until_future_complete(answer, TIMEOUT_S)
        return dict(zip(names, map(parameter_value_to_python, answer.result().values), strict=True))
    finally:
        node.destroy_node()
        executor.shutdown()
        context.try_shutdown()
