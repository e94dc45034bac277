# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""rosbag2 recordings as sequences with known poses: what /tf says is taken as the truth.

The world is the root of the tree of frames. A depth image belongs to a camera when it is in the camera's own optical
frame (which depth registered to colour is) and within 20 ms: 16UC1 millimetres, 32FC1 metres, or compressedDepth of
the former. Images are read when asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from rosbags.highlevel import AnyReader, AnyReaderError

from da3_ros.evaluation.datasets import DatasetError
from da3_ros.evaluation.known_frames import Image, KnownSequence
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import FrameError
from da3_ros.geometry.rotation import FloatArray
from da3_ros.sources.bag import BagCamera, bag_cameras, decode_image, first_calibration
from da3_ros.sources.bag_messages import bag_place, bag_reader, messages, unreadable
from da3_ros.sources.bag_poses import BagPoses, read_poses

_IMAGE, _COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
_DEPTH_ENCODINGS = ("16UC1", "32FC1", "mono16")
_COMPRESSED_DEPTH_HEADER = 12  # bytes before the PNG
_MAX_DIFFERENCE_NS = 20_000_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BagMessage:
    """Where one message lies.

    Attributes:
        bag: its folder, or its only file.
        topic: it was published on.
        received_ns: when it was written.
        stamp_ns: of its header.
    """

    bag: Path
    topic: str
    received_ns: int
    stamp_ns: int

    def read(self) -> Any:
        """The message.

        Raises:
            DatasetError: when it is not there any more, or damaged.
        """
        try:
            with bag_reader(self.bag) as reader:
                connections = [c for c in reader.connections if c.topic == self.topic]
                for _, _, message in messages(reader, connections, self.received_ns, self.received_ns + 1):
                    if _stamp_ns(message) == self.stamp_ns:
                        return message
        except (AnyReaderError, OSError) as error:
            raise DatasetError(unreadable(self.bag, error)) from error
        raise DatasetError(
            f"{self.bag} has no whole message on {self.topic} at {self.stamp_ns} ns any more: read it again"
        )


@dataclass(frozen=True, slots=True, eq=False)
class BagFrame:
    """A `KnownFrame` of a bag.

    Attributes:
        name: camera and stamp.
        calibration: of the camera.
        world_from_camera: (4, 4) rigid, metres, at the image's stamp.
        image_message: where the image lies.
        depth_message: where its depth lies, None without.
    """

    name: str
    calibration: PinholeCamera
    world_from_camera: FloatArray
    image_message: BagMessage
    depth_message: BagMessage | None

    @property
    def has_depth(self) -> bool:
        """Whether there is a depth image."""
        return self.depth_message is not None

    def read_image(self) -> Image:
        """See `KnownFrame.read_image`."""
        try:
            return np.asarray(decode_image(self.image_message.read()), dtype=np.uint8)
        except FrameError as error:
            raise DatasetError(f"{self.name}: {error}") from error

    def read_depth(self) -> npt.NDArray[np.float32] | None:
        """See `KnownFrame.read_depth`."""
        return None if self.depth_message is None else _decoded_depth(self.depth_message.read(), self.name)


def load_bag_sequences(path: Path) -> tuple[KnownSequence, ...]:
    """The colour cameras of a bag, each as a sequence of the images whose pose is known.

    Cameras without a calibration or without poses are left out with a warning: a bag holds images of many origins.

    Raises:
        DatasetError: when the bag cannot be read, has no colour images, or none of its cameras can be used.
    """
    bag = bag_place(path)
    known: dict[str, tuple[BagFrame, ...]] = {}
    refusals: dict[str, str] = {}
    try:
        with bag_reader(bag) as reader:
            poses, depths = read_poses(reader), list(_depth_messages(reader, bag))
            for camera in bag_cameras(reader):
                try:
                    known[camera.name] = tuple(_frames(reader, bag, camera, poses, depths))
                except DatasetError as error:
                    refusals[camera.name] = str(error)
    except (AnyReaderError, OSError) as error:
        raise DatasetError(unreadable(path, error)) from error
    if not known:
        reasons = "; ".join(refusals.values()) or "it has no colour images (sensor_msgs Image or CompressedImage)"
        raise DatasetError(f"nothing of the bag {path} can be used: {reasons}")
    for camera_name, reason in refusals.items():
        _log.warning("camera %s of the bag %s is left out: %s", camera_name, path, reason)
    name = bag.resolve().stem if bag.is_file() else bag.resolve().name
    return tuple(
        KnownSequence(name if len(known) == 1 else f"{name}/{camera}", "bag", frames)
        for camera, frames in known.items()
    )


