# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of one frame's place in its parent: a moving frame over a time span, a static one for ever."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from tf2_py.exceptions import ExtrapolationException
from tf2_py.rigid_transform import RigidTransform, interpolate
from tf2_py.stamps import to_text

LATEST_NS = 0  # upstream's convention: time zero asks for the newest data


@dataclass(frozen=True, slots=True)
class Edge:
    """A frame in its parent at one instant."""

    parent: str
    parent_from_child: RigidTransform


class StaticCache:
    """A frame that never moves: its last edge answers for every time."""

    def __init__(self) -> None:
        self._edge: Edge

    def __len__(self) -> int:
        return 1

    @property
    def latest_ns(self) -> int:
        return 0

    @property
    def oldest_ns(self) -> int:
        return 0

    def insert(self, stamp_ns: int, edge: Edge) -> bool:
        self._edge = edge
        return True

    def parent_at(self, stamp_ns: int) -> str:
        return self._edge.parent

    def transform_at(self, stamp_ns: int) -> RigidTransform:
        return self._edge.parent_from_child

    def clear(self) -> None:
        """Keeps the edge: what is static stays true across a jump in time."""


class MovingCache:
    """The edges of a moving frame, oldest first, no longer than ``span_ns``; look-up by bisection.

    Stricter than upstream: an edge with the stamp of a stored one replaces it. Upstream stores both, so a
    publisher with a frozen clock makes it grow without end.
    """

    def __init__(self, span_ns: int) -> None:
        self._span_ns = span_ns
        self._stamps_ns: list[int] = []
        self._edges: list[Edge] = []

    def __len__(self) -> int:
        return len(self._stamps_ns)

    @property
    def latest_ns(self) -> int:
        return self._stamps_ns[-1] if self._stamps_ns else 0

    @property
    def oldest_ns(self) -> int:
        return self._stamps_ns[0] if self._stamps_ns else 0

    def insert(self, stamp_ns: int, edge: Edge) -> bool:
        """Store an edge; False when it is older than the span and was ignored."""
        if self._stamps_ns:
            horizon_ns = self.latest_ns - self._span_ns
            self._forget_before(horizon_ns)
            if stamp_ns < horizon_ns:
                return False
        index = bisect_right(self._stamps_ns, stamp_ns)
        if index and self._stamps_ns[index - 1] == stamp_ns:
            self._edges[index - 1] = edge
        else:
            self._stamps_ns.insert(index, stamp_ns)
            self._edges.insert(index, edge)
        return True

    def parent_at(self, stamp_ns: int) -> str:
        """The parent's frame id.

        Raises:
            ExtrapolationException: no data at that time.
        """
        return self._edges[self._index_at(stamp_ns)].parent

    def transform_at(self, stamp_ns: int) -> RigidTransform:
        """``parent_from_child``, interpolated; the older edge where the parent changes in between.

        Raises:
            ExtrapolationException: no data at that time.
        """
        index = self._index_at(stamp_ns)
        before, before_ns = self._edges[index], self._stamps_ns[index]
        if before_ns == stamp_ns or index + 1 == len(self._edges):
            return before.parent_from_child
        after, after_ns = self._edges[index + 1], self._stamps_ns[index + 1]
        if before.parent != after.parent:
            return before.parent_from_child
        ratio = (stamp_ns - before_ns) / (after_ns - before_ns)
        return interpolate(before.parent_from_child, after.parent_from_child, ratio)

    def clear(self) -> None:
        self._stamps_ns.clear()
        self._edges.clear()

    def _forget_before(self, horizon_ns: int) -> None:
        count = bisect_left(self._stamps_ns, horizon_ns)
        del self._stamps_ns[:count]
        del self._edges[:count]

    def _index_at(self, stamp_ns: int) -> int:
        """Index of the last edge that is not younger than the stamp."""
        stamps_ns = self._stamps_ns
        if stamps_ns and stamp_ns == LATEST_NS:
            return len(stamps_ns) - 1
        if not stamps_ns or not stamps_ns[0] <= stamp_ns <= stamps_ns[-1]:
            raise ExtrapolationException(self._extrapolation_text(stamp_ns))
        return bisect_right(stamps_ns, stamp_ns) - 1

    def _extrapolation_text(self, stamp_ns: int) -> str:
        asked = f"time {to_text(stamp_ns)} is asked for"
        if not self._stamps_ns:
            return f"Lookup would require extrapolation: {asked} but the buffer is empty"
        if len(self._stamps_ns) == 1:
            return f"Lookup would require extrapolation: {asked} but the only data is at {to_text(self.latest_ns)}"
        if stamp_ns > self.latest_ns:
            return f"Lookup would require extrapolation into the future: {asked}, data end at {to_text(self.latest_ns)}"
        return f"Lookup would require extrapolation into the past: {asked}, data begin at {to_text(self.oldest_ns)}"
