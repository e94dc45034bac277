# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Frame sets to overlapping windows, and the bridge that keeps the overlap when windows were skipped."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from da3_ros.streaming.frame import FrameSet, Window


class SlidingWindow:
    """The last `size` sets, again after every `stride` new ones.

    Args:
        size: frame sets per window.
        stride: new sets between two windows.
        min_sets: the first window comes once this many sets are there, and windows then grow to `size`;
            0 waits for `size`.
    """

    def __init__(self, size: int, stride: int = 1, min_sets: int = 0) -> None:
        if size < 1 or not 1 <= stride <= size or not 0 <= min_sets <= size:
            raise ValueError(f"window size {size}, stride {stride}, min_sets {min_sets}: need size >= stride, min_sets")
        self._sets: deque[FrameSet] = deque(maxlen=size)
        self._stride = stride
        self._min_sets = min_sets or size
        self._new_sets = 0
        self._windows = 0

    def push(self, frame_set: FrameSet) -> Window | None:
        """Take one set; return a window when one is due. A set from the past (a bag loop) starts afresh."""
        if self._sets and frame_set.stamp_ns <= self._sets[-1].stamp_ns:
            self.clear()
        is_first = len(self._sets) == self._new_sets
        self._sets.append(frame_set)
        self._new_sets += 1
        if len(self._sets) < self._min_sets or (self._new_sets < self._stride and not is_first):
            return None
        return self._emit()

    def finish(self) -> Window | None:
        """The last window of a finite stream: what is there, if any of it is in no window yet."""
        return self._emit() if self._new_sets else None

    def clear(self) -> None:
        """Forget all sets."""
        self._sets.clear()
        self._new_sets = 0

    def _emit(self) -> Window:
        window = Window(self._windows, tuple(self._sets))
        self._windows += 1
        self._new_sets = 0
        return window


def with_anchors(window: Window, anchors: Sequence[FrameSet], previous: Window, overlap: int) -> Window:
    """Give the place of the oldest sets to still older ones, so that windows far apart have views in common.

    Args:
        window: shares sets with the previous one.
        anchors: that the two should share, best first.
        previous: the last good window.
        overlap: how many sets the two must share.

    Returns:
        A window of the same size with as many anchors as it can hold beside one recent shared set.
    """
    known = {frame_set.index for frame_set in previous.frame_sets}
    shared = [at for at, frame_set in enumerate(window.frame_sets) if frame_set.index in known]
    older = [anchor for anchor in anchors if anchor.stamp_ns < window.frame_sets[0].stamp_ns]
    # What is older than the newest shared set was handed out already, be it in the previous window or not.
    places = min(len(older), max(shared, default=0))
    if places <= 0 or len(shared) < overlap:
        return window
    taken = sorted(older[:places], key=lambda frame_set: frame_set.stamp_ns)
    return Window(window.index, (*taken, *window.frame_sets[places:]))


def bridge(previous: Window, window: Window, overlap: int) -> Window:
    """Make a window share sets with the last one that was processed, so that the two can be aligned.

    When inference is slower than the stream, windows between the two were skipped and they may share too little. Then
    the oldest sets of the window give way to the newest of the previous one; the size stays.

    Args:
        previous: the last window with a good result.
        window: the next one to be processed.
        overlap: how many sets they should share, if the previous window has as many.

    Returns:
        The window itself when it shares enough or when time has gone back between the two.
    """
    known = {frame_set.index for frame_set in previous.frame_sets}
    fresh = [frame_set for frame_set in window.frame_sets if frame_set.index not in known]
    wanted = min(overlap, len(previous.frame_sets))
    newest = previous.frame_sets[-1]
    if not fresh or len(window.frame_sets) - len(fresh) >= wanted or fresh[0].stamp_ns <= newest.stamp_ns:
        return window
    kept = fresh[-max(len(window.frame_sets) - wanted, 1) :]
    return Window(window.index, (*previous.frame_sets[-wanted:], *kept))
