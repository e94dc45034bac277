# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The transform tree over time: frames in, and the transform between any two of them at any time out.

Each known frame has at most one parent, kept in one cache per child. A look-up walks both frames up to their
common ancestor, so frames above it cost neither time nor precision. One lock guards the tree; nothing is called
while it is held.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.time import Time

from tf2_py.exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)
from tf2_py.rigid_transform import IDENTITY, RigidTransform
from tf2_py.stamps import NS_PER_S, to_ns, to_text
from tf2_py.transform_cache import LATEST_NS, Edge, MovingCache, StaticCache
from tf2_py.transform_message import frame_ids, reason_to_reject, to_rigid_transform, to_transform_message

DEFAULT_CACHE_TIME = Duration(seconds=10)
WARNING_PERIOD_S = 1.0  # a faulty publisher repeats itself at its own rate


@dataclass(frozen=True, slots=True)
class Path:
    """The children whose edges lead from two frames up to their common ancestor, and the time to read them at."""

    stamp_ns: int
    source_leg: Sequence[str]
    target_leg: Sequence[str]


class BufferCore:
    """Stores transforms for ``cache_time`` and answers look-ups; safe to use from many threads."""

    def __init__(self, cache_time: Duration = DEFAULT_CACHE_TIME) -> None:
        self._span_ns = to_ns(cache_time)
        self._lock = threading.Lock()
        self._caches: dict[str, MovingCache | StaticCache] = {}
        self._authorities: dict[str, str] = {}
        self._known_frames: dict[str, None] = {}  # an ordered set: children and parents as first seen

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Store where a moving frame was; what cannot be right is logged and ignored."""
        self._store(transform, authority, MovingCache)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Store where a frame always is."""
        self._store(transform, authority, StaticCache)

    def clear(self) -> None:
        """Forget all motion. Frames stay known and static transforms stay true."""
        with self._lock:
            for cache in self._caches.values():
                cache.clear()

    def lookup_transform_core(self, target_frame: str, source_frame: str, time: Time) -> TransformStamped:
        """``target_from_source`` at a time; time zero means the newest time that all edges between them cover.

        Raises:
            InvalidArgumentException: a frame id is empty or starts with a slash.
            LookupException: a frame is unknown, or the tree has a loop.
            ConnectivityException: no path joins the frames.
            ExtrapolationException: an edge between them has no data at that time.
        """
        with self._lock:
            path = self._find_path(target_frame, source_frame, to_ns(time))
            target_from_source = self._follow(path)
        return to_transform_message(target_frame, source_frame, path.stamp_ns, target_from_source)

    def lookup_transform_full_core(
        self, target_frame: str, target_time: Time, source_frame: str, source_time: Time, fixed_frame: str
    ) -> TransformStamped:
        """``target_from_source`` between two times, by way of a frame that did not move between them.

        Raises:
            TransformException: as ``lookup_transform_core``.
        """
        with self._lock:
            to_target, to_source = self._find_both_paths(
                target_frame, to_ns(target_time), source_frame, to_ns(source_time), fixed_frame
            )
            target_from_source = self._follow(to_target) @ self._follow(to_source)
        return to_transform_message(target_frame, source_frame, to_target.stamp_ns, target_from_source)

    def can_transform_core(self, target_frame: str, source_frame: str, time: Time) -> tuple[bool, str]:
        """Whether ``lookup_transform_core`` would answer, and why not."""
        stamp_ns = to_ns(time)
        try:
            with self._lock:
                self._find_path(target_frame, source_frame, stamp_ns)
        except TransformException as error:
            return False, str(error)
        return True, ""

    def can_transform_full_core(
        self, target_frame: str, target_time: Time, source_frame: str, source_time: Time, fixed_frame: str
    ) -> tuple[bool, str]:
        """Whether ``lookup_transform_full_core`` would answer, and why not."""
        target_ns, source_ns = to_ns(target_time), to_ns(source_time)
        try:
            with self._lock:
                self._find_both_paths(target_frame, target_ns, source_frame, source_ns, fixed_frame)
        except TransformException as error:
            return False, str(error)
        return True, ""

    def get_latest_common_time(self, target_frame: str, source_frame: str) -> Time:
        """The newest time that all edges between two frames cover; zero when all of them are static.

        Raises:
            TransformException: as ``lookup_transform_core``.
        """
        with self._lock:
            for frame in (target_frame, source_frame):
                self._require_known(frame)
            return Time(nanoseconds=self._find_path(target_frame, source_frame, LATEST_NS).stamp_ns)

    def all_frames_as_string(self) -> str:
        """One line per frame that has a parent."""
        with self._lock:
            return "".join(f"Frame {child} exists with parent {parent}.\n" for child, parent, _ in self._edges_now())

    def all_frames_as_yaml(self) -> str:
        """Parent, source, rate and time span of every frame that has data."""
        with self._lock:
            return "".join(map(self._frame_as_yaml, self._edges_now())) or "[]"

    def _frameExists(self, frame_id: str) -> bool:
        with self._lock:
            return frame_id in self._known_frames

    def _getFrameStrings(self) -> list[str]:
        with self._lock:
            return list(self._known_frames)

    def _store(self, message: TransformStamped, authority: str, kind: type[MovingCache | StaticCache]) -> None:
        stamp_ns = to_ns(message.header.stamp)
        parent, child = frame_ids(message)
        reason = reason_to_reject(message)
        if reason is None:
            edge = Edge(parent, to_rigid_transform(message))
            with self._lock:
                if self._insert(child, stamp_ns, edge, kind):
                    self._authorities[child] = authority
                    return
            reason = f"its time {to_text(stamp_ns)} lies before the time span that is kept; did a clock jump back?"
        get_logger("tf2").warning(
            f'Ignored the transform of "{child}" in "{parent}" from "{authority}": {reason}',
            throttle_duration_sec=WARNING_PERIOD_S,
        )

    def _insert(self, child: str, stamp_ns: int, edge: Edge, kind: type[MovingCache | StaticCache]) -> bool:
        cache = self._caches.get(child)
        if not isinstance(cache, kind):  # a frame that turns static, or starts to move, starts anew
            cache = StaticCache() if kind is StaticCache else MovingCache(self._span_ns)
            self._caches[child] = cache
        self._known_frames[child] = self._known_frames[edge.parent] = None
        return cache.insert(stamp_ns, edge)

    def _find_both_paths(
        self, target_frame: str, target_ns: int, source_frame: str, source_ns: int, fixed_frame: str
    ) -> tuple[Path, Path]:
        for frame in (target_frame, source_frame, fixed_frame):
            self._require_known(frame)
        to_source = self._find_path(fixed_frame, source_frame, source_ns)
        return self._find_path(target_frame, fixed_frame, target_ns), to_source

    def _find_path(self, target_frame: str, source_frame: str, stamp_ns: int) -> Path:
        if target_frame == source_frame:  # upstream answers this for frames it has never heard of, too
            cache = self._caches.get(target_frame)
            return Path(cache.latest_ns if cache and stamp_ns == LATEST_NS else stamp_ns, (), ())
        self._require_known(target_frame)
        self._require_known(source_frame)
        if stamp_ns == LATEST_NS:
            stamp_ns = self._latest_common_ns(target_frame, source_frame)
        source_line, source_gap = self._ancestry(source_frame, stamp_ns)
        target_line, target_gap = self._ancestry(target_frame, stamp_ns)
        legs = _legs_to_common_ancestor(source_line, target_line)
        if legs is None:
            gap = target_gap or source_gap
            if gap is None:
                raise _unconnected(target_frame, source_frame)
            raise ExtrapolationException(f'{gap}, on the way from "{source_frame}" to "{target_frame}"')
        return Path(stamp_ns, *legs)

    def _latest_common_ns(self, target_frame: str, source_frame: str) -> int:
        source_line, _ = self._ancestry(source_frame, LATEST_NS)
        target_line, _ = self._ancestry(target_frame, LATEST_NS)
        legs = _legs_to_common_ancestor(source_line, target_line)
        if legs is None:
            raise _unconnected(target_frame, source_frame)
        newest_ns = (self._caches[child].latest_ns for leg in legs for child in leg)
        return min(filter(None, newest_ns), default=LATEST_NS)  # static edges, at zero, set no limit

    def _ancestry(self, frame: str, stamp_ns: int) -> tuple[list[str], ExtrapolationException | None]:
        """The frame and its ancestors at a time, up to the root or to the first gap in the data."""
        line = [frame]
        while (cache := self._caches.get(line[-1])) is not None:
            if len(line) > len(self._known_frames):
                raise LookupException(f'the tree has a loop above "{frame}": {" -> ".join(dict.fromkeys(line))}')
            try:
                line.append(cache.parent_at(stamp_ns))
            except ExtrapolationException as gap:
                return line, gap
        return line, None

    def _follow(self, path: Path) -> RigidTransform:
        ancestor_from_source = self._climb(path.source_leg, path.stamp_ns)
        if not path.target_leg:
            return ancestor_from_source
        return self._climb(path.target_leg, path.stamp_ns).inverse() @ ancestor_from_source

    def _climb(self, leg: Sequence[str], stamp_ns: int) -> RigidTransform:
        if not leg:
            return IDENTITY
        ancestor_from_first = self._caches[leg[0]].transform_at(stamp_ns)
        for child in leg[1:]:
            ancestor_from_first = self._caches[child].transform_at(stamp_ns) @ ancestor_from_first
        return ancestor_from_first

    def _require_known(self, frame: Any) -> None:
        if not isinstance(frame, str):
            raise TypeError(f"a frame id is a string, not {type(frame).__name__}")
        if not frame or frame.startswith("/"):
            raise InvalidArgumentException(f'"{frame}" is no frame id: it must not be empty or start with a slash')
        if frame not in self._known_frames:
            raise LookupException(f'frame "{frame}" does not exist: nobody has published it')

    def _edges_now(self) -> Iterator[tuple[str, str, MovingCache | StaticCache]]:
        for child, cache in self._caches.items():
            if len(cache):
                yield child, cache.parent_at(LATEST_NS), cache

    def _frame_as_yaml(self, edge: tuple[str, str, MovingCache | StaticCache]) -> str:
        child, parent, cache = edge
        span_s = (cache.latest_ns - cache.oldest_ns) / NS_PER_S
        return (
            f"{child}: \n"
            f"  parent: '{parent}'\n"
            f"  broadcaster: '{self._authorities[child]}'\n"
            f"  rate: {len(cache) / max(span_s, 1e-4):.3f}\n"
            f"  most_recent_transform: {to_text(cache.latest_ns)}\n"
            f"  oldest_transform: {to_text(cache.oldest_ns)}\n"
            f"  buffer_length: {span_s:.3f}\n"
        )


def _legs_to_common_ancestor(
    source_line: Sequence[str], target_line: Sequence[str]
) -> tuple[Sequence[str], Sequence[str]] | None:
    height_above_source = {frame: height for height, frame in enumerate(source_line)}
    for height, frame in enumerate(target_line):
        if frame in height_above_source:
            return source_line[: height_above_source[frame]], target_line[:height]
    return None


def _unconnected(target_frame: str, source_frame: str) -> ConnectivityException:
    return ConnectivityException(
        f'"{target_frame}" and "{source_frame}" are not part of the same tree: no chain of transforms joins them'
    )
