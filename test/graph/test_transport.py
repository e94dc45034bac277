# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""No image is lost between processes, and every kind of publisher connects, whoever starts first."""

from __future__ import annotations

from pathlib import Path

import pytest
from rclpy.qos import ReliabilityPolicy

from test.graph.harness import Graph

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT


@pytest.mark.parametrize("reliability", ["reliable", "best_effort"])
@pytest.mark.parametrize(("cameras", "rate_hz", "count"), [(["front"], 30, 90), (["front", "left", "right"], 10, 30)])
def test_no_raw_vga_image_of_another_process_is_lost(
    graph: Graph, tmp_path: Path, cameras: list[str], rate_hz: int, count: int, reliability: str
) -> None:
    node = graph.active_node(cameras=cameras)
    topics = [graph.recorder.node.resolve_topic_name(f"{camera}/image_raw") for camera in cameras]
    options = ["--rate", str(rate_hz), "--count", str(count), "--reliability", reliability]

    driver = graph.process("test.graph.driver", [*topics, *options], tmp_path)
    graph.connect_inputs(node, reliability)
    driver.tell("go")
    graph.recorder.wait_until(
        lambda: node.counters().frames_in == count * len(cameras) or driver.has_ended, "all images at the node's input"
    )

    assert driver.wait() == 0, driver.output
    assert node.counters().frames_in == count * len(cameras)
    assert {state.reliability for state in node.inputs()} == {reliability}


@pytest.mark.parametrize("publisher_is_first", [True, False])
@pytest.mark.parametrize("reliability", [RELIABLE, BEST_EFFORT])
def test_every_kind_of_publisher_connects_whoever_starts_first(
    graph: Graph, reliability: ReliabilityPolicy, publisher_is_first: bool
) -> None:
    if publisher_is_first:
        cameras = graph.unheard_cameras("front", "left", reliability=reliability)
        graph.recorder.wait_until(lambda: graph.recorder.node.count_publishers("left/image_raw"), "the publishers")
        node = graph.active_node(cameras=["front", "left"])
    else:
        node = graph.active_node(cameras=["front", "left"])
        cameras = graph.unheard_cameras("front", "left", reliability=reliability)

    graph.recorder.wait_until(lambda: cameras.are_heard, "the connection")
    graph.connect_inputs(node, reliability.name.lower())
    for number in range(4):
        cameras.send_set(number)
        graph.wait_for_frames(node, 2 * (number + 1))
