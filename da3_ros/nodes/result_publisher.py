# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Window results to topics and TF."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry, Path
from rclpy.lifecycle import LifecycleNode
from tf2_ros import TransformBroadcaster

from da3_ros.geometry.cloud import DepthFilter
from da3_ros.geometry.rotation import FloatArray
from da3_ros.nodes.camera_outputs import CameraOutputs
from da3_ros.nodes.rig_keeper import KeptRig
from da3_ros.ros.odometry_messages import odometry_message, path_message, pose_stamped_message
from da3_ros.ros.params import NodeParams
from da3_ros.ros.qos import create_output
from da3_ros.ros.rig_messages import RigEstimateMessage, rig_estimate_message
from da3_ros.ros.stamps import header
from da3_ros.ros.status_messages import WindowStatus, account_message, window_status_message
from da3_ros.ros.transform_messages import transform_message
from da3_ros.streaming.base_uncertainty import carried_covariance
from da3_ros.streaming.ledger import Counters
from da3_ros.streaming.odometry import OdometryState
from da3_ros.streaming.results import SetResult, WindowResult

NO_COVARIANCE = np.diag(np.full(6, 900.0))  # of a pose whose base is not known: large, finite and not a reset


class ResultPublisher:
    """All outputs of the node; used by the inference thread."""

    def __init__(self, node: LifecycleNode, params: NodeParams) -> None:
        self._node = node
        self._params = params
        encoding, sky, odom_frame = params.depth_encoding, params.sky_depth, params.odom_frame
        self._cameras = {
            # A window after a pause publishes all its sets at once: none may push another out.
            camera: CameraOutputs(node, camera, encoding, sky, odom_frame, max(5, params.window_size))
            for camera in params.cameras
        }

        create = node.create_lifecycle_publisher
        self._odometry = create_output(create, Odometry, "~/odom")
        self._path = create_output(create, Path, "~/path", depth=1)
        self._rig = create_output(create, RigEstimateMessage, "~/rig", depth=1)
        self._status = create_output(create, WindowStatus, "~/status", depth=100)
        self._poses: dict[OdometryState, PoseStamped] = {}
        self._transforms = TransformBroadcaster(node) if params.tf_mode != "none" else None

    def destroy(self) -> None:
        """Take all topics away."""
        for camera in self._cameras.values():
            camera.destroy(self._node)
        for publisher in (self._odometry, self._path, self._rig, self._status):
            self._node.destroy_lifecycle_publisher(publisher)
        if self._transforms is not None:
            self._node.destroy_publisher(self._transforms.pub_tf)

    def publish(
        self,
        result: WindowResult,
        path: tuple[OdometryState, ...],
        kept: DepthFilter,
        owns: Callable[[str, str], bool],
        rig: KeptRig | None,
    ) -> int:
        """Publish what is new in a window, oldest set first; return the time that took, nanoseconds.

        Args:
            result: of the window.
            path: the newest base poses, oldest first.
            kept: which depth is published.
            owns: whether the TF edge to a frame is ours to publish, and this camera's; no camera for the base.
            rig: the estimate of the rig, when the window has a new one.
        """
        start_ns = time.monotonic_ns()
        for new in result.new_sets:
            self._publish_set(new, kept, owns)
        if result.new_sets and path and self._path.get_subscription_count():
            self._path.publish(self._path_message(path))
        if rig is not None and self._rig.get_subscription_count():
            self._rig.publish(rig_estimate_message(rig.estimate, rig.frame_ids, rig.stamp_ns))
        return time.monotonic_ns() - start_ns

    def publish_account(self, counters: Counters, reason: str, last: WindowResult | None, stamp_ns: int = 0) -> None:
        """Publish that images came to nothing, and why.

        Args:
            counters: the account now.
            reason: what happened, in words.
            last: result of the newest window since the start or a reset, None without one.
            stamp_ns: of the window concerned, 0 without one.
        """
        about = header(stamp_ns, self._params.odom_frame)
        self._status.publish(account_message(counters, reason, last, about))

    def publish_status(self, result: WindowResult, counters: Counters, publish_ns: int) -> float:
        """Publish what became of the window; return its latency in milliseconds."""
        stamp_ns = result.window.frame_sets[-1].stamp_ns
        latency_ns = self._node.get_clock().now().nanoseconds - stamp_ns
        about = header(stamp_ns, self._params.odom_frame)
        self._status.publish(window_status_message(result, counters, publish_ns, latency_ns, about))
        return latency_ns * 1e-6

    def _publish_set(self, new: SetResult, kept: DepthFilter, owns: Callable[[str, str], bool]) -> None:
        base = new.odometry
        covariance = NO_COVARIANCE if base is None else base.pose_covariance
        # TF first: whoever gets an image can look its pose up.
        self._publish_transforms(new, owns)
        for view in new.views:
            of_camera = NO_COVARIANCE
            if base is not None and view.trusted:
                of_camera = carried_covariance(covariance, base.odom_from_base, view.odom_from_camera)
            self._cameras[view.frame.camera].publish(view, kept, of_camera)
        if base is not None and self._odometry.get_subscription_count():
            twist = np.concatenate((base.linear_velocity, base.angular_velocity))
            about = header(base.stamp_ns, self._params.odom_frame)
            self._odometry.publish(
                odometry_message(
                    base.odom_from_base, covariance, twist, base.twist_covariance, about, self._params.base_frame
                )
            )

    def _publish_transforms(self, new: SetResult, owns: Callable[[str, str], bool]) -> None:
        if self._transforms is None:
            return
        edges: list[tuple[FloatArray, int, str, str]] = []
        if self._params.tf_mode == "cameras":
            trusted = [view for view in new.views if view.trusted]
            edges = [(v.odom_from_camera, v.frame.stamp_ns, v.frame.frame_id, v.frame.camera) for v in trusted]
        elif new.odometry is not None:
            edges = [(new.odometry.odom_from_base, new.odometry.stamp_ns, self._params.base_frame, "")]
        odom = self._params.odom_frame
        messages = [
            transform_message(pose, header(stamp_ns, odom), child)
            for pose, stamp_ns, child, camera in edges
            if owns(child, camera)
        ]
        if messages:
            self._transforms.sendTransform(messages)  # one message for all cameras of a set

    def _path_message(self, path: tuple[OdometryState, ...]) -> Path:
        odom = self._params.odom_frame
        # Each pose is made once: a thousand of them take longer than everything else together.
        self._poses = {
            state: self._poses.get(state) or pose_stamped_message(state.odom_from_base, header(state.stamp_ns, odom))
            for state in path
        }
        return path_message(self._poses.values(), header(path[-1].stamp_ns, odom))