def _frames(
    reader: AnyReader, bag: Path, camera: BagCamera, poses: BagPoses, depths: list[tuple[str, BagMessage]]
) -> Iterator[BagFrame]:
    calibration: PinholeCamera | None = None
    frame_id, found = "", 0
    connections = [c for c in reader.connections if c.topic == camera.image_topic]
    for _, received_ns, message in messages(reader, connections):
        frame_id, stamp_ns = message.header.frame_id, _stamp_ns(message)
        if calibration is None:
            calibration = first_calibration(reader, camera, decode_image(message).shape[:2])
            if calibration is None:
                raise DatasetError(f"{camera.name} has no calibration: record {camera.info_topic}")
        pose = poses.world_from(frame_id.lstrip("/"), stamp_ns)
        if pose is None:
            continue
        found += 1
        depth = _depth_at(stamp_ns, [depth for its_frame, depth in depths if its_frame == frame_id])
        image = BagMessage(bag, camera.image_topic, received_ns, stamp_ns)
        yield BagFrame(f"{camera.name} at {stamp_ns * 1e-9:.3f} s", calibration, pose, image, depth)
    if not found:
        raise DatasetError(
            f"/tf and /tf_static do not say where '{frame_id}' is when {camera.name} takes its images: record them"
        )


def _depth_at(stamp_ns: int, depths: list[BagMessage]) -> BagMessage | None:
    nearest = min(depths, key=lambda one: abs(one.stamp_ns - stamp_ns), default=None)
    return None if nearest is None or abs(nearest.stamp_ns - stamp_ns) > _MAX_DIFFERENCE_NS else nearest


def _depth_messages(reader: AnyReader, bag: Path) -> Iterator[tuple[str, BagMessage]]:
    """Frame and place of all depth images."""
    connections = [c for c in reader.connections if c.msgtype in (_IMAGE, _COMPRESSED)]
    for connection in connections:
        for topic, received_ns, message in messages(reader, [connection]):
            if not _is_depth(message):
                break
            place = BagMessage(bag, topic, received_ns, _stamp_ns(message))
            yield message.header.frame_id, place


def _is_depth(message: Any) -> bool:
    if message.__msgtype__ == _COMPRESSED:
        return "compresseddepth" in message.format.lower()
    return message.encoding in _DEPTH_ENCODINGS


def _decoded_depth(message: Any, name: str) -> npt.NDArray[np.float32]:
    """(H, W) float32 metres, NaN where unknown."""
    if message.__msgtype__ == _COMPRESSED:
        encoded = np.frombuffer(bytes(message.data)[_COMPRESSED_DEPTH_HEADER:], np.uint8)
        raw = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None
        if raw is None or raw.dtype != np.uint16 or raw.ndim != 2:
            raise DatasetError(f"{name}: its compressed depth is no 16-bit PNG: record raw depth")
    else:
        kind = np.dtype(np.float32 if message.encoding == "32FC1" else np.uint16)
        kind = kind.newbyteorder(">" if message.is_bigendian else "<")
        if len(message.data) < message.step * message.height or message.step < message.width * kind.itemsize:
            raise DatasetError(f"{name}: its depth image has {len(message.data)} bytes, too few for its size")
        shape, strides = (message.height, message.width), (message.step, kind.itemsize)
        raw = np.ndarray(shape, kind, bytes(message.data), strides=strides)
    metres = raw.astype(np.float32) * np.float32(1.0 if raw.dtype.kind == "f" else 0.001)
    return np.where(np.isfinite(metres) & (metres > 0), metres, np.float32(np.nan))


def _stamp_ns(message: Any) -> int:
    return int(message.header.stamp.sec) * 1_000_000_000 + int(message.header.stamp.nanosec)
