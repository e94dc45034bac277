#!/usr/bin/env python3
# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A node that plays a folder, a video, a bag or the simulation as cameras, for replay, tests and the demo."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_ros import StaticTransformBroadcaster

from da3_ros.nodes.subscribers import wait_for_subscribers
from da3_ros.ros.camera_messages import camera_info_message
from da3_ros.ros.compressed_messages import jpeg_message
from da3_ros.ros.image_messages import rgb_message
from da3_ros.ros.log_bridge import bridged
from da3_ros.ros.parameter_schema import declare, read
from da3_ros.ros.qos import create_output, output_profile
from da3_ros.ros.source_params import SourceParams
from da3_ros.ros.stamps import header, to_ns
from da3_ros.ros.status_messages import WindowStatus
from da3_ros.ros.transform_messages import transform_message
from da3_ros.sources.source import Source, only, open_source
from da3_ros.streaming.frame import Frame

DELIVERY_TIMEOUT = Duration(seconds=5)
DEPTH = 10
PACED_SETS = 2
_log = logging.getLogger("da3_ros.nodes.image_source_node")  # also when this file is run as __main__


@dataclass(slots=True)
class _Timeline:
    """Which stamp is due when, on the steady clock.

    Attributes:
        begin_ns: stamp that is due at the making of this; 0 for the first that comes.
        speed: stamps run so many times faster than time.
    """

    begin_ns: int
    speed: float
    begin_s: float = field(default_factory=time.monotonic)

    def seconds_until(self, stamp_ns: int) -> float:
        """Time until a stamp is due, not below zero."""
        due_s = self.begin_s + (stamp_ns - self.begin_ns) * 1e-9 / self.speed
        return max(due_s - time.monotonic(), 0.0)


