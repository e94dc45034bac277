# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Poses with their uncertainty, odometry and paths as messages.

Covariances are 6x6, row-major, in the order x, y, z, rotation about x, y, z (metres and radians, fixed axes).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from geometry_msgs.msg import (
    PoseStamped,
    PoseWithCovariance,
    PoseWithCovarianceStamped,
    Twist,
    TwistWithCovariance,
    Vector3,
)
from nav_msgs.msg import Odometry, Path
from std_msgs.msg import Header

from da3_ros.ros.transform_messages import pose_message


def pose_with_covariance_message(
    a_from_b: npt.ArrayLike, covariance: npt.ArrayLike, header: Header
) -> PoseWithCovarianceStamped:
    """The pose of frame b in the header's frame a.

    Args:
        a_from_b: (4, 4) rigid.
        covariance: (6, 6) of that pose.
        header: stamp, and a as frame_id.
    """
    pose = PoseWithCovariance(pose=pose_message(a_from_b), covariance=_flat(covariance))
    return PoseWithCovarianceStamped(header=header, pose=pose)


def odometry_message(
    odom_from_base: npt.ArrayLike,
    pose_covariance: npt.ArrayLike,
    twist: npt.ArrayLike,
    twist_covariance: npt.ArrayLike,
    header: Header,
    base_frame: str,
) -> Odometry:
    """The pose of the base in the header's frame, and its motion in the base's own axes.

    Args:
        odom_from_base: (4, 4) rigid.
        pose_covariance: (6, 6).
        twist: (6,) velocity in base axes: m/s, then rad/s.
        twist_covariance: (6, 6).
        header: stamp, and the odometry frame as frame_id.
        base_frame: child frame.
    """
    pose = PoseWithCovariance(pose=pose_message(odom_from_base), covariance=_flat(pose_covariance))
    vx, vy, vz, wx, wy, wz = np.asarray(twist, dtype=np.float64).tolist()
    velocity = Twist(linear=Vector3(x=vx, y=vy, z=vz), angular=Vector3(x=wx, y=wy, z=wz))
    motion = TwistWithCovariance(twist=velocity, covariance=_flat(twist_covariance))
    return Odometry(header=header, child_frame_id=base_frame, pose=pose, twist=motion)


def pose_stamped_message(a_from_b: npt.ArrayLike, header: Header) -> PoseStamped:
    """The pose of frame b in the header's frame a: one element of a path."""
    return PoseStamped(header=header, pose=pose_message(a_from_b))


def path_message(poses: Iterable[PoseStamped], header: Header) -> Path:
    """A path of poses, oldest first, all in the header's frame."""
    return Path(header=header, poses=list(poses))


def _flat(covariance: npt.ArrayLike) -> npt.NDArray[np.float64]:
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.shape != (6, 6):
        raise ValueError(f"a covariance is (6, 6), not {matrix.shape}")
    return matrix.ravel()
