# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Real nodes in one process, stepped by hand until something is true."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

TIMEOUT_S = 20.0  # far above what any of this takes; only a failure waits so long


class Graph:
    """Nodes in one private domain and the executor that is stepped by hand."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._nodes: list[Node] = []
        self._executor = SingleThreadedExecutor(context=context)

    def node(self, name: str, **options: Any) -> Node:
        node = Node(name, context=self._context, **options)
        self._nodes.append(node)
        self._executor.add_node(node)
        return node

    def spin_until(self, is_done: Callable[[], bool]) -> None:
        """Handle events until the condition holds; fail after the timeout."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while not is_done():
            assert time.monotonic() < deadline_s, f"nothing happened within {TIMEOUT_S} s"
            self._executor.spin_once(timeout_sec=0.02)

    def close(self) -> None:
        for node in self._nodes:
            node.destroy_node()
        self._executor.shutdown()
        self._context.try_shutdown()


@contextmanager
def private_graph(monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    """A graph in a DDS domain that no other run on this machine has."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = Context()
    rclpy.init(context=context, domain_id=1 + os.getpid() % 100)
    graph = Graph(context)
    yield graph
    graph.close()
