# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of one camera that wait to be matched, and what their stamps tell about its timing."""

from __future__ import annotations

import bisect
from collections import deque
from itertools import pairwise

from da3_ros.streaming.frame import Frame

MEASURED_STAMPS = 32
# Frames after which a stream that has become orderly is hardly waited for any more.
REORDER_MEMORY = 256
# Frames in ascending order, none newer in between, that come to places in time which are taken: time has gone back.
RETURNS_NEEDED = 3
# Gaps that must be seen before two stamps that differ can be known to be too near for one camera.
PLACES_NEEDED = 8


class CameraStream:
    """Waiting frames in stamp order, with the period and the disorder of the camera.

    Attributes:
        camera: the camera's name.
        queue: waiting frames, oldest first.
        newest_ns: largest stamp seen, None before the first frame.
        reorder_ns: how far behind the newest stamp frames have lately arrived; 0 for an orderly stream.
        period_ns: lower eighth of the recent gaps between stamps, so that neither lost frames nor a few odd
            stamps change it; 0 when unknown.
        offset_ns: the waiting frame nearest to the last decided trigger, relative to that; None when unknown.
        missed_triggers: how many triggers in a row had no frame of this camera.
        old_frames_left: how many frames from before a jump back in time may still arrive.
        held: a frame far from all before it, which the next one has yet to confirm.
        frames_in: frames pushed.
        frames_used: frames that left in a set.
    """

    def __init__(self, camera: str) -> None:
        self.camera = camera
        self.frames_in = 0
        self.frames_used = 0
        self.period_ns = 0
        self.held: Frame | None = None
        self._gaps_ns: deque[int] = deque(maxlen=MEASURED_STAMPS)
        self.clear()

    def clear(self) -> None:
        """Forget the frames and their order, keep the measured period."""
        self.held = None
        self.queue: list[Frame] = []
        self.newest_ns: int | None = None
        self.reorder_ns = 0
        self.offset_ns: int | None = None
        self.missed_triggers = 0
        self.old_frames_left = 0
        self._recent_ns: deque[int] = deque(maxlen=MEASURED_STAMPS)
        # Stamps that came in ascending order since the newest one, how many of these places were taken, and what was.
        self._run_ns: deque[int] = deque(maxlen=MEASURED_STAMPS)
        self._returns = 0
        self._taken_ns: list[int] = []

    def begin_again(self) -> None:
        """Forget as `clear` does, but for the stamps by which time has been seen to go back: they are of the new time.

        So a loop is known again at its first frames, however short it is. A frame that is held may be of the new time.
        """
        run_ns, held = self._run_ns, self.held
        self.clear()
        self._recent_ns.extend(run_ns)
        self.held = held

    def confirmed(self, frame: Frame, ahead_ns: int, back_ns: int) -> tuple[tuple[Frame, ...], str]:
        """The frames that may now be used, and the cause for which one is given up, empty when none is.

        A stamp further ahead of the newest one than `ahead_ns`, or further behind than `back_ns`, is a pause or a jump
        in time when the next one is nearer to it than to those before; else it was wrong.
        """
        held, self.held, cause = self.held, None, ""
        if held is not None:
            if frame.stamp_ns == held.stamp_ns:
                self.held = held
                return (), "duplicate_stamp"
            newest_ns = self.newest_ns
            if newest_ns is None or abs(frame.stamp_ns - held.stamp_ns) < abs(frame.stamp_ns - newest_ns):
                return (held, frame), ""
            cause = "time_jump"
        if self.newest_ns is not None and not -back_ns <= frame.stamp_ns - self.newest_ns <= ahead_ns:
            self.held = frame
            return (), cause
        return (frame,), cause

    @property
    def gaps_measured(self) -> int:
        """How many gaps the period is based on."""
        return len(self._gaps_ns)

    def has_seen(self, stamp_ns: int) -> bool:
        """Whether a frame with this very stamp came lately."""
        return stamp_ns in self._recent_ns

    def has_gone_back(self, stamp_ns: int) -> bool:
        """Whether this frame, which has not been measured yet, is the last that it takes to know that time went back.

        A camera has one frame in a period. Frames out of order fill gaps, however late they are; those of a bag that
        loops, or of a clock that was set back, come to places where frames have been.
        """
        if self.newest_ns is None or stamp_ns > self.newest_ns:
            self._run_ns.clear()
            self._returns, self._taken_ns = 0, []
            return False
        if not self._taken_ns:
            self._taken_ns = sorted(self._recent_ns)
        if self._run_ns and stamp_ns <= self._run_ns[-1]:
            self._run_ns.clear()
            self._returns = 0
        self._returns += self._is_taken(stamp_ns)
        if self._returns >= RETURNS_NEEDED:
            return True
        self._run_ns.append(stamp_ns)
        return False

    def _is_taken(self, stamp_ns: int) -> bool:
        distance_ns = min(abs(taken_ns - stamp_ns) for taken_ns in self._taken_ns)
        if distance_ns == 0 or len(self._taken_ns) <= PLACES_NEEDED:
            return distance_ns == 0
        # Not `period_ns`, which counts from the newest stamp: what is out of order is farther from that than a period.
        gaps_ns = sorted(after - before for before, after in pairwise(self._taken_ns))
        return 2 * distance_ns <= gaps_ns[len(gaps_ns) // 8]

    def measure(self, stamp_ns: int) -> None:
        """Learn period and disorder from the stamp of a frame, used or not."""
        self._recent_ns.append(stamp_ns)
        if self.newest_ns is None:
            self.newest_ns = stamp_ns
            return
        # In or out of order, the distance to the newest stamp is a whole number of periods.
        self._gaps_ns.append(abs(stamp_ns - self.newest_ns))
        self.period_ns = sorted(self._gaps_ns)[len(self._gaps_ns) // 8]
        fading = self.reorder_ns - self.reorder_ns // REORDER_MEMORY
        self.reorder_ns = max(fading, self.newest_ns - stamp_ns, 0)
        self.newest_ns = max(self.newest_ns, stamp_ns)

    def insert(self, frame: Frame) -> None:
        """Let a frame wait at its place in time."""
        bisect.insort(self.queue, frame, key=_stamp_of)

    def nearest(self, stamp_ns: int) -> Frame | None:
        """The waiting frame nearest to a stamp; the older one of two equally near."""
        after = bisect.bisect_left(self.queue, stamp_ns, key=_stamp_of)
        around = self.queue[max(after - 1, 0) : after + 1]
        return min(around, key=lambda frame: abs(frame.stamp_ns - stamp_ns), default=None)

    def note_trigger(self, trigger_ns: int, slop_ns: int) -> None:
        """Remember how well the waiting frames fit a trigger that is being decided."""
        nearest = self.nearest(trigger_ns)
        if nearest is not None:
            self.offset_ns = nearest.stamp_ns - trigger_ns
        took_part = nearest is not None and abs(nearest.stamp_ns - trigger_ns) <= slop_ns
        self.missed_triggers = 0 if took_part else self.missed_triggers + 1

    def remove_until(self, stamp_ns: int) -> list[Frame]:
        """Take out the frames with a stamp up to and including this one."""
        end = bisect.bisect_right(self.queue, stamp_ns, key=_stamp_of)
        removed, self.queue = self.queue[:end], self.queue[end:]
        return removed


def _stamp_of(frame: Frame) -> int:
    return frame.stamp_ns