class ImageSourceNode(Node):
    """Publishes the frames of a source from its own thread; `finished` is set after the last.

    Attributes:
        finished: set at the end of everything.
        failure: why it ended early; empty when it did not.
    """

    def __init__(self, node_name: str = "image_source_node", **options: Any) -> None:
        """Open the source and start playing.

        Raises:
            ValueError: in one sentence, when a parameter is refused or the source cannot be opened.
        """
        super().__init__(node_name, **options)
        declare(self, SourceParams)
        self._params = read(self, SourceParams)
        self._source = _open(self._params)
        compressed = self._params.image_transport == "compressed"
        message_type, suffix = (CompressedImage, "/compressed") if compressed else (Image, "")
        self._images = {
            name: create_output(self.create_publisher, message_type, f"{name}/image_raw{suffix}", DEPTH)
            for name in self._source.cameras
        }
        self._infos = {
            name: create_output(self.create_publisher, CameraInfo, f"{name}/camera_info", DEPTH)
            for name in self._source.cameras
        }
        self._image_message = jpeg_message if compressed else rgb_message
        self._publish_rig()
        self._changed = threading.Condition()
        self._sent = self._accounted = 0
        self._done_ns = -1
        self.failure = ""
        if self._params.pace_topic:
            self.create_subscription(WindowStatus, self._params.pace_topic, self._on_status, output_profile(100))
        self.finished = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="player", daemon=True)
        self._thread.start()

    def destroy_node(self) -> None:
        """Stop playing, then destroy the node."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join()
        super().destroy_node()

    def _publish_rig(self) -> None:
        edges = self._source.static_transforms
        if not (self._params.static_tf and edges):
            return
        self._static = StaticTransformBroadcaster(self)
        self._static.sendTransform(
            [transform_message(edge.parent_from_child, header(0, edge.parent), edge.child) for edge in edges]
        )

    def _run(self) -> None:
        try:
            # Once for nothing: the first frame can take seconds (a simulated room is lit), and time begins after it.
            next(self._source.play(0), None)
            if self._params.wait_for_subscribers:
                wait_for_subscribers(self._images.values(), self._stopping)
            self._play()
            for publisher in self._images.values():
                if not self._stopping.is_set():
                    publisher.wait_for_all_acked(DELIVERY_TIMEOUT)
        except Exception as error:  # the outermost loop of this thread: whatever it was, main must hear of it
            self.failure = f"the source ended early: {error}"
            _log.error("%s", self.failure)
            _log.debug("while playing", exc_info=True)
        finally:
            self.finished.set()

    def _play(self) -> None:
        """Play the source once, or again and again."""
        keeps_stamps = self._params.stamps == "source"
        # The source's own stamps are due from the first of them on, whatever the clock says.
        begin_ns = 0 if keeps_stamps else self.get_clock().now().nanoseconds
        timeline, start_ns = _Timeline(begin_ns, self._params.speed), None if keeps_stamps else begin_ns
        while not self._stopping.is_set():
            end_ns = self._play_once(start_ns, timeline)
            if end_ns is None or not self._params.loop:
                return
            if keeps_stamps:
                timeline = _Timeline(0, self._params.speed)
            else:
                start_ns = end_ns

    def _play_once(self, start_ns: int | None, timeline: _Timeline) -> int | None:
        """Publish one pass; return when the next one begins, or None at the end of everything."""
        first_ns = before_ns = gap_ns = None
        for stamp_ns, frames in _together(self._source.play(start_ns)):
            if first_ns is None:
                first_ns = stamp_ns
                timeline.begin_ns = timeline.begin_ns or stamp_ns
            if self._stopping.wait(timeline.seconds_until(stamp_ns)):
                return None
            for frame in frames:
                self._publish(frame)
            self._wait_for_room(stamp_ns)
            gap_ns = gap_ns if before_ns is None else stamp_ns - before_ns
            before_ns = stamp_ns
            if self._params.duration_s and (stamp_ns - first_ns) * 1e-9 >= self._params.duration_s:
                return None
        return None if before_ns is None else before_ns + (gap_ns or round(1e9 / self._params.rate_hz))

    def _publish(self, frame: Frame) -> None:
        about = header(frame.stamp_ns, frame.frame_id)
        if frame.calibration is not None:
            self._infos[frame.camera].publish(camera_info_message(frame.calibration, about))
        self._images[frame.camera].publish(self._image_message(frame.image, about))
        self._sent += 1

    def _on_status(self, status: WindowStatus) -> None:
        with self._changed:
            self._accounted = status.frames_published + sum(status.drop_counts)
            self._done_ns = max(self._done_ns, to_ns(status.header.stamp))
            self._changed.notify_all()

    def _wait_for_room(self, stamp_ns: int) -> None:
        """When paced, until the window of this stamp is done or fewer than PACED_SETS sets are unaccounted for."""
        most = PACED_SETS * len(self._source.cameras)

        def is_over() -> bool:
            is_done = self._done_ns >= stamp_ns or self._sent - self._accounted < most
            return is_done or self._stopping.is_set()

        if not self._params.pace_topic:
            return
        with self._changed:
            if not self._changed.wait_for(is_over, self._params.pace_timeout_s):
                _log.warning("no window within %.0f s: playing on", self._params.pace_timeout_s)


def _open(params: SourceParams) -> Source:
    cameras = () if params.cameras == ("",) else params.cameras
    if params.source != "simulation":
        source = open_source(Path(params.source), params.rate_hz)
        return only(source, cameras) if cameras else source
    from da3_ros.sources.simulated import open_simulation

    return open_simulation(params.seed, params.rate_hz, cameras)


def _together(frames: Iterator[Frame]) -> Iterator[tuple[int, list[Frame]]]:
    """Consecutive frames of equal stamp."""
    for stamp_ns, group in groupby(frames, key=lambda frame: frame.stamp_ns):
        yield stamp_ns, list(group)


def main() -> int:
    """Play until the end of the source, or until told to stop."""
    rclpy.init()
    try:
        node = ImageSourceNode()
    except ValueError as error:
        rclpy.logging.get_logger("image_source_node").error(str(error))
        rclpy.try_shutdown()
        return 1
    try:
        with bridged(node.get_logger()):
            while rclpy.ok() and not node.finished.is_set():
                rclpy.spin_once(node, timeout_sec=0.1)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 1 if node.failure else 0


if __name__ == "__main__":
    sys.exit(main())
