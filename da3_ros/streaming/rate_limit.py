# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Thins a stream to a mean rate."""

from __future__ import annotations


class RateLimit:
    """Says which stamps come too soon; the mean rate holds at any rate of the source.

    Args:
        min_period_ns: mean period of what is let through at least; 0 lets all through.
    """

    def __init__(self, min_period_ns: int) -> None:
        self._min_period_ns, self._last_ns, self._due_ns = min_period_ns, 0, 0

    def refuses(self, stamp_ns: int) -> bool:
        """Whether this stamp comes too soon after those that were let through; one from the past never does."""
        if self._last_ns <= stamp_ns < self._due_ns:
            return True
        # What comes a little after its due time does not delay the next.
        keeps_phase = self._last_ns <= stamp_ns < self._due_ns + self._min_period_ns
        self._due_ns = (self._due_ns if keeps_phase else stamp_ns) + self._min_period_ns
        self._last_ns = stamp_ns
        return False
