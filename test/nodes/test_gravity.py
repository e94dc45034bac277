# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Up on the base, from whatever an IMU offers, wherever it is mounted."""

from __future__ import annotations

import numpy as np
import pytest
from geometry_msgs.msg import Quaternion, Vector3
from sensor_msgs.msg import Imu

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, quat_xyzw_from_matrix
from da3_ros.geometry.sim3 import rigid
from da3_ros.nodes.gravity import Gravity
from da3_ros.ros.stamps import header
from test.nodes.tf_messages import HandFedTree
from test.ros.graph import Graph

START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 10_000_000
# The IMU lies on its side on the base, and the base stands on a slope.
BASE_FROM_IMU = matrix_from_rotation_vector([np.pi / 2, 0.0, 0.0])
WORLD_FROM_BASE = matrix_from_rotation_vector([0.1, -0.2, 2.0])
UP_IN_BASE = WORLD_FROM_BASE[2]


def imu_message(
    number: int, world_from_imu: FloatArray | None, force: FloatArray | None, orientation_variance: float = 0.01
) -> Imu:
    """The n-th message of an IMU with an orientation, an accelerometer, or both."""
    message = Imu(header=header(START_NS + number * PERIOD_NS, "imu_link"))
    message.orientation_covariance[0] = -1.0
    if world_from_imu is not None:
        x, y, z, w = quat_xyzw_from_matrix(world_from_imu).tolist()
        message.orientation = Quaternion(x=x, y=y, z=z, w=w)
        message.orientation_covariance[0] = orientation_variance
    message.linear_acceleration_covariance[0] = -1.0
    if force is not None:
        x, y, z = force.tolist()
        message.linear_acceleration = Vector3(x=x, y=y, z=z)
        message.linear_acceleration_covariance[0] = 0.01
    return message


def known(value: FloatArray | None) -> FloatArray:
    assert value is not None
    return value


def gravity_after(graph: Graph, *messages: Imu, is_placed: bool = True) -> Gravity:
    tree = HandFedTree()
    if is_placed:
        tree.send("base_link", "imu_link", rigid(BASE_FROM_IMU, [0.1, 0.0, 0.2]), is_static=True)
    gravity = Gravity(graph.node("da3_node"), "/imu/data", "base_link", tree)
    sender = graph.node("imu").create_publisher(Imu, "/imu/data", 200)
    graph.spin_until(lambda: gravity.publishers == 1 and sender.get_subscription_count() == 1)
    received: list[Imu] = []
    gravity._subscription.registerCallback(received.append)
    for number, message in enumerate(messages, start=1):
        sender.publish(message)
        graph.spin_until(lambda number=number: len(received) == number)  # type: ignore[misc]
    return gravity


def test_orientation_tells_up_at_the_stamp_asked_for(graph: Graph) -> None:
    turning = [
        imu_message(number, matrix_from_rotation_vector([0.0, 0.01 * number, 0.0]) @ BASE_FROM_IMU, None)
        for number in range(20)
    ]
    gravity = gravity_after(graph, *turning)

    for number in (0, 7, 19):
        up, _ = gravity.up_in_base(START_NS + number * PERIOD_NS)
        expected = [-np.sin(0.01 * number), 0.0, np.cos(0.01 * number)]
        np.testing.assert_allclose(known(up), expected, atol=1e-9)


def test_specific_force_tells_up_when_there_is_no_orientation(graph: Graph) -> None:
    force = 9.81 * BASE_FROM_IMU.T @ UP_IN_BASE
    gravity = gravity_after(graph, *(imu_message(number, None, force) for number in range(110)))

    up, _ = gravity.up_in_base(START_NS)

    np.testing.assert_allclose(known(up), UP_IN_BASE, atol=1e-9)


def test_both_agree_about_a_base_on_a_slope(graph: Graph) -> None:
    force = 9.81 * BASE_FROM_IMU.T @ UP_IN_BASE
    orientation = WORLD_FROM_BASE @ BASE_FROM_IMU
    gravity = gravity_after(graph, *(imu_message(number, orientation, force) for number in range(110)))

    up, _ = gravity.up_in_base(START_NS)

    np.testing.assert_allclose(known(up), UP_IN_BASE, atol=1e-9)


@pytest.mark.parametrize("orientation", ["untouched", "zero", "contradicts"])
def test_force_is_taken_when_the_orientation_was_never_measured(
    graph: Graph, orientation: str, caplog: pytest.LogCaptureFixture
) -> None:
    force = 9.81 * BASE_FROM_IMU.T @ UP_IN_BASE
    messages = [imu_message(number, BASE_FROM_IMU.T, force, 0.0) for number in range(110)]
    for message in messages:
        if orientation != "contradicts":
            message.orientation = Quaternion(w=1.0 if orientation == "untouched" else 0.0)
    gravity = gravity_after(graph, *messages)

    up, _ = gravity.up_in_base(START_NS)

    np.testing.assert_allclose(known(up), UP_IN_BASE, atol=1e-9)
    assert any("off gravity" in message for message in caplog.messages) == (orientation == "contradicts")


def test_untouched_orientation_alone_says_nothing(graph: Graph) -> None:
    gravity = gravity_after(graph, imu_message(0, np.eye(3), None, 0.0))

    assert gravity.up_in_base(START_NS)[0] is None


def test_reason_is_given_when_up_is_not_known(graph: Graph) -> None:
    silent = gravity_after(graph)
    assert "no message" in silent.up_in_base(START_NS)[1]


def test_reason_names_the_frame_when_tf_does_not_place_the_imu(graph: Graph) -> None:
    gravity = gravity_after(graph, imu_message(0, BASE_FROM_IMU, None), is_placed=False)

    up, reason = gravity.up_in_base(START_NS)

    assert up is None
    assert "'imu_link'" in reason
