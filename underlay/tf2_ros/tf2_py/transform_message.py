# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""geometry_msgs/TransformStamped <-> RigidTransform, and the checks that keep bad data out of the tree."""

from __future__ import annotations

import math

from geometry_msgs.msg import TransformStamped

from tf2_py.rigid_transform import RigidTransform, with_canonical_sign
from tf2_py.stamps import to_message

LENGTH_TOLERANCE = 1e-2  # on the squared length of a quaternion; upstream's value


def frame_ids(message: TransformStamped) -> tuple[str, str]:
    """Parent and child, each without the leading slash that ROS 1 allowed."""
    return message.header.frame_id.removeprefix("/"), message.child_frame_id.removeprefix("/")


def reason_to_reject(message: TransformStamped) -> str | None:
    """Why the message cannot enter the tree; None when it can.

    Stricter than upstream: an infinite translation is rejected as well.
    """
    parent, child = frame_ids(message)
    if not child:
        return "its child_frame_id is empty"
    if not parent:
        return "its frame_id is empty"
    if parent == child:
        return "its frame_id and child_frame_id are the same"
    offset, q = message.transform.translation, message.transform.rotation
    if not all(map(math.isfinite, (offset.x, offset.y, offset.z))):
        return f"its translation ({offset.x}, {offset.y}, {offset.z}) is not finite"
    squared_length = q.x * q.x + q.y * q.y + q.z * q.z + q.w * q.w
    if not abs(squared_length - 1.0) < LENGTH_TOLERANCE:  # written so that NaN fails too
        return f"its rotation ({q.x}, {q.y}, {q.z}, {q.w}) is not a quaternion of length 1"
    return None


def to_rigid_transform(message: TransformStamped) -> RigidTransform:
    """``parent_from_child`` of an accepted message, its quaternion brought to length 1 exactly."""
    offset, q = message.transform.translation, message.transform.rotation
    length = math.hypot(q.x, q.y, q.z, q.w)
    return RigidTransform(
        (q.x / length, q.y / length, q.z / length, q.w / length), (float(offset.x), float(offset.y), float(offset.z))
    )


def to_transform_message(
    target_frame: str, source_frame: str, stamp_ns: int, target_from_source: RigidTransform
) -> TransformStamped:
    """The answer of a look-up: where the source frame is in the target frame."""
    message = TransformStamped()
    message.header.stamp = to_message(stamp_ns)
    message.header.frame_id = target_frame
    message.child_frame_id = source_frame
    offset, q = message.transform.translation, message.transform.rotation
    offset.x, offset.y, offset.z = target_from_source.translation
    q.x, q.y, q.z, q.w = with_canonical_sign(target_from_source.rotation)
    return message
