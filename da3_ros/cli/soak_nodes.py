# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A stream that never ends through da3_node as a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from da3_ros.cli.bench_nodes import RunningNodes, running_nodes

TOPICS = ("depth/image_rect",)
RESET_EVERY = 250  # windows
PARAMETERS = {"weights": "random", "process_resolution": 112, "window_size": 4, "window_stride": 2, "window_overlap": 2}


@contextmanager
def node_step(rate_hz: float, threads: int) -> Iterator[Callable[[], tuple[int, int]]]:
    """Both nodes, running while the context is open; a step waits for the next window and resets now and then."""
    parameters = {**PARAMETERS, "cpu_threads": threads}
    with running_nodes(("camera",), TOPICS, parameters, {"rate_hz": rate_hz}, threads) as nodes:
        yield _Steps(nodes).step


class _Steps:
    """Counts windows, to know when a reset is due."""

    def __init__(self, nodes: RunningNodes) -> None:
        self._nodes = nodes
        self._next_reset = RESET_EVERY

    def step(self) -> tuple[int, int]:
        """Until the next status; returns the node's resident bytes and windows so far."""
        statuses = self._nodes.recorder.statuses
        heard = len(statuses)
        self._nodes.wait_until(lambda: len(statuses) > heard, "a window")
        windows = len(self._nodes.recorder.windows)
        if windows >= self._next_reset:
            self._nodes.recorder.trigger("da3_node/reset")
            self._next_reset = windows + RESET_EVERY
        return self._nodes.node.resident_bytes, windows
