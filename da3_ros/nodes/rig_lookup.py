# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the cameras sit on the robot, from TF: each is read once, when TF first places it.

Of cameras that share a frame only the first is placed: two cannot sit at one place.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from threading import Event

from da3_ros.geometry.rotation import FloatArray
from da3_ros.nodes.tf_tree import TfTree
from da3_ros.streaming.frame import Frame

LOOK_PERIOD_S = 0.02
_log = logging.getLogger(__name__)


class RigLookup:
    """Polled on the inference thread before each window; costs nothing once all cameras are found.

    Args:
        tf: where to look.
        base_frame: the base.
        cameras: names of all cameras.
        patience_s: from now; the first poll waits so long at most for what TF lacks.

    Attributes:
        has_looked: whether the first poll is over.
    """

    def __init__(self, tf: TfTree, base_frame: str, cameras: Iterable[str], patience_s: float) -> None:
        self._tf = tf
        self._base_frame = base_frame
        self._found: dict[str, FloatArray] = {}
        self._camera_of: dict[str, str] = {}  # by frame
        self._missing: dict[str, str] = dict.fromkeys(cameras, "no image has come yet")
        self._deadline_s = time.monotonic() + patience_s
        self.has_looked = False
        self._stopping = Event()

    @property
    def missing(self) -> dict[str, str]:
        """Why each camera that is not placed is not, by name; for any thread."""
        return dict(self._missing)

    def stop(self) -> None:
        """End a wait that is under way."""
        self._stopping.set()

    def poll(self, frames: Iterable[Frame]) -> dict[str, FloatArray] | None:
        """All poses known when one has come that the last poll did not have, else None.

        Not for the thread of the executor, which must bring TF in meanwhile.

        Args:
            frames: of the newest set: they tell the cameras' frames.

        Returns:
            `base_from_camera`, (4, 4) rigid, metres, by camera.
        """
        wanted = [frame for frame in frames if frame.camera in self._missing]
        news = self._look(wanted)
        if not self.has_looked:
            while self._missing.keys() & {f.camera for f in wanted} and time.monotonic() < self._deadline_s:
                if self._stopping.wait(LOOK_PERIOD_S):
                    break
                news = self._look(wanted) or news
            self.has_looked = True
            self._tell_missing(wanted)
        elif news:
            _log.info("TF now places %s on '%s'", self._named(news), self._base_frame)
        return dict(self._found) if news else None

    def _look(self, frames: Iterable[Frame]) -> list[str]:
        """Names of the cameras that are found now and were not before."""
        news = []
        for frame in frames:
            if frame.camera in self._found:
                continue
            if not frame.frame_id:
                self._missing[frame.camera] = "its images name no frame_id"
                continue
            first = self._camera_of.setdefault(frame.frame_id, frame.camera)
            if first != frame.camera:
                what = f"it shares frame '{frame.frame_id}' with camera '{first}'"
                self._missing[frame.camera] = f"{what}: give each driver its own frame_id"
                continue
            try:
                self._found[frame.camera] = self._tf.lookup(self._base_frame, frame.frame_id)
            except LookupError as error:
                self._missing[frame.camera] = f"no TF {self._base_frame} <- {frame.frame_id}: {error}"
                continue
            del self._missing[frame.camera]
            news.append(frame.camera)
        return news

    def _tell_missing(self, frames: list[Frame]) -> None:
        for frame in frames:
            if frame.camera in self._missing:
                _log.warning("camera '%s': %s", frame.camera, self._missing[frame.camera])
        if frames and not self._found:
            first = frames[0].camera
            _log.warning("TF does not place any camera on '%s': it is taken at camera '%s'", self._base_frame, first)

    def _named(self, cameras: Iterable[str]) -> str:
        return ", ".join(f"camera '{camera}'" for camera in cameras)
