# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The connection that all filters share: register a function, signal messages to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class SimpleFilter:
    """An output that functions can be registered with; ``signalMessage`` feeds it by hand."""

    def __init__(self) -> None:
        self.callbacks: dict[int, tuple[Callable[..., Any], tuple[Any, ...]]] = {}

    def registerCallback(self, cb: Callable[..., Any], *args: Any) -> int:
        """Have ``cb(*messages, *args)`` called for every output; returns the connection's number."""
        connection = len(self.callbacks)
        self.callbacks[connection] = (cb, args)
        return connection

    def signalMessage(self, *msg: Any) -> None:
        """Call every registered function, in the order of registration."""
        for function, args in tuple(self.callbacks.values()):
            function(*msg, *args)
