# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""One camera's messages become frames, or are refused with a cause; whatever comes, the node goes on."""

from __future__ import annotations

from typing import Any, cast

import pytest
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from sensor_msgs.msg import Image

from da3_ros.nodes.camera_input import CameraInput
from da3_ros.ros import image_messages
from da3_ros.streaming.frame import Frame
from test.graph.cameras import image_message, stamp_of
from test.ros.graph import Graph


class Fed:
    """A camera's input, its publisher, and what came of the images."""

    def __init__(self, graph: Graph) -> None:
        self.frames: list[Frame] = []
        self.causes: list[str] = []
        node = cast(LifecycleNode, graph.node("da3_node"))
        self.input = CameraInput(node, "front", False, self.frames.append, self.causes.append)
        self._graph = graph
        self.driver: Node = graph.node("driver")
        self._images = self.driver.create_publisher(Image, "front/image_raw", 10)
        graph.spin_until(lambda: self._images.get_subscription_count() == 1 == self.input.state.publishers)
        self._sent = 0

    def send(self, message: Image) -> None:
        self._images.publish(message)
        self._sent += 1
        self._graph.spin_until(lambda: len(self.frames) + len(self.causes) == self._sent)


def test_image_that_nobody_has_foreseen_is_counted_and_named_and_the_next_one_is_taken(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    decode = image_messages.to_array

    def odd(message: Image) -> Any:
        if message.header.frame_id == "odd":
            raise ZeroDivisionError("two\nlines")
        return decode(message)

    monkeypatch.setattr(image_messages, "to_array", odd)
    fed = Fed(graph)
    bad = image_message("front", 0)
    bad.header.frame_id = "odd"

    fed.send(bad)
    fed.send(image_message("front", 1))

    assert fed.causes == ["corrupt_image"]
    assert len(fed.frames) == 1
    (text,) = caplog.messages
    assert "'front'" in text
    assert "ZeroDivisionError: two lines" in text


def test_image_without_a_stamp_is_refused_but_simulated_time_may_begin_at_zero(
    graph: Graph, caplog: pytest.LogCaptureFixture
) -> None:
    fed = Fed(graph)
    unstamped = image_message("front", 1)
    unstamped.header.stamp.sec = unstamped.header.stamp.nanosec = 0

    for message in (unstamped, image_message("front", 0), unstamped, image_message("front", 2)):
        fed.send(message)

    assert fed.causes == ["no_stamp"]
    assert [frame.stamp_ns for frame in fed.frames] == [0, stamp_of(0), stamp_of(2)]
    assert "no_stamp: its stamp is zero" in caplog.messages[-1]
