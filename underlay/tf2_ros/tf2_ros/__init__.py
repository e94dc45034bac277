# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Transforms over ROS: broadcast, listen, buffer, look up. The names are upstream's."""

from tf2_py import *  # noqa: F403

from tf2_ros.buffer import Buffer as Buffer
from tf2_ros.buffer_interface import *  # noqa: F403
from tf2_ros.static_transform_broadcaster import StaticTransformBroadcaster as StaticTransformBroadcaster
from tf2_ros.transform_broadcaster import TransformBroadcaster as TransformBroadcaster
from tf2_ros.transform_listener import TransformListener as TransformListener
