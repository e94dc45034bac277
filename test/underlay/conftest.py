# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A private DDS domain for each test that needs one.

These tests say what code may expect of tf2_ros, message_filters and sensor_msgs_py, so they hold for upstream's
packages too, but for those whose comment says that ours are stricter.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("tf2_ros", reason="NOT RUN: no ROS 2 here; run `make test`")

import rclpy
from rclpy.context import Context
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node

TIMEOUT_S = 20.0  # far above what any of this takes; only a failure waits so long


class Graph:
    """Nodes of one context and an executor that is stepped by hand."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._nodes: list[Node] = []
        self.executor: Executor = SingleThreadedExecutor(context=context)

    def node(self, name: str, spin: bool = True, **options: Any) -> Node:
        node = rclpy.create_node(name, context=self._context, **options)
        self._nodes.append(node)
        if spin:
            self.executor.add_node(node)
        return node

    def spin_until(self, is_done: Callable[[], bool]) -> None:
        """Handle events until the condition holds; fail after the timeout."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while not is_done():
            assert time.monotonic() < deadline_s, f"nothing happened within {TIMEOUT_S} s"
            self.executor.spin_once(timeout_sec=0.1)

    def close(self) -> None:
        self._context.try_shutdown()
        self.executor.shutdown()
        for node in self._nodes:
            node.destroy_node()


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = Context()
    rclpy.init(context=context, domain_id=1 + os.getpid() % 100)
    graph = Graph(context)
    yield graph
    graph.close()
