# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The topics that one camera's results are published on; a topic without subscribers costs nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from da3_ros.geometry.cloud import DepthFilter, beyond_sky, clean_depth, organised_cloud
from da3_ros.geometry.rotation import FloatArray
from da3_ros.ros.camera_messages import camera_info_message
from da3_ros.ros.cloud_messages import cloud_message
from da3_ros.ros.image_messages import float_message, millimetre_message, rgb_message
from da3_ros.ros.odometry_messages import pose_with_covariance_message
from da3_ros.ros.qos import create_output
from da3_ros.ros.stamps import header
from da3_ros.streaming.results import ViewResult

TOPICS: dict[str, type[Any]] = {
    "depth/image_rect": Image,
    "depth/camera_info": CameraInfo,
    "rgb/image_rect": Image,
    "rgb/camera_info": CameraInfo,
    "depth/confidence": Image,
    "depth/points": PointCloud2,
    "pose": PoseWithCovarianceStamped,
}


class CameraOutputs:
    """Publishers of one camera.

    Args:
        node: owner of the publishers.
        camera: prefix of the topics; may be empty.
        depth_encoding: 32FC1 or 16UC1.
        sky_depth: nan or inf.
        odom_frame: frame of the poses.
        depth: messages that wait for a slow subscriber.
    """

    def __init__(
        self, node: LifecycleNode, camera: str, depth_encoding: str, sky_depth: str, odom_frame: str, depth: int
    ) -> None:
        prefix = f"{camera}/" if camera else ""
        self._publishers = {
            topic: create_output(node.create_lifecycle_publisher, message_type, prefix + topic, depth)
            for topic, message_type in TOPICS.items()
        }
        self._depth_message = millimetre_message if depth_encoding == "16UC1" else float_message
        self._sky_is_far = sky_depth == "inf"
        self._odom_frame = odom_frame

    def destroy(self, node: LifecycleNode) -> None:
        """Take the topics away."""
        for publisher in self._publishers.values():
            node.destroy_lifecycle_publisher(publisher)

    def publish(self, view: ViewResult, kept: DepthFilter, pose_covariance: FloatArray) -> None:
        """Publish one view, with the stamp and frame of its source image on every topic."""
        source = header(view.frame.stamp_ns, view.frame.frame_id)
        if self._wanted("depth/image_rect") or self._wanted("depth/points"):
            depth = clean_depth(view.depth, view.confidence, kept)
            far = functools.partial(beyond_sky, depth, view.sky if self._sky_is_far else None)
            self._publish("depth/image_rect", lambda: self._depth_message(far(), source))
            points = functools.partial(organised_cloud, depth, view.image, view.camera)
            self._publish("depth/points", lambda: cloud_message(points(), source))
        infos = [topic for topic in ("depth/camera_info", "rgb/camera_info") if self._wanted(topic)]
        if infos:
            info = camera_info_message(view.camera, source)
            for topic in infos:
                self._publishers[topic].publish(info)
        self._publish("rgb/image_rect", lambda: rgb_message(view.image, source))
        self._publish("depth/confidence", lambda: float_message(view.confidence, source))
        if not np.isfinite(view.odom_from_camera).all():
            return
        in_odom = header(view.frame.stamp_ns, self._odom_frame)
        self._publish("pose", lambda: pose_with_covariance_message(view.odom_from_camera, pose_covariance, in_odom))

    def _wanted(self, topic: str) -> bool:
        return bool(self._publishers[topic].get_subscription_count())

    def _publish(self, topic: str, make: Callable[[], Any]) -> None:
        if self._wanted(topic):
            self._publishers[topic].publish(make())
