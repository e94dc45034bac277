# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the pure layers log, on the node's own logger; and warnings that do not repeat themselves.

```
log.warning("%s: %s", camera, error, extra=throttled(f"{camera}/{error.cause}", 30.0))
```
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rclpy.impl.rcutils_logger import RcutilsLogger


def throttled(key: str, period_s: float) -> dict[str, Any]:
    """The `extra` of a record that passes at most once per key and period; infinity means once."""
    return {"throttle_key": key, "throttle_period_s": period_s}


class ThrottleFilter(logging.Filter):
    """Drops records made with `extra=throttled(key, period_s)` that come too soon after the last one of their key."""

    def __init__(self) -> None:
        super().__init__()
        self._last_s: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record passes."""
        key = getattr(record, "throttle_key", None)
        if key is None:
            return True
        last_s = self._last_s.get(key)
        # A clock set back must not silence a warning for ever.
        if last_s is not None and 0 <= record.created - last_s < record.throttle_period_s:  # type: ignore[attr-defined]
            return False
        self._last_s[key] = record.created
        return True


class RosLogHandler(logging.Handler):
    """Hands records to an rclpy logger, so that they reach the console, the log file and /rosout in ROS's form."""

    def __init__(self, logger: RcutilsLogger) -> None:
        super().__init__()
        self._logger = logger
        self.addFilter(ThrottleFilter())

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record with the nearest of ROS's severities."""
        text = self.format(record)
        # One line per severity: rclpy refuses another severity from a call site that it has seen before.
        if record.levelno >= logging.CRITICAL:
            self._logger.fatal(text)
        elif record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)


@contextmanager
def bridged(logger: RcutilsLogger, package: str = "da3_ros") -> Iterator[None]:
    """While this is open, what the package logs goes to the rclpy logger, whose level decides."""
    source = logging.getLogger(package)
    handler, level = RosLogHandler(logger), source.level
    source.addHandler(handler)
    source.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        source.removeHandler(handler)
        source.setLevel(level)
