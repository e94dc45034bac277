# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""/diagnostics messages from plain values, and rates that follow whatever clock they are given."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header


class Level(IntEnum):
    """How bad it is, with the numbers of DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True, slots=True)
class TaskReport:
    """The state of one part of the node.

    Attributes:
        task: the part, such as `camera front`.
        level: how bad it is.
        message: the state in one short sentence.
        values: figures by name, with the unit in the name.
    """

    task: str
    level: Level
    message: str
    values: Mapping[str, str | int | float | bool] = field(default_factory=dict)


def diagnostics_message(
    stamp: Time, node_name: str, hardware_id: str, reports: Iterable[TaskReport]
) -> DiagnosticArray:
    """One message of all parts, named `<node>: <task>` as diagnostic aggregators expect.

    Args:
        stamp: now, on the node's clock.
        node_name: name of the node, without its namespace's leading slash.
        hardware_id: what the node computes on, such as the name of the GPU.
        reports: one per part.
    """
    statuses = [
        DiagnosticStatus(
            name=f"{node_name}: {report.task}",
            level=bytes([report.level]),
            message=report.message,
            hardware_id=hardware_id,
            values=[KeyValue(key=key, value=_text(value)) for key, value in report.values.items()],
        )
        for report in reports
    ]
    return DiagnosticArray(header=Header(stamp=stamp), status=statuses)


class RateMeter:
    """Events per second over the newest events, by the caller's own clock; starts anew when time jumps back."""

    def __init__(self, events: int = 30) -> None:
        """Measure over the newest `events` events, at least two."""
        self._stamps_ns: deque[int] = deque(maxlen=max(events, 2))

    def tick(self, stamp_ns: int) -> None:
        """Note one event."""
        if self._stamps_ns and stamp_ns < self._stamps_ns[-1]:
            self._stamps_ns.clear()
        self._stamps_ns.append(stamp_ns)

    def rate_hz(self, now_ns: int) -> float:
        """The rate at `now_ns`: it falls while nothing happens; 0 before the second event."""
        if len(self._stamps_ns) < 2:
            return 0.0
        first_ns, last_ns, intervals = self._stamps_ns[0], self._stamps_ns[-1], len(self._stamps_ns) - 1
        # Silence counts only once it is longer than a usual interval: right after an event the rate is undisturbed.
        usual_ns = (last_ns - first_ns) / intervals
        silence_ns = max(now_ns - last_ns - usual_ns, 0.0)
        span_ns = last_ns - first_ns + silence_ns
        return 1e9 * intervals / span_ns if span_ns > 0 else 0.0


def _text(value: str | int | float | bool) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
