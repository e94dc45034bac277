# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The account of frames: what came in was published, was dropped for a named cause, or is under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from da3_ros.streaming.frame import FrameSet


@dataclass(frozen=True, slots=True)
class Counters:
    """The account at one instant; `frames_in == frames_published + sum(dropped.values()) + in_flight`.

    Attributes:
        frames_in: frames offered, unusable ones included.
        sets: frame sets made.
        windows: windows processed to the end.
        frames_published: frames whose results were handed out.
        dropped: frames lost, by cause.
        in_flight: frames that wait to be matched or processed.
    """

    frames_in: int
    sets: int
    windows: int
    frames_published: int
    dropped: Mapping[str, int]
    in_flight: int


class SetLedger:
    """Follows every frame set from its making to its publication or loss. Not thread-safe: its owner holds the lock.

    Sets are published in the order of their index, and never one older than a published one.
    """

    def __init__(self) -> None:
        self.sets = 0
        self.frames_published = 0
        self._dropped: Counter[str] = Counter()
        self._waiting: dict[int, int] = {}
        self._blamed: dict[int, str] = {}

    @property
    def dropped(self) -> Mapping[str, int]:
        """Frames lost, by cause."""
        return dict(self._dropped)

    @property
    def in_flight(self) -> int:
        """Frames of sets that are neither published nor lost."""
        return sum(self._waiting.values())

    def enter(self, frame_set: FrameSet) -> None:
        """A set was made."""
        self.sets += 1
        self._waiting[frame_set.index] = len(frame_set.frames)

    def drop(self, frames: int, cause: str) -> None:
        """Count frames lost outside any set."""
        if frames:
            self._dropped[cause] += frames

    def blame(self, frame_sets: Iterable[FrameSet], cause: str) -> None:
        """Name what these sets will be lost to, should no later window publish them."""
        self._blamed.update({frame_set.index: cause for frame_set in frame_sets if frame_set.index in self._waiting})

    def publish(self, frame_sets: Iterable[FrameSet]) -> tuple[FrameSet, ...]:
        """Mark the sets as published that still wait, and return them; older ones that wait are lost."""
        new_sets = tuple(frame_set for frame_set in frame_sets if frame_set.index in self._waiting)
        for frame_set in new_sets:
            self.frames_published += self._waiting.pop(frame_set.index)
            self._blamed.pop(frame_set.index, None)
        if new_sets:
            self.lose_before(new_sets[-1].index)
        return new_sets

    def withhold(self, frame_sets: Iterable[FrameSet], cause: str) -> None:
        """Count sets as lost after all that `publish` has just returned."""
        frames = sum(len(frame_set.frames) for frame_set in frame_sets)
        self.frames_published -= frames
        self.drop(frames, cause)

    def lose_before(self, index: int) -> None:
        """Give up the waiting sets older than this index: to what they were blamed on, else to newer windows."""
        for lost in [waiting for waiting in self._waiting if waiting < index]:
            self.drop(self._waiting.pop(lost), self._blamed.pop(lost, "superseded"))

    def lose_all(self, cause: str = "") -> None:
        """Give up all waiting sets, to one cause if given."""
        for lost in list(self._waiting):
            blamed = self._blamed.pop(lost, "superseded")
            self.drop(self._waiting.pop(lost), cause or blamed)
