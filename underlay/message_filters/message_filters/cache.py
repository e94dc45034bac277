# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The last messages of one input, to be asked for by time."""

from __future__ import annotations

import threading
from typing import Any

from rclpy.time import Time

from message_filters.message_time import header_or_arrival_time
from message_filters.simple_filter import SimpleFilter


class Cache(SimpleFilter):
    """Keeps the last ``cache_size`` messages of a filter and passes them on.

    As in upstream, messages stay in the order of arrival, and "oldest" and "newest" mean first and last of that.
    """

    def __init__(self, f: SimpleFilter, cache_size: int = 1, allow_headerless: bool = False) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self.cache_size = cache_size
        self.cache_msgs: list[Any] = []
        self.cache_times: list[Time] = []
        self.allow_headerless = allow_headerless
        self.connectInput(f)

    def connectInput(self, f: SimpleFilter) -> None:
        self.incoming_connection = f.registerCallback(self.add)

    def add(self, msg: Any) -> None:
        """Keep a message and pass it on."""
        time = header_or_arrival_time(msg, self.allow_headerless, "message_filters_cache")
        if time is None:
            return
        with self._lock:
            self.cache_times.append(time)
            self.cache_msgs.append(msg)
            if len(self.cache_msgs) > self.cache_size:
                del self.cache_msgs[0], self.cache_times[0]
        self.signalMessage(msg)

    def getInterval(self, from_stamp: Time, to_stamp: Time) -> list[Any]:
        """All messages from one time to another, both included.

        Raises:
            AssertionError: the interval ends before it begins (upstream's exception).
        """
        if not from_stamp <= to_stamp:
            raise AssertionError(f"the interval ends at {to_stamp}, before it begins at {from_stamp}")
        return [msg for time, msg in self._content() if from_stamp <= time <= to_stamp]

    def getElemAfterTime(self, stamp: Time) -> Any | None:
        """The first message at or after a time."""
        return next((msg for time, msg in self._content() if time >= stamp), None)

    def getElemBeforeTime(self, stamp: Time) -> Any | None:
        """The last message at or before a time."""
        return next((msg for time, msg in reversed(self._content()) if time <= stamp), None)

    def getLastestTime(self) -> Time | None:
        """The time of the last message (the name is upstream's)."""
        content = self._content()
        return content[-1][0] if content else None

    def getOldestTime(self) -> Time | None:
        """The time of the first message."""
        content = self._content()
        return content[0][0] if content else None

    def getLast(self) -> Any | None:
        """The first message that is not older than the last one."""
        latest = self.getLastestTime()
        return None if latest is None else self.getElemAfterTime(latest)

    def _content(self) -> list[tuple[Time, Any]]:
        with self._lock:
            return list(zip(self.cache_times, self.cache_msgs, strict=True))
