# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Groups messages of several inputs whose stamps are close."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rclpy.duration import Duration

from message_filters.message_time import header_or_arrival_time
from message_filters.simple_filter import SimpleFilter
from message_filters.time_synchronizer import Queue, TimeSynchronizer


class ApproximateTimeSynchronizer(TimeSynchronizer):
    """Calls back with one message of each input when all their stamps lie within ``slop`` seconds.

    Upstream's choice, message by message: greedy, and so able to mix triggers when ``slop`` exceeds half a period.
    Unlike upstream's, the search is polynomial in the number of inputs and queued messages.
    """

    def __init__(
        self, fs: Sequence[SimpleFilter], queue_size: int, slop: float, allow_headerless: bool = False
    ) -> None:
        super().__init__(fs, queue_size)
        self.slop = Duration(seconds=slop)
        self.allow_headerless = allow_headerless

    def add(self, msg: Any, my_queue: Queue, my_queue_index: int | None = None) -> None:
        """Take a message of one input; call back when it completes a group."""
        time = header_or_arrival_time(msg, self.allow_headerless, "message_filters_approx")
        if time is None:
            return
        stamp_ns, slop_ns = time.nanoseconds, self.slop.nanoseconds
        with self.lock:
            self._keep(msg, stamp_ns, my_queue)
            candidates = [nearest_first(queue, stamp_ns, slop_ns) for queue in self.queues]
            if my_queue_index is not None:
                candidates[my_queue_index] = [stamp_ns] if stamp_ns in my_queue else []
            stamps_ns = closest_group(candidates, slop_ns)
            if stamps_ns is None:
                return
            group = [queue.pop(stamp) for queue, stamp in zip(self.queues, stamps_ns, strict=True)]
        self.signalMessage(*group)


def nearest_first(queue: Queue, stamp_ns: int, slop_ns: int) -> list[int]:
    """The stamps of a queue that lie within slop of a stamp, nearest first."""
    near = (other for other in queue if abs(other - stamp_ns) <= slop_ns)
    return sorted(near, key=lambda other: abs(other - stamp_ns))


def closest_group(candidates: Sequence[Sequence[int]], slop_ns: int) -> list[int] | None:
    """One stamp per input, all less than slop apart; the earlier in the earlier input's list the better.

    This is the first match of ``itertools.product(*candidates)`` without the walk through the product: the earliest
    stamp of a match is one of the candidates, and once it is fixed the inputs choose independently.
    """
    best: list[int] | None = None  # ranks, one per input
    for start_ns in {stamp for stamps in candidates for stamp in stamps}:
        ranks = [_first_within(stamps, start_ns, start_ns + slop_ns) for stamps in candidates]
        complete = [rank for rank in ranks if rank is not None]
        if len(complete) == len(candidates) and (best is None or complete < best):
            best = complete
    return None if best is None else [stamps[rank] for stamps, rank in zip(candidates, best, strict=True)]


def _first_within(stamps: Sequence[int], start: int, end: int) -> int | None:
    return next((rank for rank, stamp in enumerate(stamps) if start <= stamp < end), None)
