# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A camera driver of its own process: waits for a line, sends raw images at a steady rate, waits to be told to end.

python -m test.graph.driver TOPIC ... --rate 30 --count 90 --reliability best_effort
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from da3_ros.ros.image_messages import rgb_message
from da3_ros.ros.stamps import header

SIZE = (480, 640)


class Driver(Node):
    """Sends from the moment on at which every topic has a subscriber."""

    def __init__(self, topics: list[str], rate_hz: float, count: int, reliability: ReliabilityPolicy) -> None:
        super().__init__("driver", start_parameter_services=False)
        profile = QoSProfile(depth=5, reliability=reliability)
        self._senders = [self.create_publisher(Image, topic, profile) for topic in topics]
        self._period_ns = round(1e9 / rate_hz)
        self._picture = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        self._begin_ns = time.time_ns()
        self.left = count
        self.create_timer(1 / rate_hz, self._send)

    def _send(self) -> None:
        if not self.left or not all(sender.get_subscription_count() for sender in self._senders):
            return
        stamp_ns = self._begin_ns - self.left * self._period_ns
        for sender in self._senders:
            sender.publish(rgb_message(self._picture, header(stamp_ns, "optical_frame")))
        self.left -= 1


def main() -> None:
    """Send everything, and stay until standard input is closed: a publisher that leaves takes its data away.

    The line on standard input says that the subscribers have found us. That they were found by us is not enough: a
    best-effort subscriber drops what comes from a publisher that it does not know yet.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="+")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--reliability", choices=("reliable", "best_effort"), required=True)
    arguments = parser.parse_args()
    rclpy.init()
    reliability = ReliabilityPolicy[arguments.reliability.upper()]
    driver = Driver(arguments.topics, arguments.rate, arguments.count, reliability)
    sys.stdin.readline()
    while driver.left:
        rclpy.spin_once(driver)
    sys.stdin.read()
    driver.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
