# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Groups messages of several inputs that carry equal stamps."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from message_filters.message_time import header_time
from message_filters.simple_filter import SimpleFilter

Queue = dict[int, Any]  # stamp in nanoseconds -> message


class TimeSynchronizer(SimpleFilter):
    """Calls back with one message of each input as soon as a stamp is complete.

    Each input keeps its ``queue_size`` newest messages by stamp. Stricter than upstream: a group leaves the queues
    before the callbacks get it and no lock is held then, so a callback may raise, or feed the synchroniser.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int) -> None:
        super().__init__()
        self.queue_size = queue_size
        self.lock = threading.Lock()
        self.connectInput(fs)

    def connectInput(self, fs: Sequence[SimpleFilter]) -> None:
        self.queues: list[Queue] = [{} for _ in fs]
        self.input_connections = [
            source.registerCallback(self.add, queue, index)
            for index, (source, queue) in enumerate(zip(fs, self.queues, strict=True))
        ]

    def add(self, msg: Any, my_queue: Queue, my_queue_index: int | None = None) -> None:
        """Take a message of one input; call back when it completes a group."""
        stamp_ns = header_time(msg).nanoseconds
        with self.lock:
            self._keep(msg, stamp_ns, my_queue)
            if not all(stamp_ns in queue for queue in self.queues):
                return
            group = [queue.pop(stamp_ns) for queue in self.queues]
        self.signalMessage(*group)

    def _keep(self, msg: Any, stamp_ns: int, queue: Queue) -> None:
        queue[stamp_ns] = msg
        while len(queue) > self.queue_size:
            del queue[min(queue)]
