# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""da3_node between cameras and a recorder: real nodes, real DDS, one process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import rclpy
from da3_ros.msg import WindowStatus
from rclpy.context import Context
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import ReliabilityPolicy

from da3_ros.geometry.rotation import FloatArray
from da3_ros.nodes.da3_node import Da3Node
from da3_ros.nodes.health import InputState
from da3_ros.nodes.run import Run
from da3_ros.ros.stamps import to_ns
from da3_ros.streaming.ledger import Counters
from da3_ros.streaming.rig import BODY_FROM_OPTICAL
from test.graph.cameras import PERIOD_NS, SIZE, START_NS, Cameras, stamp_of
from test.graph.processes import Process
from test.graph.recorder import STATUS, Recorder
from test.graph.spinner import Spinner

# rcl keeps one /rosout publisher per name of a node, and an earlier test's node may still hold it.
_NUMBERS = count()
Spun = TypeVar("Spun", bound=Node)
QUICK: dict[str, Any] = {
    # So that no set of a burst has to give way to the overlap: these tests count every image.
    "window_overlap": 1,
    "engine": "null",
    "process_resolution": 56,
    "window_size": 4,
}


class RunningNode:
    """da3_node on a thread of its own; transitions run there, as they do when a lifecycle manager asks."""

    def __init__(self, parameters: dict[str, Any], **options: Any) -> None:
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        self.node = Da3Node(parameter_overrides=overrides, **options)
        self.spinner = Spinner(self.node)
        self._has_shut_down = False

    def transition(self, name: str) -> bool:
        """Whether a transition (configure, activate, deactivate, cleanup, shutdown) succeeded."""
        self._has_shut_down = name == "shutdown"
        trigger = getattr(self.node, f"trigger_{name}")
        return bool(self.spinner.call(trigger) == TransitionCallbackReturn.SUCCESS)

    @property
    def run(self) -> Run:
        """What lives while the node is active."""
        run = self.node._run
        assert run is not None
        return run

    def counters(self) -> Counters:
        """The account of frames at this moment."""
        return self.run.pipeline.counters()

    def inputs(self) -> list[InputState]:
        """State of every camera's subscription at this moment."""
        return self.spinner.call(lambda: [camera.state for camera in self.run.inputs])

    def listeners(self) -> dict[str, int]:
        """How many subscribers each of the node's topics has."""
        return self.spinner.call(lambda: {p.topic_name: p.get_subscription_count() for p in self.node.publishers})

    def close(self) -> None:
        """Shut down and destroy the node."""
        if self.spinner.error is None and not self._has_shut_down:
            self.transition("shutdown")
        self.spinner.close()


class Graph:
    """All nodes of one test, in a namespace of their own."""

    def __init__(self, domain_id: int) -> None:
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain_id)
        self.namespace = f"/graph_{next(_NUMBERS)}"
        self._options = {"context": self.context, "namespace": self.namespace}
        self.recorder = Recorder(**self._options)
        self._closing: list[Any] = [self.recorder]
        self._spinners: dict[Node, Spinner] = {}

    def node(self, **parameters: Any) -> RunningNode:
        """da3_node with these parameters, not configured."""
        node = RunningNode({**QUICK, **parameters}, **self._options)
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

    def connect_inputs(self, node: RunningNode, reliability: str) -> None:
        """Wait until each camera's subscription has found a publisher: a best-effort one drops a stranger's images."""

        def connected() -> bool:
            return all(state.publishers and state.reliability == reliability for state in node.inputs())

        self.recorder.wait_until(connected, "the connection of the node's inputs")

    def cameras(
        self, *names: str, compressed: bool = False, base_from_camera: Mapping[str, FloatArray] | None = None
    ) -> Cameras:
        """Cameras with these prefixes, to which the node has connected.

        Args:
            names: prefixes of their topics.
            compressed: publish JPEG.
            base_from_camera: for TF, by name. If empty, the node waits a second for it before its first window; None
                places all cameras at the base.
        """
        cameras = self.unheard_cameras(*names, compressed=compressed)
        cameras.place(dict.fromkeys(names, BODY_FROM_OPTICAL) if base_from_camera is None else base_from_camera)
        self.recorder.wait_until(lambda: cameras.are_heard, "the connection of the cameras")
        return cameras

    def unheard_cameras(
        self, *names: str, compressed: bool = False, reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE
    ) -> Cameras:
        """Cameras that nobody may listen to yet."""
        cameras = Cameras(names, compressed, reliability, **self._options)
        self._closing.insert(0, cameras)
        return cameras

    def spin(self, make: Callable[..., Spun]) -> Spun:
        """Any other node, made with the options given to it, on a thread of its own."""
        node = make(**self._options)
        self._spinners[node] = spinner = Spinner(node)
        self._closing.insert(0, spinner)
        self.recorder.watch(spinner)
        return node

    def end(self, node: Node) -> None:
        """Destroy a node that `spin` has made."""
        self._spinners[node].close()

    def process(self, module: str, arguments: list[str], folder: Path) -> Process:
        """A process that ends with the test at the latest; what it prints goes to a file in the folder."""
        process = Process(module, arguments, folder / f"{module}.txt")
        self._closing.insert(0, process)
        return process

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

    def windows(self, number: int) -> list[WindowStatus]:
        """The status of every window so far whose newest set is the n-th."""
        return [status for status in self.statuses() if to_ns(status.header.stamp) == stamp_of(number)]

    def wait_for_window(self, number: int, windows_before: int = 0) -> None:
        """Wait for one more window whose newest set is the n-th."""
        what = f"the window that ends with set {number}"
        self.recorder.wait_until(lambda: len(self.windows(number)) > windows_before, what)

    def wait_for_frames(self, node: RunningNode, frames: int) -> None:
        """Wait until so many frames have come in at the node, usable or not."""
        self.recorder.wait_until(lambda: node.counters().frames_in >= frames, f"{frames} frames at the node's input")
        assert node.counters().frames_in == frames

    def run(self, cameras: Cameras, first: int, count: int, size: tuple[int, int] = SIZE) -> WindowStatus:
        """Send sets as fast as windows are done, and return the last window's status.

        The synchroniser of several cameras learns the period from three sets: they are sent together.
        """
        for number in range(first, first + count):
            windows_before = len(self.windows(number))
            cameras.send_set(number, size)
            if number >= first + 2 or len(cameras.names) == 1:
                self.wait_for_window(number, windows_before)
        self.recorder.settle()
        return self.windows(first + count - 1)[-1]

    def numbers_on(self, topic: str) -> list[int]:
        """The numbers of the sets whose output has come on a topic, in the order of their coming."""
        self.recorder.settle()
        stamps_ns = [to_ns(message.header.stamp) for message in self.recorder.messages(topic)]
        assert all((stamp_ns - START_NS) % PERIOD_NS == 0 for stamp_ns in stamps_ns), f"{topic}: a stamp was changed"
        return [(stamp_ns - START_NS) // PERIOD_NS for stamp_ns in stamps_ns]

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
