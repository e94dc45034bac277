# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""rosbag2 recordings (mcap or sqlite3), read without ROS: images, calibrations and the rig's static transforms."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.highlevel import AnyReader, AnyReaderError

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import DegenerateGeometryError, FrameError
from da3_ros.geometry.rotation import FloatArray, matrix_from_quat_xyzw
from da3_ros.geometry.sim3 import rigid
from da3_ros.ros import compressed_messages, image_messages
from da3_ros.ros.camera_messages import to_camera
from da3_ros.sources.bag_messages import bag_reader, messages, unreadable
from da3_ros.sources.source import Source, SourceError, StaticTransform
from da3_ros.streaming.frame import Frame

_IMAGE, _COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
_INFO, _TRANSFORMS = "sensor_msgs/msg/CameraInfo", "tf2_msgs/msg/TFMessage"
_RECTIFIED = re.compile(r"/image\w*_rect\w*(/compressed)?$")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BagCamera:
    """One camera of a bag: its name, its topics, and how many images it has."""

    name: str
    image_topic: str
    info_topic: str
    image_count: int

    @property
    def is_rectified(self) -> bool:
        """Whether the topic says that its images have no distortion any more, as `image_rect` does."""
        return _RECTIFIED.search(self.image_topic) is not None


def open_bag(path: Path) -> Source:
    """All colour cameras of a bag; a camera is named after its namespace.

    Raises:
        SourceError: when the bag cannot be read or has no colour images.
    """
    try:
        with bag_reader(path) as reader:
            cameras = bag_cameras(reader)
            static = _static_transforms(reader)
    except (AnyReaderError, OSError) as error:
        raise SourceError(unreadable(path, error)) from error
    if not cameras:
        raise SourceError(f"the bag '{path}' has no colour images (sensor_msgs Image or CompressedImage)")
    names, count = tuple(camera.name for camera in cameras), sum(camera.image_count for camera in cameras)
    return Source(names, count, lambda start_ns: _play(path, cameras, start_ns), static)


def bag_cameras(reader: AnyReader) -> tuple[BagCamera, ...]:
    """Cameras in name order; a raw stream is preferred to a compressed one of the same camera."""
    found: dict[str, BagCamera] = {}
    connections = [c for c in reader.connections if c.msgtype in (_IMAGE, _COMPRESSED) and c.msgcount]
    for connection in sorted(connections, key=lambda c: (c.msgtype != _IMAGE, c.topic)):
        parts = [part for part in connection.topic.split("/") if part]
        while parts and (parts[-1] == "compressed" or parts[-1].startswith("image")):
            parts.pop()
        name = "_".join(parts) or "camera"
        if name in found or not _is_colour(reader, connection):
            continue
        info_topic = "/" + "/".join([*parts, "camera_info"])
        found[name] = BagCamera(name, connection.topic, info_topic, connection.msgcount)
    return tuple(found[name] for name in sorted(found))


def _is_colour(reader: AnyReader, connection: Any) -> bool:
    """Whether the first image can be read as colour: depth and unknown encodings cannot."""
    for _, _, message in messages(reader, [connection]):
        try:
            decode_image(message)
        except FrameError as error:
            _log.info("bag topic %s is not used: %s", connection.topic, error)
            return False
        return True
    return False


def decode_image(message: Any) -> Any:
    """(H, W, 3) uint8 RGB of a raw or compressed image message."""
    adapter = image_messages if message.__msgtype__ == _IMAGE else compressed_messages
    return adapter.to_array(message)


def _static_transforms(reader: AnyReader) -> tuple[StaticTransform, ...]:
    """All that is on /tf_static, the newest of each child: from camera to base the way may lead over many frames."""
    edges: dict[str, StaticTransform] = {}
    connections = [c for c in reader.connections if c.topic == "/tf_static" and c.msgtype == _TRANSFORMS]
    for _, _, message in messages(reader, connections):
        for edge in message.transforms:
            parent, child = edge.header.frame_id.lstrip("/"), edge.child_frame_id.lstrip("/")
            try:
                edges[child] = StaticTransform(parent, child, _matrix(edge.transform))
            except DegenerateGeometryError as error:
                _log.warning("the static transform of '%s' in the bag was left out: %s", child, error)
    return tuple(edges.values())


def _matrix(transform: Any) -> FloatArray:
    turn, shift = transform.rotation, transform.translation
    pose = rigid(matrix_from_quat_xyzw((turn.x, turn.y, turn.z, turn.w)), (shift.x, shift.y, shift.z))
    if not np.isfinite(pose).all():
        raise DegenerateGeometryError("its translation is not finite")
    return pose


def _play(path: Path, cameras: tuple[BagCamera, ...], start_ns: int | None) -> Iterator[Frame]:
    by_topic = {camera.image_topic: camera for camera in cameras}
    shift_ns: int | None = 0 if start_ns is None else None
    calibrations: dict[str, PinholeCamera | None] = {}
    with bag_reader(path) as reader:
        connections = [c for c in reader.connections if c.topic in by_topic]
        for topic, _, message in messages(reader, connections):
            camera = by_topic[topic]
            stamp_ns = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
            if shift_ns is None:
                shift_ns = (start_ns or 0) - stamp_ns
            try:
                image = decode_image(message)
                if camera.name not in calibrations:
                    calibrations[camera.name] = first_calibration(reader, camera, image.shape[:2])
                _check_size(image.shape, calibrations[camera.name])
            except FrameError as error:
                _log.warning("an image of %s was left out: %s", camera.name, error)
                continue
            frame_id = message.header.frame_id
            yield Frame(camera.name, stamp_ns + shift_ns, frame_id, image, calibrations[camera.name])


def _check_size(shape: tuple[int, ...], calibration: PinholeCamera | None) -> None:
    if calibration is not None and calibration.size != shape[:2]:
        (height, width), (h, w) = shape[:2], calibration.size
        raise FrameError("size_changed", f"it has {width}x{height} pixels, its calibration is for {w}x{h}")


def first_calibration(reader: AnyReader, camera: BagCamera, size: tuple[int, int]) -> PinholeCamera | None:
    """A camera's first valid calibration for images of (H, W); calibrations do not change while driving."""
    connections = [c for c in reader.connections if c.topic == camera.info_topic and c.msgtype == _INFO]
    for _, _, info in messages(reader, connections):
        try:
            return to_camera(_of_rectified(info) if camera.is_rectified else info, size)
        except FrameError as error:
            _log.warning("a calibration on %s was left out: %s", camera.info_topic, error)
    return None


def _of_rectified(info: Any) -> Any:
    """The calibration of rectified images: P without its last column, or K where there is no P, and no distortion."""
    projection = np.asarray(info.p, dtype=np.float64).reshape(3, 4)[:, :3]
    k = projection.ravel() if projection[0, 0] else info.k
    return replace(info, k=k, d=np.zeros(0), distortion_model="none")
