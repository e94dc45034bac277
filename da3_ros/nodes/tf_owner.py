# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""One parent for every frame: an edge is published only where nobody else gives its child a parent (REP-105)."""

from __future__ import annotations

import logging

from da3_ros.nodes.tf_tree import TfTree

_log = logging.getLogger(__name__)


class TfOwner:
    """Decides edge by edge; what was refused once stays refused, as two parents in turn are the worst.

    Args:
        tf: which parents others have given.
        odom_frame: parent of all our edges.
    """

    def __init__(self, tf: TfTree, odom_frame: str) -> None:
        self._tf = tf
        self._odom_frame = odom_frame
        self._ours: set[str] = set()
        self._refused: dict[str, str] = {}
        self._cameras: dict[str, str] = {}

    @property
    def ours(self) -> frozenset[str]:
        """Child frames of the edges that we publish."""
        return frozenset(self._ours)

    @property
    def refused(self) -> dict[str, str]:
        """Parents that others have given to frames that we would have published, by child frame."""
        return dict(self._refused)

    def may_publish(self, child: str, camera: str = "") -> bool:
        """Whether the edge from the odometry frame to this frame is ours to publish; an empty name is nobody's.

        Args:
            child: the frame.
            camera: whose frame it is: of cameras that share one, only the first has it, or it would jump between
                their places. Empty for the base.
        """
        if not child or child in self._refused or self._cameras.setdefault(child, camera) != camera:
            return False
        # Before our first message, also an edge that looks like ours is another's.
        known = {self._odom_frame} if child in self._ours else set()
        others = [parent for parent in self._tf.parents(child) if parent not in known]
        if others:
            self._refused[child] = others[-1]
            self._ours.discard(child)
            _log.warning(
                "TF already has '%s' in '%s': the edge %s -> %s is not published (tf_mode 'none' is for robots whose "
                "TF is complete)",
                child,
                others[-1],
                self._odom_frame,
                child,
            )
            return False
        self._ours.add(child)
        return True
