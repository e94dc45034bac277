# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Listens to topics and keeps every message, by topic and by stamp."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from threading import Condition
from typing import Any

from da3_ros.msg import WindowStatus
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry, Path
from rcl_interfaces.msg import Log
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from da3_ros.nodes.camera_outputs import TOPICS
from da3_ros.ros.stamps import to_ns
from test.graph.spinner import TIMEOUT_S, Spinner

NODE = "da3_node"
STATUS, ODOMETRY, PATH = f"{NODE}/status", f"{NODE}/odom", f"{NODE}/path"
NODE_TOPICS: dict[str, type[Any]] = {
    STATUS: WindowStatus,
    ODOMETRY: Odometry,
    PATH: Path,
    "/tf": TFMessage,
    "/diagnostics": DiagnosticArray,
}


def _nothing() -> None:
    pass


class Recorder:
    """One node with a subscription per topic, spun on its own thread."""

    def __init__(self, **options: Any) -> None:
        self.node = Node("recorder", start_parameter_services=False, **options)
        self._observed_logger = self.node.get_logger().name.replace("recorder", NODE)
        self._changed = Condition()
        self._messages: dict[str, list[Any]] = defaultdict(list)
        latched = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.node.create_subscription(Log, "/rosout", partial(self._keep, "/rosout"), latched)
        self._spinner = Spinner(self.node)
        self._watched = [self._spinner]

    def close(self) -> None:
        """Stop listening."""
        self._spinner.close()

    def watch(self, spinner: Spinner) -> None:
        """End every wait when this spinner's node dies."""
        self._watched.append(spinner)

    def listen(self, topic: str, message_type: type[Any], qos: QoSProfile | int = 100) -> None:
        """Keep what comes on a topic from now on."""
        callback = partial(self._keep, topic)
        self._spinner.call(lambda: self.node.create_subscription(message_type, topic, callback, qos))

    def listen_to_node(self, *cameras: str, topics: Iterable[str] = (*TOPICS, *NODE_TOPICS)) -> None:
        """Keep these outputs of da3_node for these cameras; topics of cameras are named without the prefix."""
        for topic in topics:
            if topic in NODE_TOPICS:
                self.listen(topic, NODE_TOPICS[topic])
            for camera in cameras if topic in TOPICS else ():
                self.listen(f"{camera}/{topic}" if camera else topic, TOPICS[topic])

    def ask(self, service_type: type[Any], name: str, request: Any) -> Any:
        """A service's answer."""
        client = self._spinner.call(lambda: self.node.create_client(service_type, name))
        self.wait_until(client.service_is_ready, f"the service {name}")
        future = client.call_async(request)
        self.wait_until(future.done, f"the answer of {name}")
        return future.result()

    def settle(self) -> None:
        """Take in everything that was published in this process before now."""
        self._spinner.call(_nothing)
        received = -1
        # Every turn of the executor takes one message per subscription.
        while received != (received := sum(map(len, self._messages.values()))):
            self._spinner.call(_nothing)

    def messages(self, topic: str) -> list[Any]:
        """All messages of a topic, in the order of their coming."""
        with self._changed:
            return list(self._messages[topic])

    def by_stamp(self, topic: str) -> dict[int, Any]:
        """Messages of a topic by the stamp of their header; fails when one stamp came twice."""
        messages = self.messages(topic)
        by_stamp = {to_ns(message.header.stamp): message for message in messages}
        assert len(by_stamp) == len(messages), f"{topic}: a stamp came twice"
        return by_stamp

    def warnings(self, *words: str, level: bytes | int = Log.WARN) -> list[str]:
        """What da3_node has logged at this level or above and holds all these words."""
        least = level if isinstance(level, int) else level[0]
        logged = [log for log in self.messages("/rosout") if log.level >= least and log.name == self._observed_logger]
        return [log.msg for log in logged if all(word in log.msg for word in words)]

    def wait_until(self, is_done: Callable[[], Any], what: str = "the condition", timeout_s: float = TIMEOUT_S) -> None:
        """Wait until something holds; it is looked at after every message, and now and then without one."""
        deadline_s = time.monotonic() + timeout_s
        while not is_done():
            for error in filter(None, (spinner.error for spinner in self._watched)):
                raise AssertionError("a node died") from error
            if time.monotonic() > deadline_s:
                counts = {topic: len(messages) for topic, messages in sorted(self._messages.items())}
                raise AssertionError(f"{what} did not come true within {timeout_s} s; messages so far: {counts}")
            with self._changed:
                self._changed.wait(0.02)

    def _keep(self, topic: str, message: Any) -> None:
        with self._changed:
            self._messages[topic].append(message)
            self._changed.notify_all()
