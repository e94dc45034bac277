# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of several cameras to sets taken together.

Frames are decided in time order. The oldest waiting frame names a trigger; the reference camera (the first of the list
that has a frame there) gives its stamp, every other camera its nearest frame. A frame belongs to a trigger only when
it lies within the slop, which is held below half of the shortest measured period: two triggers never mix, and a
nearest match never needs more.

What that means for cameras that are not triggered together:
- free-running at one rate: each frame goes to the nearest reference frame; while their phase drifts through half a
  period there are no complete sets.
- different rates: complete sets come at the slowest rate; the other frames are dropped, or under `partial` they form
  sets of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from da3_ros.streaming.camera_health import CameraHealth, camera_health
from da3_ros.streaming.camera_stream import CameraStream
from da3_ros.streaming.frame import Frame, FrameSet

MissingCamera = Literal["drop", "partial", "wait"]

SLOP_PER_PERIOD = 0.48
# Gaps between stamps, over all cameras, that must be seen before the period is believed: the first few may all span
# lost frames.
GAPS_NEEDED = 8
# Without a measured period: cameras that took one frame each, and a clock that went back.
UNMEASURED_SLOP_NS = 50_000_000
UNMEASURED_PERIOD_NS = 100_000_000


class Synchronizer:
    """Matches frames by stamp alone; no clock, bounded memory, linear cost.

    Args:
        cameras: names; the first is the reference.
        slop_ns: largest distance to the reference stamp; 0 is automatic. Never more than 0.48 of the shortest
            measured period is used.
        missing_camera: what becomes of a trigger that a camera missed. `drop`: nothing; a camera that lags by more
            than half the queue is not waited for. `partial`: as drop, but the set is made of the cameras that are
            there. `wait`: as drop, but a lagging camera is waited for until the queue is full.
        queue_size: frames that may wait per camera. A stamp that goes back by more periods than this is a time jump
            if the camera's next one confirms it, and so are several in a row that come to places in time where their
            camera had frames before. One so far ahead is used once the next one confirms it, or no more come.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        slop_ns: int = 0,
        missing_camera: MissingCamera = "drop",
        queue_size: int = 16,
    ) -> None:
        if not cameras or len(set(cameras)) != len(cameras):
            raise ValueError(f"cameras must be one or more different names, not {list(cameras)}")
        if missing_camera not in get_args(MissingCamera):
            raise ValueError(f"missing_camera '{missing_camera}' is not one of {', '.join(get_args(MissingCamera))}")
        if slop_ns < 0 or queue_size < 4:
            raise ValueError(f"slop_ns must be 0 or more and queue_size 4 or more, not {slop_ns} and {queue_size}")
        self._streams = {camera: CameraStream(camera) for camera in cameras}
        self._reference = cameras[0]
        self._wanted_slop_ns = slop_ns
        self._missing_camera = missing_camera
        self._queue_size = queue_size
        self._sets = 0
        self._start_ns = 0
        self._closed_ns: int | None = None
        self._left_over_ns = 0  # how far ahead of all others a frame from before a jump is at least
        self._dropped: Counter[str] = Counter()

    @property
    def dropped(self) -> Mapping[str, int]:
        """Frames that will never be in a set, by cause: duplicate_stamp, late, missing_camera, unmatched, time_jump."""
        return {cause: frames for cause, frames in self._dropped.items() if frames}

    @property
    def waiting(self) -> int:
        """Frames that are not decided yet."""
        return sum(len(stream.queue) + (stream.held is not None) for stream in self._streams.values())

    def push(self, frame: Frame) -> tuple[FrameSet, ...]:
        """Take one frame; return the sets that are now decided, oldest first.

        Raises:
            ValueError: when the frame's camera is not in the list.
        """
        stream = self._streams.get(frame.camera)
        if stream is None:
            raise ValueError(f"frame of camera '{frame.camera}', which is not one of {', '.join(self._streams)}")
        stream.frames_in += 1
        ahead_ns = self._queue_size * max(stream.period_ns, self._period_ns())
        frames, cause = stream.confirmed(frame, ahead_ns, self._queue_size * self._period_ns())
        self._dropped[cause] += bool(cause)
        for one in frames:
            self._insert(stream, one)
        return self._decide(until_empty=False)

    def finish(self) -> tuple[FrameSet, ...]:
        """Decide everything that waits, as no more frames will come."""
        for stream in self._streams.values():
            held, stream.held = stream.held, None
            if held is not None and stream.newest_ns is not None and held.stamp_ns < stream.newest_ns:
                self._dropped["time_jump"] += 1
            elif held is not None:
                self._insert(stream, held)
        return self._decide(until_empty=True)

    def clear(self) -> int:
        """Forget the waiting frames and all order in time; return how many frames that were."""
        forgotten = self.waiting
        for stream in self._streams.values():
            stream.clear()
        self._closed_ns = None
        return forgotten

    def health(self) -> tuple[CameraHealth, ...]:
        """How each camera takes part, in the order of the list."""
        now_ns, slop_ns = self._newest_ns(), self.slop_ns() or 0
        return tuple(
            camera_health(stream, now_ns - self._newest_of(stream), self._patience_ns(stream), slop_ns)
            for stream in self._streams.values()
        )

    def slop_ns(self, gaps_needed: int = GAPS_NEEDED) -> int | None:
        """The slop in use; None until the cameras' periods rest on as many gaps between stamps."""
        if len(self._streams) == 1:
            return 0
        if sum(stream.gaps_measured for stream in self._streams.values()) < gaps_needed:
            return None
        return min(self._wanted_slop_ns or self._period_ns(), int(SLOP_PER_PERIOD * self._period_ns()))

    def _insert(self, stream: CameraStream, frame: Frame) -> None:
        cause = self._refusal(stream, frame.stamp_ns)
        if cause:
            self._dropped[cause] += 1
        else:
            stream.insert(frame)

    def _refusal(self, stream: CameraStream, stamp_ns: int) -> str:
        """The cause for which a frame cannot take part, empty when it can; learns from its stamp."""
        if self._is_from_before_jump(stream, stamp_ns):
            return "time_jump"
        if stream.has_seen(stamp_ns):
            return "duplicate_stamp"
        if all(other.newest_ns is None for other in self._streams.values()):
            self._start_ns = stamp_ns
        stream.measure(stamp_ns)
        return "late" if self._closed_ns is not None and stamp_ns <= self._closed_ns else ""

    def _decide(self, until_empty: bool) -> tuple[FrameSet, ...]:
        sets: list[FrameSet] = []
        while True:
            full = any(len(stream.queue) > self._queue_size for stream in self._streams.values())
            frames = self._next_trigger(waits=not (full or until_empty))
            if not frames:
                return tuple(sets)
            complete = len(frames) == len(self._streams)
            if complete or self._missing_camera == "partial":
                sets.append(FrameSet(self._sets, frames[0].stamp_ns, frames))
                self._sets += 1
                for frame in frames:
                    self._streams[frame.camera].frames_used += 1
            else:
                has_reference = frames[0].camera == self._reference
                self._dropped["missing_camera" if has_reference else "unmatched"] += len(frames)

    def _next_trigger(self, waits: bool) -> tuple[Frame, ...]:
        """Take out the frames of the oldest trigger; nothing while a camera may still deliver."""
        trigger_ns = min((stream.queue[0].stamp_ns for stream in self._streams.values() if stream.queue), default=None)
        if trigger_ns is None:
            return ()
        measured_slop_ns = self.slop_ns(GAPS_NEEDED if waits else 1)
        # Equal stamps need no measured period; any others wait for it.
        unmeasured_slop_ns = 0 if waits else self._wanted_slop_ns or UNMEASURED_SLOP_NS
        slop_ns = unmeasured_slop_ns if measured_slop_ns is None else measured_slop_ns
        frames: list[Frame] = []
        for stream in self._streams.values():
            nearest = stream.nearest(trigger_ns)
            if nearest is not None and abs(nearest.stamp_ns - trigger_ns) <= slop_ns:
                trigger_ns = trigger_ns if frames else nearest.stamp_ns
                frames.append(nearest)
            elif waits and (measured_slop_ns is None or self._may_deliver(stream, trigger_ns + slop_ns)):
                return ()
        self._close(trigger_ns, slop_ns, frames)
        return tuple(frames)

    def _close(self, trigger_ns: int, slop_ns: int, frames: Sequence[Frame]) -> None:
        unmatched = -len(frames)
        for stream in self._streams.values():
            # A trigger that the reference missed is held against nobody else.
            if self._reference in (frames[0].camera, stream.camera):
                stream.note_trigger(trigger_ns, slop_ns)
            unmatched += len(stream.remove_until(trigger_ns + slop_ns))
        self._dropped["unmatched"] += unmatched
        self._closed_ns = trigger_ns + slop_ns

    def _may_deliver(self, stream: CameraStream, stamp_ns: int) -> bool:
        """Whether a frame up to this stamp can still come."""
        if stream.newest_ns is not None and stream.newest_ns > stamp_ns + stream.reorder_ns:
            return False
        lag_ns = self._newest_ns() - self._newest_of(stream)
        return self._missing_camera == "wait" or lag_ns <= self._patience_ns(stream)

    def _patience_ns(self, stream: CameraStream) -> int:
        return max(self._queue_size // 2 * self._period_ns(), 2 * stream.period_ns)

    def _period_ns(self) -> int:
        periods = [stream.period_ns for stream in self._streams.values() if stream.period_ns]
        return min(periods, default=UNMEASURED_PERIOD_NS)

    def _newest_of(self, stream: CameraStream) -> int:
        """A camera that has not come yet counts as if it had been there at the start."""
        if stream.newest_ns is None:
            return self._start_ns
        return stream.newest_ns if stream.held is None else max(stream.newest_ns, stream.held.stamp_ns)

    def _newest_ns(self) -> int:
        return max((s.newest_ns for s in self._streams.values() if s.newest_ns is not None), default=self._start_ns)

    def _is_from_before_jump(self, stream: CameraStream, stamp_ns: int) -> bool:
        """Whether a frame is left over from a time that another camera's jump back has ended; starts such jumps.

        Stamps go back when a bag loops or a clock is set. The first camera that shows it makes all forget; what the
        others then still deliver from the future is not believed, within bounds.
        """
        if stream.old_frames_left and stamp_ns > self._newest_ns() + self._left_over_ns:
            stream.old_frames_left -= 1
            return True
        stream.old_frames_left = 0
        if stream.newest_ns is not None:
            back_ns = stream.newest_ns - stamp_ns
            if back_ns > self._queue_size * self._period_ns() or stream.has_gone_back(stamp_ns):
                self._jump(stream, back_ns)
        return False

    def _jump(self, stream: CameraStream, back_ns: int) -> None:
        """Begin again in the time that a camera's frame has gone back to."""
        period_ns = self._period_ns()
        # Half way between the two times, so that neither a camera that lags nor one that leads is taken for the other.
        self._left_over_ns = min(max(back_ns // 2, period_ns), self._queue_size * period_ns)
        self._dropped["time_jump"] += sum(len(other.queue) for other in self._streams.values())
        self._closed_ns = None
        for other in self._streams.values():
            other.begin_again()
            other.old_frames_left = 0 if other is stream else self._left_over_ns // period_ns
