# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Logging: what pure layers say reaches the ROS logger, and throttled warnings do not repeat."""

from __future__ import annotations

import logging
import math

import pytest

from da3_ros.ros.log_bridge import RosLogHandler, ThrottleFilter, bridged, throttled


class FakeRosLogger:
    """Keeps what it is told, by the names of rclpy's severities."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def debug(self, text: str) -> None:
        self.said.append(("debug", text))

    def info(self, text: str) -> None:
        self.said.append(("info", text))

    def warning(self, text: str) -> None:
        self.said.append(("warning", text))

    def error(self, text: str) -> None:
        self.said.append(("error", text))

    def fatal(self, text: str) -> None:
        self.said.append(("fatal", text))


def record(created_s: float, key: str = "", period_s: float = 10.0) -> logging.LogRecord:
    fields = {"msg": "lost %s", "args": ("front",), "created": created_s, "levelno": logging.WARNING}
    return logging.makeLogRecord(fields | (throttled(key, period_s) if key else {}))


def test_records_reach_the_ros_logger_with_their_severity_while_bridged() -> None:
    logger, source = FakeRosLogger(), logging.getLogger("da3_ros.streaming.example")

    with bridged(logger):  # type: ignore[arg-type]
        source.debug("a")
        source.info("b")
        source.warning("c %s", 3)
        source.error("d")
        source.critical("e")
    source.error("after")

    assert logger.said == [("debug", "a"), ("info", "b"), ("warning", "c 3"), ("error", "d"), ("fatal", "e")]


def test_real_ros_logger_takes_every_severity_in_turn() -> None:
    import rclpy.logging

    handler = RosLogHandler(rclpy.logging.get_logger("test_log_bridge"))

    for _ in range(2):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
            handler.handle(logging.makeLogRecord({"msg": "severity", "levelno": level}))


def test_warning_passes_once_per_key_and_period_when_throttled() -> None:
    passes = ThrottleFilter().filter

    assert passes(record(100.0, "front/bad_step"))
    assert not passes(record(109.9, "front/bad_step"))
    assert passes(record(109.9, "left/bad_step"))
    assert passes(record(110.0, "front/bad_step"))
    assert not passes(record(111.0, "front/bad_step"))


def test_warning_passes_only_once_when_its_period_is_endless() -> None:
    passes = ThrottleFilter().filter

    assert passes(record(0.0, "once", math.inf))
    assert not passes(record(1e9, "once", math.inf))


def test_warning_passes_when_the_clock_was_set_back() -> None:
    passes = ThrottleFilter().filter

    assert passes(record(1000.0, "key"))
    assert passes(record(1.0, "key"))


@pytest.mark.parametrize("created_s", [0.0, 0.1])
def test_every_record_passes_when_it_is_not_throttled(created_s: float) -> None:
    assert ThrottleFilter().filter(record(created_s))
