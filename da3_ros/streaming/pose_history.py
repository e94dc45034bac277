# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The newest poses of something that moves, and where it was in between."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from threading import Lock

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_vector_from_matrix
from da3_ros.geometry.sim3 import rigid

MAX_GAP_NS = 200_000_000
TIME_JUMP_NS = 1_000_000_000


class PoseHistory:
    """Poses by stamp, for one thread that adds and others that ask. Between two poses it interpolates, never beyond.

    Args:
        length: poses kept.
        max_gap_ns: neighbours farther apart than this say nothing about what lies between them.
    """

    def __init__(self, length: int = 2000, max_gap_ns: int = MAX_GAP_NS) -> None:
        self._max_gap_ns = max_gap_ns
        self._stamps_ns: deque[int] = deque(maxlen=length)
        self._poses: deque[FloatArray] = deque(maxlen=length)
        self._lock = Lock()

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest pose; None before the first."""
        with self._lock:
            return self._stamps_ns[-1] if self._stamps_ns else None

    def clear(self) -> None:
        """Forget all poses."""
        with self._lock:
            self._stamps_ns.clear()
            self._poses.clear()

    def add(self, stamp_ns: int, a_from_b: FloatArray) -> None:
        """Take the next pose, (4, 4) rigid.

        One that is older than the newest is ignored; when it is a second older or more, time has jumped back and all
        others are forgotten.
        """
        with self._lock:
            newest_ns = self._stamps_ns[-1] if self._stamps_ns else stamp_ns - 1
            if stamp_ns <= newest_ns - TIME_JUMP_NS:
                self._stamps_ns.clear()
                self._poses.clear()
            elif stamp_ns <= newest_ns:
                return
            self._stamps_ns.append(stamp_ns)
            self._poses.append(a_from_b)

    def at(self, stamp_ns: int) -> FloatArray | None:
        """The pose at a stamp, (4, 4) rigid; None when no pose, or no close pair of poses, tells."""
        with self._lock:
            after = bisect_left(self._stamps_ns, stamp_ns)
            if after == len(self._stamps_ns):
                return None
            after_ns = self._stamps_ns[after]
            if after_ns == stamp_ns:
                return self._poses[after]
            before_ns = self._stamps_ns[after - 1] if after else after_ns - self._max_gap_ns - 1
            if after_ns - before_ns > self._max_gap_ns:
                return None
            before, pose = self._poses[after - 1], self._poses[after]
        return interpolated(before, pose, (stamp_ns - before_ns) / (after_ns - before_ns))


def interpolated(a_from_b: FloatArray, a_from_c: FloatArray, share: float) -> FloatArray:
    """The rigid (4, 4) pose that lies this share of the way from b to c, turning at a constant rate about one axis."""
    turn = rotation_vector_from_matrix(a_from_b[:3, :3].T @ a_from_c[:3, :3])
    shift = (1 - share) * a_from_b[:3, 3] + share * a_from_c[:3, 3]
    return rigid(a_from_b[:3, :3] @ matrix_from_rotation_vector(share * turn), shift)
