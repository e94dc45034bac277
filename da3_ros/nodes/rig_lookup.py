# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the cameras sit on the robot, from TF."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import Buffer, TransformException, TransformListener

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import FloatArray
from da3_ros.ros.transform_messages import transform_to_matrix
from da3_ros.streaming.frame import Frame

_log = logging.getLogger(__name__)


class RigLookup:
    """Listens to TF from its making until `destroy`.

    Args:
        node: whose executor brings TF in.
        patience_s: from now; who asks earlier waits so long for what is missing.
    """

    def __init__(self, node: Node, patience_s: float) -> None:
        # Without the node's clock: a wait must end even when simulated time stands still.
        self._buffer = Buffer()
        self._listener = TransformListener(self._buffer, node)
        self._listens = True
        self._deadline_s = time.monotonic() + patience_s

    def destroy(self) -> None:
        """Stop listening; a second call does nothing."""
        if self._listens:
            self._listener.unregister()
        self._listens = False

    def base_from_camera(self, base_frame: str, frames: Iterable[Frame]) -> dict[str, FloatArray]:
        """Poses of cameras on the base; a camera that TF does not know in time is left out and named.

        Not for the thread of the executor, which must bring TF in meanwhile.

        Args:
            base_frame: the base.
            frames: one per camera.
        """
        found: dict[str, FloatArray] = {}
        for frame in frames:
            left = Duration(nanoseconds=round(max(self._deadline_s - time.monotonic(), 0.0) * 1e9))
            try:
                transform = self._buffer.lookup_transform(base_frame, frame.frame_id, Time(), left).transform
                found[frame.camera] = transform_to_matrix(transform)
            except (TransformException, DegenerateGeometryError) as error:
                _log.warning("camera '%s': no TF %s <- %s: %s", frame.camera, base_frame, frame.frame_id, error)
        return found
