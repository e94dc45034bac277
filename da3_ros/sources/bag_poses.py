# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the frames of a recording are, by its /tf and /tf_static, at any instant between two transforms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rosbags.highlevel import AnyReader

from da3_ros.evaluation.datasets import DatasetError
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import (
    FloatArray,
    matrix_from_quat_xyzw,
    matrix_from_rotation_vector,
    rotation_vector_from_matrix,
)
from da3_ros.geometry.sim3 import rigid
from da3_ros.sources.bag_messages import messages

_TRANSFORMS = "tf2_msgs/msg/TFMessage"
_MAX_GAP_NS = 500_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """A frame in its parent.

    Attributes:
        parent: frame.
        stamps_ns: (N,) ascending; None when the transform never changes.
        parent_from_child: (N, 4, 4) rigid; N is 1 when it never changes.
    """

    parent: str
    stamps_ns: npt.NDArray[np.int64] | None
    parent_from_child: FloatArray

    def at(self, stamp_ns: int) -> FloatArray | None:
        """(4, 4), between two transforms on the straight way; None before, after, and in gaps above half a second."""
        if self.stamps_ns is None:
            return self.parent_from_child[0]
        after = int(np.searchsorted(self.stamps_ns, stamp_ns))
        if after < len(self.stamps_ns) and self.stamps_ns[after] == stamp_ns:
            return self.parent_from_child[after]
        if not 0 < after < len(self.stamps_ns):
            return None
        begin, end = int(self.stamps_ns[after - 1]), int(self.stamps_ns[after])
        if end - begin > _MAX_GAP_NS:
            return None
        share = (stamp_ns - begin) / (end - begin)
        one, other = self.parent_from_child[after - 1], self.parent_from_child[after]
        turn = rotation_vector_from_matrix(one[:3, :3].T @ other[:3, :3])
        shift = (1 - share) * one[:3, 3] + share * other[:3, 3]
        return rigid(one[:3, :3] @ matrix_from_rotation_vector(share * turn), shift)


@dataclass(frozen=True, slots=True, eq=False)
class BagPoses:
    """The tree of frames; each child has one parent.

    Attributes:
        edges: of children whose transforms can be used, by child.
        faults: why those of a child cannot, by child.
    """

    edges: Mapping[str, Edge]
    faults: Mapping[str, str]

    def world_from(self, frame: str, stamp_ns: int) -> FloatArray | None:
        """(4, 4) from a frame to the root of its tree; None when not known, or when no transform of it ever changes.

        Raises:
            DatasetError: when a transform on the way to the root is not finite or has no rotation.
        """
        pose, moves, seen = np.eye(4), False, {frame}
        while (edge := self._edge(frame)) is not None:
            step = edge.at(stamp_ns)
            if step is None or edge.parent in seen:
                return None
            pose, moves = step @ pose, moves or edge.stamps_ns is not None
            frame = edge.parent
            seen.add(frame)
        return pose if moves else None

    def _edge(self, child: str) -> Edge | None:
        if child in self.faults:
            raise DatasetError(self.faults[child])
        return self.edges.get(child)


def read_poses(reader: AnyReader) -> BagPoses:
    """All transforms of an open bag; those that are not rigid are kept as faults of their child."""
    found: dict[str, list[tuple[int, str, FloatArray]]] = {}
    faults: dict[str, str] = {}
    fixed: set[str] = set()
    connections = [c for c in reader.connections if c.msgtype == _TRANSFORMS]
    for topic, _, message in messages(reader, connections):
        for edge in message.transforms:
            child = edge.child_frame_id.lstrip("/")
            stamp_ns = int(edge.header.stamp.sec) * 1_000_000_000 + int(edge.header.stamp.nanosec)
            try:
                found.setdefault(child, []).append((stamp_ns, edge.header.frame_id.lstrip("/"), _matrix(edge)))
            except DatasetError as error:
                faults[child] = str(error)
            if topic.endswith("tf_static"):
                fixed.add(child)
    edges = {child: _edge(rows, child in fixed) for child, rows in found.items() if child not in faults}
    return BagPoses(edges, faults)


def _edge(rows: list[tuple[int, str, FloatArray]], is_fixed: bool) -> Edge:
    if is_fixed:
        return Edge(rows[-1][1], None, rows[-1][2][None])
    by_stamp = {stamp_ns: matrix for stamp_ns, _, matrix in rows}
    stamps_ns = sorted(by_stamp)
    return Edge(rows[-1][1], np.array(stamps_ns), np.stack([by_stamp[stamp_ns] for stamp_ns in stamps_ns]))


def _matrix(edge: Any) -> FloatArray:
    turn, shift = edge.transform.rotation, edge.transform.translation
    try:
        pose = rigid(matrix_from_quat_xyzw((turn.x, turn.y, turn.z, turn.w)), (shift.x, shift.y, shift.z))
    except DegenerateGeometryError as error:
        raise DatasetError(f"the transform of '{edge.child_frame_id}': {error}") from error
    if not np.isfinite(pose).all():
        raise DatasetError(f"a transform of '{edge.child_frame_id}' holds a NaN or infinity: it cannot be the truth")
    return pose
