# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What is given up, step by step, while the engine is short of memory, and taken back when it is not.

First what costs only time, then views, then detail:

    half_chunks      the heads take half as many views at a time, one at least, and what was kept for speed is dropped:
                     the same answer
    half_window      windows keep the newest half of their frame sets
    half_resolution  the engine sees images of half the side; published images change their size, and a segment begins
"""

from __future__ import annotations

import logging
from enum import Enum

from da3_ros.geometry.prediction import Effort
from da3_ros.streaming.frame import Window

# Windows with memory enough after which a step is taken back; twice as many after each relapse, up to the longest wait.
FIRST_WAIT = 20
LONGEST_WAIT = 1280
# One to be aligned by and a new one: with fewer sets every window would begin a trajectory of its own.
SMALLEST_WINDOW = 2

_log = logging.getLogger(__name__)


class Step(Enum):
    """One thing to give up, in the order in which it is."""

    HALF_CHUNKS = "half_chunks"
    HALF_WINDOW = "half_window"
    HALF_RESOLUTION = "half_resolution"


class MemoryRelief:
    """Decides what each call of the engine does without.

    `steps` may be read from any thread; all else belongs to the one that calls the engine.

    Args:
        first_wait: windows with memory enough after which a step is taken back.
        longest_wait: the most that relapses make of it.
    """

    def __init__(self, first_wait: int = FIRST_WAIT, longest_wait: int = LONGEST_WAIT) -> None:
        self._first_wait, self._longest_wait = first_wait, longest_wait
        self._wait = first_wait
        self._enough = 0  # windows since the last change
        self._has_failed = False  # the newest window, for want of memory
        self._most_sets = 0
        self._steps: tuple[Step, ...] = ()
        self._taken_back: Step | None = None  # so lately that a failure is put down to it

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is given up now, in order."""
        return self._steps

    @property
    def effort(self) -> Effort:
        """What the engine is to be asked for."""
        return Effort(Step.HALF_CHUNKS in self._steps, Step.HALF_RESOLUTION in self._steps)

    def cut(self, window: Window) -> Window:
        """The newest frame sets of a window, as many as it may hold now."""
        if Step.HALF_WINDOW not in self._steps or len(window.frame_sets) <= self._most_sets:
            return window
        return Window(window.index, window.frame_sets[-self._most_sets :])

    def overlap(self, wanted: int) -> int:
        """How many frame sets windows should share, when so many are wanted: one place stays for a new one."""
        return min(wanted, self._most_sets - 1) if Step.HALF_WINDOW in self._steps else wanted

    def begin(self) -> None:
        """Learn that another window comes; after enough of them without shortage the last step is taken back, to see.

        What failed for another reason counts as well: an engine may refuse just what is left of a window.
        """
        if self._has_failed:
            self._has_failed, self._enough = False, 0
            return
        if self._taken_back is not None and not self._enough:
            _log.info("there is memory again: %s is taken back", self._taken_back.value)
        self._enough += 1
        if self._enough < self._wait:
            return
        self._enough = 0
        if not self._steps:
            self._taken_back, self._wait = None, self._first_wait
            return
        *kept, self._taken_back = self._steps
        self._steps = tuple(kept)

    def give_up(self, window: Window, why: str) -> bool:
        """Learn that the engine ran out of memory on a window, and give up one thing more.

        Args:
            window: as the engine saw it.
            why: the engine's own words, which may be none.

        Returns:
            Whether the window is worth another try; otherwise nothing more can be given up for it.
        """
        has_relapsed = self._taken_back is not None
        step = self._taken_back or self._next_step(window)
        if step is None:
            self._has_failed = True
            return False
        if has_relapsed:
            self._wait = min(2 * self._wait, self._longest_wait)
        elif step is Step.HALF_WINDOW:
            self._most_sets = _half(len(window.frame_sets))
        self._steps = tuple(one for one in Step if one in (*self._steps, step))
        self._taken_back, self._enough = None, 0
        views = len(window.views)
        words = f"out of memory on window {window.index} of {views} view{'s' if views > 1 else ''}"
        _log.warning("%s%s: %s%s", words, f" ({why})" if why else "", self._told(step), self._outlook(has_relapsed))
        return True

    def _next_step(self, window: Window) -> Step | None:
        helps = {
            Step.HALF_CHUNKS: len(window.views) > 1,
            Step.HALF_WINDOW: _half(len(window.frame_sets)) < len(window.frame_sets),
            Step.HALF_RESOLUTION: True,
        }
        return next((step for step in Step if step not in self._steps and helps[step]), None)

    def _told(self, step: Step) -> str:
        if step is Step.HALF_CHUNKS:
            return (
                "the heads now take half as many views at a time where they took several (on a CPU they take one), and "
                "the feature cache is emptied; a smaller window_size makes that needless"
            )
        if step is Step.HALF_WINDOW:
            sets = self._most_sets
            return f"windows now hold {sets} frame sets at most; window_size {sets} makes that permanent"
        return "the network now sees half the process_resolution; to set half of it makes that permanent"

    def _outlook(self, has_relapsed: bool) -> str:
        return f"; the next attempt without comes after {self._wait} windows" if has_relapsed else ""


def _half(sets: int) -> int:
    return max(sets // 2, min(sets, SMALLEST_WINDOW))
