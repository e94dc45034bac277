# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A node that listens to all outputs of da3_node and keeps what a report needs."""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import rclpy
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from sensor_msgs_py import point_cloud2
from std_srvs.srv import Trigger

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from da3_ros.ros.camera_messages import to_camera
from da3_ros.ros.image_messages import to_array
from da3_ros.ros.qos import output_profile
from da3_ros.ros.stamps import to_ns
from da3_ros.ros.status_messages import WindowStatus
from da3_ros.ros.transform_messages import pose_to_matrix

KEPT_PIXELS = 8  # every eighth row and column is kept of every depth image, and all of the newest


@dataclass(slots=True)
class CameraRecord:
    """What came from one camera, by stamp; the newest images in full."""

    depths: dict[int, npt.NDArray[np.float32]] = field(default_factory=dict)
    cameras: dict[int, PinholeCamera] = field(default_factory=dict)
    poses: dict[int, FloatArray] = field(default_factory=dict)
    clouds: int = 0
    image: tuple[int, npt.NDArray[np.uint8]] | None = None
    depth: tuple[int, npt.NDArray[np.float32]] | None = None
    confidence: tuple[int, npt.NDArray[np.float32]] | None = None
    points: list[npt.NDArray[np.float32]] = field(default_factory=list)
    point_stamps: list[int] = field(default_factory=list)


class Recorder:
    """Listens from its making until `close`, on a thread of its own.

    Args:
        cameras: names of the cameras.
        topics: of every camera that are listened to; all when empty.
        points_per_cloud: how many points are kept of each cloud.
    """

    def __init__(self, cameras: Sequence[str], topics: Sequence[str] = (), points_per_cloud: int = 4000) -> None:
        rclpy.init()
        self._node = Node("recorder")
        self._changed = threading.Condition()
        self._points_per_cloud = points_per_cloud
        self.cameras: dict[str, CameraRecord] = {camera: CameraRecord() for camera in cameras}
        self.statuses: list[WindowStatus] = []
        self.counts: dict[str, int] = defaultdict(int)
        self._triggers: dict[str, Any] = {}
        takers = {
            "depth/image_rect": (Image, self._on_depth),
            "depth/camera_info": (CameraInfo, self._on_info),
            "depth/confidence": (Image, self._on_confidence),
            "rgb/image_rect": (Image, self._on_image),
            "depth/points": (PointCloud2, self._on_points),
            "pose": (PoseWithCovarianceStamped, self._on_pose),
        }
        for camera, record in self.cameras.items():
            for topic in topics or takers:
                message_type, take = takers[topic]
                self._listen(message_type, f"{camera}/{topic}", record, take)
        self._node.create_subscription(WindowStatus, "da3_node/status", self._on_status, output_profile(100))
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name="recorder", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        rclpy.try_shutdown()
        self._thread.join()
        self._node.destroy_node()

    @property
    def is_connected(self) -> bool:
        """Whether every topic that is listened to has a publisher."""
        ours = [
            subscription for subscription in self._node.subscriptions if "/parameter" not in subscription.topic_name
        ]
        return all(subscription.get_publisher_count() for subscription in ours)

    @property
    def status(self) -> WindowStatus | None:
        """The newest one."""
        return self.statuses[-1] if self.statuses else None

    @property
    def windows(self) -> list[WindowStatus]:
        """Of the windows that were processed."""
        return [status for status in self.statuses if status.stages]

    def wait_for_change(self, timeout_s: float) -> None:
        """Until the next status, or the end of the time."""
        with self._changed:
            self._changed.wait(timeout_s)

    def trigger(self, service: str) -> None:
        """Call a service of type Trigger, and do not wait for its answer."""
        if service not in self._triggers:
            self._triggers[service] = self._node.create_client(Trigger, service)
        self._triggers[service].call_async(Trigger.Request())

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def _listen(
        self, message_type: type, topic: str, record: CameraRecord, take: Callable[[CameraRecord, int, Any], None]
    ) -> None:
        def on_message(message: Any) -> None:
            self.counts[topic] += 1
            take(record, to_ns(message.header.stamp), message)

        self._node.create_subscription(message_type, topic, on_message, output_profile(50))

    def _on_depth(self, record: CameraRecord, stamp_ns: int, message: Image) -> None:
        depth = _floats(message)
        record.depths[stamp_ns] = depth[::KEPT_PIXELS, ::KEPT_PIXELS].copy()
        record.depth = (stamp_ns, depth)

    def _on_info(self, record: CameraRecord, stamp_ns: int, message: CameraInfo) -> None:
        record.cameras[stamp_ns] = to_camera(message, (message.height, message.width))

    def _on_confidence(self, record: CameraRecord, stamp_ns: int, message: Image) -> None:
        record.confidence = (stamp_ns, _floats(message))

    def _on_image(self, record: CameraRecord, stamp_ns: int, message: Image) -> None:
        record.image = (stamp_ns, to_array(message))

    def _on_points(self, record: CameraRecord, stamp_ns: int, message: PointCloud2) -> None:
        record.clouds += 1
        fields = point_cloud2.read_points(message, skip_nans=False)
        points = np.ascontiguousarray(fields).view(np.float32).reshape(-1, 4)  # x y z rgb
        known = points[np.isfinite(points[:, 2])]
        record.points.append(known[:: max(len(known) // self._points_per_cloud, 1)].copy())
        record.point_stamps.append(stamp_ns)

    def _on_pose(self, record: CameraRecord, stamp_ns: int, message: PoseWithCovarianceStamped) -> None:
        record.poses[stamp_ns] = pose_to_matrix(message.pose.pose)

    def _on_status(self, status: WindowStatus) -> None:
        with self._changed:
            self.statuses.append(status)
            self._changed.notify_all()


def _floats(message: Image) -> npt.NDArray[np.float32]:
    return np.frombuffer(message.data, np.float32).reshape(message.height, message.width)
