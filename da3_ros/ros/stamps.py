# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Stamps as whole nanoseconds: a float of seconds since 1970 has lost the last 200 ns."""

from __future__ import annotations

from typing import Final

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

_NS_PER_S: Final = 1_000_000_000


def to_ns(stamp: Time) -> int:
    """Nanoseconds since the epoch, exactly."""
    return int(stamp.sec) * _NS_PER_S + int(stamp.nanosec)


def from_ns(stamp_ns: int) -> Time:
    """The message of a stamp, exactly.

    Raises:
        ValueError: when the seconds do not fit the message's 32 bits.
    """
    sec, nanosec = divmod(stamp_ns, _NS_PER_S)
    if not -(2**31) <= sec < 2**31:
        raise ValueError(f"stamp of {stamp_ns} ns does not fit builtin_interfaces/Time")
    return Time(sec=sec, nanosec=nanosec)


def header(stamp_ns: int, frame_id: str) -> Header:
    """A header of a stamp and a frame."""
    return Header(stamp=from_ns(stamp_ns), frame_id=frame_id)
