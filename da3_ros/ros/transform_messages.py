# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Rigid 4x4 matrices to transforms and poses, and back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from geometry_msgs.msg import Point, Pose, Quaternion, Transform, TransformStamped, Vector3
from std_msgs.msg import Header

from da3_ros.geometry.rotation import FloatArray, matrix_from_quat_xyzw, quat_xyzw_from_matrix
from da3_ros.geometry.sim3 import rigid


def transform_message(parent_from_child: npt.ArrayLike, header: Header, child_frame_id: str) -> TransformStamped:
    """The TF edge whose parent is the header's frame.

    Args:
        parent_from_child: (4, 4) rigid, metres.
        header: stamp, and the parent as frame_id.
        child_frame_id: the child.
    """
    (x, y, z), quat_xyzw = _parts(parent_from_child)
    transform = Transform(translation=Vector3(x=x, y=y, z=z), rotation=_quaternion(quat_xyzw))
    return TransformStamped(header=header, child_frame_id=child_frame_id, transform=transform)


def pose_message(a_from_b: npt.ArrayLike) -> Pose:
    """The pose of frame b in frame a, from a (4, 4) rigid matrix."""
    (x, y, z), quat_xyzw = _parts(a_from_b)
    return Pose(position=Point(x=x, y=y, z=z), orientation=_quaternion(quat_xyzw))


def transform_to_matrix(transform: Transform) -> FloatArray:
    """`parent_from_child`, (4, 4) float64 rigid.

    Raises:
        DegenerateGeometryError: when the quaternion has length zero or is not finite.
    """
    return _matrix(transform.translation, transform.rotation)


def pose_to_matrix(pose: Pose) -> FloatArray:
    """`a_from_b` of the pose of b in a, (4, 4) float64 rigid.

    Raises:
        DegenerateGeometryError: when the quaternion has length zero or is not finite.
    """
    return _matrix(pose.position, pose.orientation)


def _parts(matrix: npt.ArrayLike) -> tuple[list[float], list[float]]:
    array = np.asarray(matrix, dtype=np.float64)
    return array[:3, 3].tolist(), quat_xyzw_from_matrix(array[:3, :3]).tolist()


def _quaternion(quat_xyzw: list[float]) -> Quaternion:
    x, y, z, w = quat_xyzw
    return Quaternion(x=x, y=y, z=z, w=w)


def _matrix(position: Point | Vector3, q: Quaternion) -> FloatArray:
    return rigid(matrix_from_quat_xyzw((q.x, q.y, q.z, q.w)), (position.x, position.y, position.z))
