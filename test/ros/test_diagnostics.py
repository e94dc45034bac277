# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Diagnostics: the form that aggregators read, and rates by the caller's clock."""

from __future__ import annotations

import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus

from da3_ros.ros.diagnostics import Level, RateMeter, TaskReport, diagnostics_message

SECOND_NS = 1_000_000_000


def test_diagnostics_name_node_and_task() -> None:
    reports = [
        TaskReport("camera front", Level.OK, "10 Hz", {"rate_hz": 10.000123, "frames": 12, "calibrated": True}),
        TaskReport("engine", Level.STALE, "waiting"),
    ]

    message = diagnostics_message(Time(sec=7), "da3_node", "cpu", reports)

    first, second = message.status
    assert message.header.stamp == Time(sec=7)
    assert (first.name, first.hardware_id, first.message) == ("da3_node: camera front", "cpu", "10 Hz")
    assert [(value.key, value.value) for value in first.values] == [
        ("rate_hz", "10"),
        ("frames", "12"),
        ("calibrated", "True"),
    ]
    assert (second.name, list(second.values)) == ("da3_node: engine", [])


@pytest.mark.parametrize("level", list(Level))
def test_levels_have_the_numbers_of_the_message(level: Level) -> None:
    message = diagnostics_message(Time(), "node", "cpu", [TaskReport("task", level, "")])

    assert message.status[0].level == getattr(DiagnosticStatus, level.name)


def ticked(*stamps_ns: int) -> RateMeter:
    meter = RateMeter(events=4)
    for stamp_ns in stamps_ns:
        meter.tick(stamp_ns)
    return meter


def test_rate_is_that_of_the_newest_events() -> None:
    meter = ticked(0, 10 * SECOND_NS, *(10 * SECOND_NS + step * SECOND_NS // 10 for step in range(1, 5)))

    assert meter.rate_hz(10 * SECOND_NS + SECOND_NS // 2) == pytest.approx(10.0)


def test_rate_falls_when_nothing_happens_any_more() -> None:
    meter = ticked(0, SECOND_NS, 2 * SECOND_NS)

    assert meter.rate_hz(3 * SECOND_NS) == pytest.approx(1.0)
    assert meter.rate_hz(22 * SECOND_NS) < 0.1


def test_rate_is_zero_before_the_second_event_and_for_equal_stamps() -> None:
    assert ticked().rate_hz(5) == 0.0
    assert ticked(5).rate_hz(6) == 0.0
    assert ticked(5, 5).rate_hz(5) == 0.0


def test_rate_starts_anew_when_time_jumps_back() -> None:
    meter = ticked(100 * SECOND_NS, 101 * SECOND_NS, 0, SECOND_NS // 2)

    assert meter.rate_hz(SECOND_NS // 2) == pytest.approx(2.0)
