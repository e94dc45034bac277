# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Integer nanoseconds <-> the two shapes of ROS time: messages (sec, nanosec) and rclpy objects (nanoseconds)."""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Time as TimeMessage

NS_PER_S = 1_000_000_000


def to_ns(value: Any) -> int:
    """Nanoseconds of a time or duration, message or rclpy object.

    Raises:
        TypeError: value has neither sec and nanosec, nor nanoseconds.
    """
    if hasattr(value, "nanoseconds"):
        return int(value.nanoseconds)
    if hasattr(value, "sec") and hasattr(value, "nanosec"):
        return int(value.sec) * NS_PER_S + int(value.nanosec)
    raise TypeError(f"{type(value).__name__} is no time: it needs sec and nanosec, or nanoseconds")


def to_message(stamp_ns: int) -> TimeMessage:
    """The same instant as a message."""
    sec, nanosec = divmod(stamp_ns, NS_PER_S)
    return TimeMessage(sec=sec, nanosec=nanosec)


def to_text(stamp_ns: int) -> str:
    """Seconds with every nanosecond digit, for error texts."""
    return f"{stamp_ns // NS_PER_S}.{stamp_ns % NS_PER_S:09d}"
