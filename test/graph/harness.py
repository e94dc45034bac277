# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""da3_node between cameras and a recorder: real nodes, real DDS, one process."""

from __future__ import annotations

from collections import Counter
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import ReliabilityPolicy

from da3_ros.msg import WindowStatus
from da3_ros.nodes.da3_node import Da3Node
from da3_ros.ros.stamps import to_ns
from da3_ros.streaming.ledger import Counters
from test.graph.cameras import SIZE, Cameras, stamp_of
from test.graph.recorder import STATUS, Recorder
from test.graph.spinner import Spinner

QUICK: dict[str, Any] = {"engine": "null", "process_resolution": 56, "window_size": 4}


class RunningNode:
    """da3_node on a thread of its own; transitions run there, as they do when a lifecycle manager asks."""

    def __init__(self, context: Context, parameters: dict[str, Any]) -> None:
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        self.node = Da3Node(context=context, parameter_overrides=overrides)
        self.spinner = Spinner(self.node)
        self._has_shut_down = False

    def transition(self, name: str) -> bool:
        """Whether a transition (configure, activate, deactivate, cleanup, shutdown) succeeded."""
        self._has_shut_down = name == "shutdown"
        trigger = getattr(self.node, f"trigger_{name}")
        return bool(self.spinner.call(trigger) == TransitionCallbackReturn.SUCCESS)

    def counters(self) -> Counters:
        """The account of frames at this moment."""
        return self.node._pipeline.counters()

    def listeners(self) -> dict[str, int]:
        """How many subscribers each of the node's topics has."""
        return self.spinner.call(lambda: {p.topic_name: p.get_subscription_count() for p in self.node.publishers})

    def close(self) -> None:
        """Shut down and destroy the node."""
        if self.spinner.error is None and not self._has_shut_down:
            self.transition("shutdown")
        self.spinner.close()


class Graph:
    """All nodes of one test."""

    def __init__(self, domain_id: int) -> None:
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain_id)
        self.recorder = Recorder(self.context)
        self._closing: list[Any] = [self.recorder]

    def node(self, **parameters: Any) -> RunningNode:
        """da3_node with these parameters, not configured."""
        node = RunningNode(self.context, {**QUICK, **parameters})
        self._closing.insert(0, node)
        self.recorder.watch(node.spinner)
        return node

    def active_node(self, **parameters: Any) -> RunningNode:
        """da3_node with these parameters, active, and heard by all subscriptions that the recorder has by now."""
        node = self.node(**parameters)
        assert node.transition("configure"), self.recorder.warnings()
        assert node.transition("activate"), self.recorder.warnings()
        self.connect(node)
        return node

    def connect(self, node: RunningNode) -> None:
        """Wait until the node knows of every subscription of the recorder to its topics."""
        wanted = {subscription.topic_name for subscription in self.recorder.node.subscriptions}

        def connected() -> bool:
            return all(count for topic, count in node.listeners().items() if topic in wanted)

        self.recorder.wait_until(connected, "the connection of the recorder")

    def cameras(
        self, *names: str, compressed: bool = False, reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE
    ) -> Cameras:
        """Cameras, with the node connected to them."""
        cameras = Cameras(self.context, names, compressed, reliability)
        self._closing.insert(0, cameras)
        if reliability == ReliabilityPolicy.RELIABLE:
            self.recorder.wait_until(lambda: cameras.are_heard, "the connection of the cameras")
        return cameras

    def ask(self, service_type: type[Any], name: str, request: Any) -> Any:
        """A service's answer."""
        return self.recorder.ask(service_type, name, request)

    def statuses(self) -> list[WindowStatus]:
        """All status messages so far; in each the account must be right."""
        statuses = self.recorder.messages(STATUS)
        for status in statuses:
            accounted = status.frames_published + status.frames_in_flight + sum(status.drop_counts)
            assert status.frames_in == accounted, f"{status.frames_in} frames in, {accounted} accounted for: {status}"
        return statuses

    def wait_for_window(self, number: int) -> WindowStatus:
        """The status of the window whose newest set is the n-th."""

        def found() -> list[WindowStatus]:
            return [status for status in self.statuses() if to_ns(status.header.stamp) == stamp_of(number)]

        self.recorder.wait_until(found, f"the window that ends with set {number}")
        return found()[-1]

    def run(self, cameras: Cameras, first: int, count: int, size: tuple[int, int] = SIZE) -> WindowStatus:
        """Send sets as fast as windows are done, and return the last window's status.

        The synchroniser of several cameras learns the period from three sets: they are sent together.
        """
        numbers = range(first, first + count)
        for number in numbers:
            cameras.send_set(number, size)
            if number >= first + 2 or len(cameras.names) == 1:
                self.wait_for_window(number)
        return self.wait_for_window(numbers[-1])

    def close(self) -> None:
        """End all nodes."""
        for part in self._closing:
            part.close()
        self.context.try_shutdown()


def dropped(account: WindowStatus | Counters) -> Counter[str]:
    """Frames dropped, by cause."""
    if isinstance(account, Counters):
        return Counter(account.dropped)
    return Counter(dict(zip(account.drop_causes, account.drop_counts, strict=True)))
