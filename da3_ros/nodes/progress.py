# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Since when images and windows stand still, by a clock that always runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median_low

from da3_ros.streaming.ledger import Counters

# A count may stand still for so long, or for so many of its usual intervals: a slow machine's windows take seconds.
PATIENCE_S = 2.0
USUAL_INTERVALS = 5
UNKNOWN_INTERVAL_S = 6.0


@dataclass(frozen=True, slots=True)
class Standstill:
    """How long a count has stood still.

    Attributes:
        seconds: since it last moved; 0 while that is not longer than usual.
        lost: images of all cameras that were lost meanwhile, by cause.
    """

    seconds: float
    lost: Mapping[str, int]

    @property
    def causes(self) -> str:
        """What they were lost to, the most frequent cause first, in words; empty when none was lost."""
        by_number = sorted(self.lost.items(), key=lambda item: -item[1])
        return ", ".join(f"{images} {cause}" for cause, images in by_number)


MOVES = Standstill(0.0, {})


@dataclass(frozen=True, slots=True)
class Flow:
    """What moves and what does not.

    Attributes:
        is_enabled: whether images are wanted.
        images: those that came, of all cameras.
        windows: those that were processed, while images come.
        received: images that came, by camera.
        used: images that left in a set, by camera, while images come.
    """

    is_enabled: bool
    images: Standstill
    windows: Standstill
    received: Mapping[str, Standstill]
    used: Mapping[str, Standstill]


class Progress:
    """Looks at the counts of one run now and then.

    Args:
        now_s: steady time, seconds.
    """

    def __init__(self, now_s: float) -> None:
        self._begin_s = now_s
        self._counts: dict[str, _Count] = {}

    def look(
        self, counters: Counters, received: Mapping[str, int], used: Mapping[str, int], is_enabled: bool, now_s: float
    ) -> Flow:
        """What moves now.

        Args:
            counters: the account of all cameras.
            received: images that came so far, by camera.
            used: images that left in a set so far, by camera.
            is_enabled: whether images are wanted; while they are not, nothing has to move.
            now_s: steady time, seconds.
        """

        def still(name: str, count: int, is_due: bool) -> Standstill:
            known = self._counts.setdefault(name, _Count(self._begin_s))
            return known.look(count, counters.dropped, is_due, now_s)

        images = still("images", counters.frames_in, is_enabled)
        come = {camera: still(f"received/{camera}", count, is_enabled) for camera, count in received.items()}
        # What cannot move for want of images gets its full time again when they come back.
        left = {
            camera: still(f"used/{camera}", count, is_enabled and not come[camera].seconds)
            for camera, count in used.items()
        }
        windows = still("windows", counters.windows, is_enabled and not images.seconds)
        return Flow(is_enabled, images, windows, come, left)


class _Count:
    """One count, when it last moved, and how it usually does."""

    def __init__(self, now_s: float) -> None:
        self._count = 0
        self._moved_s = now_s
        self._dropped: Mapping[str, int] = {}
        self._intervals_s: deque[float] = deque(maxlen=5)

    def look(self, count: int, dropped: Mapping[str, int], is_due: bool, now_s: float) -> Standstill:
        """Whether it has stood still for too long; what is not due begins anew."""
        if count != self._count or not is_due:
            if self._count and is_due:  # the first one may have been waited for
                self._intervals_s.append((now_s - self._moved_s) / (count - self._count))
            self._count, self._moved_s, self._dropped = count, now_s, dropped
        usual_s = median_low(self._intervals_s) if self._intervals_s else UNKNOWN_INTERVAL_S
        still_s = now_s - self._moved_s
        if still_s <= max(PATIENCE_S, USUAL_INTERVALS * usual_s):
            return MOVES
        lost = {cause: images - self._dropped.get(cause, 0) for cause, images in dropped.items()}
        return Standstill(still_s, {cause: images for cause, images in lost.items() if images > 0})
