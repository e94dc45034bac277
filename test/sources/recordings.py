# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of one small camera, and bags of them: whole, cut short, or as older distributions recorded them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from scipy.spatial.transform import Rotation

from da3_ros.geometry.rotation import FloatArray

TYPES = get_typestore(Stores.ROS2_JAZZY)
K = (30.0, 0.0, 15.5, 0.0, 31.0, 11.5, 0.0, 0.0, 1.0)
NO_DISTORTION, NO_PROJECTION = (0.0,) * 5, (0.0,) * 12


def made(name: str, *fields: Any) -> Any:
    return TYPES.types[name](*fields)


def header(stamp_ns: int, frame: str) -> Any:
    stamp = made("builtin_interfaces/msg/Time", stamp_ns // 10**9, stamp_ns % 10**9)
    return made("std_msgs/msg/Header", stamp, frame)


def image(stamp_ns: int, pixels: npt.NDArray[Any], encoding: str, frame: str = "cam_optical") -> Any:
    data = np.frombuffer(pixels.tobytes(), np.uint8)
    about = header(stamp_ns, frame)
    return made("sensor_msgs/msg/Image", about, *pixels.shape[:2], encoding, 0, data.size // pixels.shape[0], data)


def info(stamp_ns: int, d: Sequence[float] = NO_DISTORTION, p: Sequence[float] = NO_PROJECTION) -> Any:
    region = made("sensor_msgs/msg/RegionOfInterest", 0, 0, 0, 0, False)
    about = header(stamp_ns, "cam_optical")
    return made(
        "sensor_msgs/msg/CameraInfo", about, 24, 32, "plumb_bob", np.array(d), np.array(K), np.eye(3).ravel(),
        np.array(p), 0, 0, region,
    )  # fmt: skip


def transforms(stamp_ns: int, parent: str, child: str, pose: FloatArray) -> Any:
    x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
    transform = made(
        "geometry_msgs/msg/Transform",
        made("geometry_msgs/msg/Vector3", *pose[:3, 3]),
        made("geometry_msgs/msg/Quaternion", x, y, z, w),
    )
    edge = made("geometry_msgs/msg/TransformStamped", header(stamp_ns, parent), child, transform)
    return made("tf2_msgs/msg/TFMessage", [edge])


def write_messages(
    folder: Path,
    messages: Sequence[tuple[int, str, Any]],
    storage: StoragePlugin = StoragePlugin.SQLITE3,
    cut: Collection[int] = (),
) -> Path:
    """A bag of (nanoseconds, topic, message) in order of time; those numbered in `cut` lose their second half."""
    bag = Writer(folder, version=9, storage_plugin=storage)
    if storage == StoragePlugin.MCAP:
        bag.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)  # as `ros2 bag record` is often told to
    with bag:
        kinds = {topic: message.__msgtype__ for _, topic, message in messages}
        connections = {topic: bag.add_connection(topic, kind, typestore=TYPES) for topic, kind in kinds.items()}
        for number, (at_ns, topic, message) in enumerate(sorted(messages, key=lambda one: one[0])):
            data = TYPES.serialize_cdr(message, message.__msgtype__)
            bag.write(connections[topic], at_ns, data[: len(data) // 2] if number in cut else data)
    return folder


def without_definitions(folder: Path) -> Path:
    """The bag as ROS 2 Foxy and Humble write it: their sqlite3 files do not say what the messages consist of."""
    (file,) = folder.glob("*.db3")
    database = sqlite3.connect(file)
    database.executescript("DROP TABLE message_definitions; UPDATE schema SET schema_version = 3;")
    database.close()
    return folder
