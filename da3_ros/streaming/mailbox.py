# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The one hand-over between threads: a single slot in which the newest item wins."""

from __future__ import annotations

from threading import Condition
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """One slot; `put` never waits, `take` does."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._item: Item | None = None
        self._closed = self._in_hand = False

    def put(self, item: Item) -> Item | None:
        """Leave an item; return the one it pushed out, or the item itself when the box is closed."""
        with self._changed:
            if self._closed:
                return item
            replaced, self._item = self._item, item
            self._changed.notify()
            return replaced

    def take(self, timeout_s: float | None = None) -> Item | None:
        """Wait for an item and take it out; None when the time is over or the box is closed.

        To ask again says that the item before is done with.
        """
        with self._changed:
            self._in_hand = False
            self._changed.wait_for(lambda: self._item is not None or self._closed, timeout_s)
            item, self._item = self._item, None
            self._in_hand = item is not None
            return item

    def clear(self) -> Item | None:
        """Throw away what is inside, and return it."""
        with self._changed:
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """Throw away what is inside, refuse what comes, and wake everyone who waits."""
        with self._changed:
            self._closed, self._item = True, None
            self._changed.notify_all()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is inside, and whoever took the last item is done with it."""
        with self._changed:
            return self._item is None and not self._in_hand

    @property
    def is_closed(self) -> bool:
        """Whether the box was closed, as opposed to merely empty."""
        with self._changed:
            return self._closed
