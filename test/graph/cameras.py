# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras as a driver would publish them, image by image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_ros import StaticTransformBroadcaster

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from da3_ros.ros.camera_messages import camera_info_message
from da3_ros.ros.image_messages import rgb_message
from da3_ros.ros.stamps import header
from da3_ros.ros.transform_messages import transform_message

SIZE = (120, 160)
CAMERA = PinholeCamera.from_field_of_view(SIZE, np.deg2rad(70))
PERIOD_NS = 100_000_000
START_NS = 1_700_000_000_123_456_789  # a float of seconds cannot hold it


def stamp_of(number: int) -> int:
    """Stamp of the n-th frame set, nanoseconds."""
    return START_NS + number * PERIOD_NS


def picture(camera: str, number: int, size: tuple[int, int] = SIZE) -> npt.NDArray[np.uint8]:
    """(H, W, 3) RGB, another one for each camera and number."""
    rows, columns = np.indices(size)
    channels = (rows + 3 * number, columns + sum(camera.encode()), rows * columns // 64 + number)
    return np.stack([channel % 256 for channel in channels], axis=-1).astype(np.uint8)


def frame_id_of(camera: str) -> str:
    """The optical frame of a camera."""
    return f"{camera}_optical_frame".lstrip("_")


def image_message(camera: str, number: int, size: tuple[int, int] = SIZE) -> Image:
    """A camera's n-th image."""
    return rgb_message(picture(camera, number, size), header(stamp_of(number), frame_id_of(camera)))


def info_message(camera: str, number: int, intrinsics: PinholeCamera = CAMERA) -> CameraInfo:
    """A camera's n-th camera_info."""
    return camera_info_message(intrinsics, header(stamp_of(number), frame_id_of(camera)))


class Cameras:
    """A node that publishes what it is told to; it has no callbacks, so nobody spins it."""

    def __init__(
        self,
        names: Iterable[str],
        compressed: bool = False,
        reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE,
        **options: Any,
    ) -> None:
        self.names = tuple(names)
        self.node = Node("driver", start_parameter_services=False, **options)
        profile = QoSProfile(depth=100, reliability=reliability)
        message_type, suffix = (CompressedImage, "/compressed") if compressed else (Image, "")

        def publisher(kind: type[Any], name: str, topic: str) -> Any:
            return self.node.create_publisher(kind, f"{name}/{topic}" if name else topic, profile)

        self._images = {name: publisher(message_type, name, f"image_raw{suffix}") for name in self.names}
        self._infos = {name: publisher(CameraInfo, name, "camera_info") for name in self.names}
        self._static = StaticTransformBroadcaster(self.node)

    def place(self, base_from_camera: Mapping[str, FloatArray]) -> None:
        """Tell TF where cameras sit on the base."""
        about = header(0, "base_link")
        edges = [transform_message(pose, about, frame_id_of(name)) for name, pose in base_from_camera.items()]
        self._static.sendTransform(edges)

    @property
    def are_heard(self) -> bool:
        """Whether every topic has a subscriber."""
        return all(publisher.get_subscription_count() for publisher in (*self._images.values(), *self._infos.values()))

    def send(self, camera: str, message: Image | CompressedImage) -> None:
        """Publish an image."""
        self._images[camera].publish(message)

    def send_info(self, camera: str, message: CameraInfo) -> None:
        """Publish a camera_info."""
        self._infos[camera].publish(message)

    def send_set(self, number: int, size: tuple[int, int] = SIZE) -> None:
        """Publish the n-th images of all cameras."""
        for camera in self.names:
            self.send(camera, image_message(camera, number, size))

    def close(self) -> None:
        """Stop publishing."""
        self.node.destroy_node()
