# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The robot's transforms as they come in, and which frame hangs from which."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.time import Time
from tf2_msgs.msg import TFMessage
from tf2_ros import Buffer, TransformException, TransformListener

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import FloatArray
from da3_ros.ros.stamps import to_ns
from da3_ros.ros.transform_messages import transform_to_matrix

TIME_JUMP_NS = 2_000_000_000


class TfTree:
    """Listens to TF from its making until `destroy`. Look-ups never wait, and are for any thread.

    Args:
        node: whose executor brings TF in; `destroy` belongs to that thread too.
    """

    def __init__(self, node: Node) -> None:
        # Without the node's clock, which clears the buffer only in simulated time: a bag that begins again can come
        # without a clock, so the stamps themselves tell.
        self._buffer = Buffer()
        self._parents: dict[str, tuple[str, ...]] = {}
        self._newest_ns: dict[str, int] = {}
        self._listener = _Listener(self._buffer, node, self)
        self._listens = True

    def destroy(self) -> None:
        """Stop listening; what is known stays. A second call does nothing."""
        if self._listens:
            self._listener.unregister()
        self._listens = False

    def lookup(self, target: str, source: str, stamp_ns: int = 0) -> FloatArray:
        """`target_from_source`, (4, 4) rigid, at a stamp; the newest when the stamp is 0.

        Raises:
            LookupError: when TF does not know; the text says why.
        """
        return self.newest(target, source)[1] if not stamp_ns else self._lookup(target, source, stamp_ns)[1]

    def newest(self, target: str, source: str) -> tuple[int, FloatArray]:
        """The newest stamp at which `target_from_source` is known, 0 when nothing between them moves, and that pose.

        Raises:
            LookupError: when TF does not know; the text says why.
        """
        return self._lookup(target, source, 0)

    def parents(self, frame: str) -> tuple[str, ...]:
        """All frames from which this one was said to hang so far, the first one first."""
        return self._parents.get(frame, ())

    def frames_between(self, one: str, other: str) -> frozenset[str]:
        """The frames whose edges to their parents lie on the way from one frame to another; empty without a way."""
        up, down = self._ancestry(one), self._ancestry(other)
        return frozenset(up) ^ frozenset(down) if up[-1] == down[-1] else frozenset()

    def _ancestry(self, frame: str) -> list[str]:
        """The frame, its parent and so on up to the root."""
        chain = [frame]
        while (parents := self._parents.get(chain[-1])) and parents[-1] not in chain:
            chain.append(parents[-1])
        return chain

    def _lookup(self, target: str, source: str, stamp_ns: int) -> tuple[int, FloatArray]:
        try:
            found = self._buffer.lookup_transform(target, source, Time(nanoseconds=stamp_ns))
            return to_ns(found.header.stamp), transform_to_matrix(found.transform)
        except (TransformException, DegenerateGeometryError) as error:
            raise LookupError(str(error)) from error

    def note(self, message: TFMessage, is_static: bool) -> None:
        """Note parents, and forget all motion when time has jumped back; for the listener."""
        for edge in message.transforms:
            child, parent = edge.child_frame_id.lstrip("/"), edge.header.frame_id.lstrip("/")
            known = self._parents.get(child, ())
            if known[-1:] != (parent,):
                # The newest parent is the last one, as it is for the buffer.
                self._parents[child] = (*(other for other in known if other != parent), parent)
            if is_static:
                continue
            stamp_ns = to_ns(edge.header.stamp)
            if stamp_ns < self._newest_ns.get(child, stamp_ns) - TIME_JUMP_NS:
                self._buffer.clear()
                self._newest_ns.clear()
            self._newest_ns[child] = max(stamp_ns, self._newest_ns.get(child, stamp_ns))


class _Listener(TransformListener):
    def __init__(self, buffer: Buffer, node: Node, tree: TfTree) -> None:
        self._tree = tree
        super().__init__(buffer, node)

    def callback(self, data: TFMessage) -> None:
        self._tree.note(data, is_static=False)
        super().callback(data)

    def static_callback(self, data: TFMessage) -> None:
        self._tree.note(data, is_static=True)
        super().static_callback(data)
