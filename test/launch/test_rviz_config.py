# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""config/da3.rviz asks for topics that exist, in a way that their publishers can serve."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="NOT RUN: no ROS 2 here; run `make test`")

from da3_ros.nodes.camera_outputs import TOPICS

CONFIG = Path(__file__).resolve().parents[2] / "config" / "da3.rviz"
CAMERAS = ("front", "left", "right")


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    loaded = yaml.safe_load(CONFIG.read_text())
    assert isinstance(loaded, dict)
    return loaded


def displays(parent: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for display in parent["Displays"]:
        yield display
        if display["Class"] == "rviz_common/Group":
            yield from displays(display)


def with_topic(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    shown = displays(config["Visualization Manager"])
    return {display["Topic"]["Value"]: display for display in shown if "Topic" in display}


def test_every_camera_shows_colour_depth_and_cloud(config: dict[str, Any]) -> None:
    expected = {f"{camera}/{topic}" for camera in CAMERAS for topic in TOPICS if topic.endswith(("rect", "points"))}

    assert set(with_topic(config)) == expected | {"da3_node/odom", "da3_node/path"}


def test_displays_fit_the_messages(config: dict[str, Any]) -> None:
    for topic, display in with_topic(config).items():
        message = TOPICS.get(topic.split("/", 1)[1])
        if message is not None:
            assert display["Class"] == f"rviz_default_plugins/{message.__name__}"


def test_everything_is_shown_without_a_click(config: dict[str, Any]) -> None:
    shown = list(displays(config["Visualization Manager"]))

    assert all(display["Enabled"] for display in shown)
    assert "rviz_default_plugins/TF" in [display["Class"] for display in shown]
    assert config["Visualization Manager"]["Global Options"]["Fixed Frame"] == "odom"


def test_subscriptions_fit_reliable_volatile_publishers(config: dict[str, Any]) -> None:
    for display in with_topic(config).values():
        assert display["Topic"]["Reliability Policy"] == "Reliable"
        assert display["Topic"]["Durability Policy"] == "Volatile"
        assert display["Topic"]["History Policy"] == "Keep Last"


def test_every_image_has_its_place_in_the_window(config: dict[str, Any]) -> None:
    # Qt writes the names of the docks as UTF-16, big-endian.
    layout = bytes.fromhex(config["Window Geometry"]["QMainWindow State"])
    images = [display["Name"] for display in with_topic(config).values() if display["Class"].endswith("/Image")]

    assert len(images) == 2 * len(CAMERAS)
    assert all(name.encode("utf-16-be") in layout for name in images)
