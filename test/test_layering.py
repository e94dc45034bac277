# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Imports point one way, names say something, and every file says whose it is: read from the sources, nothing runs."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "da3_ros"
ROS = {"rclpy", "tf2_ros", "tf2_py", "message_filters", "sensor_msgs_py", "cv_bridge", "ament_index_python"}
ROS_MESSAGES = ("_msgs", "_srvs", "_interfaces")
# Our layers that each layer may import besides itself, and whose libraries it may use besides Python's own.
LAYERS: dict[str, tuple[set[str], set[str]]] = {
    "model": (set(), {"torch", "safetensors", "huggingface_hub"}),
    "geometry": (set(), {"numpy"}),
    "streaming": ({"geometry"}, {"numpy"}),
    "inference": ({"model", "geometry"}, {"torch", "numpy", "cv2", "onnxruntime"}),
    "simulation": ({"geometry"}, {"torch", "numpy"}),
    "training": ({"geometry", "model", "simulation"}, {"torch", "numpy", "safetensors"}),
    "evaluation": ({"geometry", "streaming", "simulation", "inference"}, {"torch", "numpy", "cv2", "scipy"}),
    "ros": ({"geometry", "streaming"}, {"numpy", "cv2", *ROS}),
    "sources": ({"geometry", "streaming", "ros", "simulation", "evaluation"}, {"numpy", "cv2", "yaml", "rosbags"}),
}
FREE = {"nodes", "cli"}  # these wire everything together
SAYS_NOTHING = {"utils", "util", "helpers", "common", "misc", "base", "core"}
HEADER = ["# Copyright 2026 The da3_ros Authors", "# SPDX-License-Identifier: Apache-2.0"]


def layer_files(layer: str) -> list[Path]:
    return sorted((PACKAGE / layer).rglob("*.py"))


def imports(source: str, package: str) -> Iterator[str]:
    """Full names of everything imported anywhere in a module of `package`, lazily or not."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            module = ".".join([*above, *(node.module or "").split(".")]).strip(".")
            # `from da3_ros import ros` names a layer just as `import da3_ros.ros` does.
            yield from (f"{module}.{alias.name}" for alias in node.names)


def breach(layer: str, imported: str) -> str:
    """Why this layer may not import this name; empty when it may."""
    ours, libraries = LAYERS[layer]
    first, second = [*imported.split("."), ""][:2]
    if first == "da3_ros":
        return "" if second in {layer, *ours} or (layer, second) == ("ros", "msg") else f"may not import {imported}"
    is_message = first.endswith(ROS_MESSAGES)
    if first in sys.stdlib_module_names or first in libraries or (is_message and layer == "ros"):
        return ""
    return f"may not use {first}"


def test_every_folder_is_a_layer_with_a_rule() -> None:
    folders = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").is_file()}

    assert folders <= {*LAYERS, *FREE}


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_layer_imports_only_what_lies_below_it(layer: str) -> None:
    breaches = [
        f"{file.relative_to(ROOT)} {reason}"
        for file in layer_files(layer)
        for name in imports(file.read_text(), ".".join(file.relative_to(ROOT).parent.parts))
        if (reason := breach(layer, name))
    ]

    assert not breaches, "\n".join(breaches)


@pytest.mark.parametrize(
    ("layer", "source"),
    [
        ("geometry", "import torch"),
        ("streaming", "def late():\n    import torch.nn"),
        ("streaming", "from sensor_msgs.msg import Image"),
        ("model", "from da3_ros.geometry import camera"),
        ("inference", "from da3_ros import streaming"),
        ("geometry", "from ..ros import stamps"),
        ("sources", "import rclpy"),
        ("simulation", "from da3_ros.msg import WindowStatus"),
    ],
)
def test_breach_is_found(layer: str, source: str) -> None:
    assert any(breach(layer, name) for name in imports(source, f"da3_ros.{layer}"))


def test_generated_messages_are_imported_in_two_files() -> None:
    users = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        for name in imports(file.read_text(), "da3_ros")
        if name.startswith("da3_ros.msg")
    }

    assert users == {"ros/rig_messages.py", "ros/status_messages.py"}


def test_names_of_modules_and_folders_say_something() -> None:
    names = {path.stem for path in PACKAGE.rglob("*") if path.is_dir() or path.suffix == ".py"}

    assert not names & SAYS_NOTHING
    assert not [name for name in names if name.endswith(("_v2", "_optimized", "_utils", "_helpers"))]


def test_init_files_are_short() -> None:
    lengths = {file.relative_to(ROOT): len(file.read_text().splitlines()) for file in PACKAGE.rglob("__init__.py")}

    assert not {file: length for file, length in lengths.items() if length > 15}


def test_every_python_file_begins_with_the_licence_header() -> None:
    files = [file for folder in ("da3_ros", "test", "launch", "underlay") for file in (ROOT / folder).rglob("*.py")]
    without = []
    for file in [*files, ROOT / "setup.py"]:
        lines = file.read_text().splitlines()
        if lines[lines[:1] != [] and lines[0].startswith("#!") :][:2] != HEADER:
            without.append(str(file.relative_to(ROOT)))

    assert len(files) > 100
    assert not without
