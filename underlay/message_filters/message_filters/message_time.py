# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The time of a message: its header's stamp, or for those without one the time of arrival, when that is allowed."""

from __future__ import annotations

from typing import Any

from rclpy.clock import ROSClock
from rclpy.logging import get_logger
from rclpy.time import Time


def header_time(msg: Any) -> Time:
    """The header's stamp, which may be a message or an rclpy Time."""
    stamp = msg.header.stamp
    return stamp if hasattr(stamp, "nanoseconds") else Time.from_msg(stamp)


def header_or_arrival_time(msg: Any, allow_headerless: bool, who: str) -> Time | None:
    """The header's stamp, else the ROS time now; None, with a warning, when the latter is not allowed."""
    if hasattr(msg, "header") and hasattr(msg.header, "stamp"):
        return header_time(msg)
    if allow_headerless:
        return ROSClock().now()
    get_logger(who).warning(
        f"Ignored a {type(msg).__name__}: it has no header.stamp. Pass allow_headerless=True to use the time of arrival"
    )
    return None
