# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Transforms travel over real DDS from broadcasters to listeners, static ones to late joiners too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from tf2_ros import Buffer, LookupException, StaticTransformBroadcaster, TransformBroadcaster, TransformListener

if TYPE_CHECKING:
    from conftest import Graph

LATEST = Time()


def shifted(parent: str, child: str, x: float, sec: int = 1) -> TransformStamped:
    result = TransformStamped()
    result.header.stamp.sec = sec
    result.header.frame_id, result.child_frame_id = parent, child
    result.transform.translation.x = x
    return result


def test_listener_fills_the_buffer_when_many_transforms_are_sent_in_one_call(graph: Graph) -> None:
    buffer = Buffer()
    TransformListener(buffer, graph.node("listener"))
    broadcaster = TransformBroadcaster(graph.node("broadcaster"))
    graph.spin_until(lambda: broadcaster.pub_tf.get_subscription_count() == 1)
    sent = [shifted("map", "base", 1.0), shifted("base", "camera", 0.5)]

    broadcaster.sendTransform(sent)
    graph.spin_until(lambda: buffer.can_transform("map", "camera", LATEST))

    assert buffer.lookup_transform("map", "base", LATEST) == sent[0]
    assert buffer.lookup_transform("map", "camera", LATEST).transform.translation.x == 1.5


@pytest.mark.parametrize("as_sent", [tuple, list, iter], ids=["tuple", "list", "iterator"])
def test_broadcaster_takes_any_iterable_when_sending_many(graph: Graph, as_sent: type) -> None:
    buffer = Buffer()
    TransformListener(buffer, graph.node("listener"), qos=QoSProfile(depth=5))
    broadcaster = TransformBroadcaster(graph.node("broadcaster"), qos=5)
    graph.spin_until(lambda: broadcaster.pub_tf.get_subscription_count() == 1)

    broadcaster.sendTransform(as_sent([shifted("map", "base", 1.0)]))

    graph.spin_until(lambda: buffer.can_transform("map", "base", LATEST))


def test_late_listener_gets_every_static_transform_when_they_were_sent_one_by_one(graph: Graph) -> None:
    broadcaster = StaticTransformBroadcaster(graph.node("broadcaster"))
    broadcaster.sendTransform(shifted("base", "left", 1.0))
    broadcaster.sendTransform([shifted("base", "right", 2.0)])
    buffer = Buffer()

    TransformListener(buffer, graph.node("listener"))
    graph.spin_until(lambda: buffer.can_transform("left", "right", Time(seconds=12345)))

    found = buffer.lookup_transform("left", "right", Time(seconds=12345))
    assert found.transform.translation.x == 1.0
    assert found.header.stamp.sec == 12345


def test_static_child_keeps_its_first_transform_when_it_is_sent_again(graph: Graph) -> None:
    broadcaster = StaticTransformBroadcaster(graph.node("broadcaster"))

    broadcaster.sendTransform(shifted("base", "left", 1.0))
    broadcaster.sendTransform(shifted("base", "left", 9.0))

    assert [each.transform.translation.x for each in broadcaster.net_message.transforms] == [1.0]


def test_lookup_waits_in_the_main_thread_when_the_listener_has_its_own(graph: Graph) -> None:
    buffer = Buffer()
    listener = TransformListener(buffer, graph.node("listener", spin=False), spin_thread=True)
    broadcaster = TransformBroadcaster(graph.node("broadcaster"))
    graph.spin_until(lambda: broadcaster.pub_tf.get_subscription_count() == 1)

    broadcaster.sendTransform(shifted("map", "base", 1.0))
    found = buffer.lookup_transform("map", "base", LATEST, timeout=Duration(seconds=20))

    assert found.transform.translation.x == 1.0
    graph.close()
    listener.dedicated_listener_thread.join(timeout=20)
    assert not listener.dedicated_listener_thread.is_alive()


def test_coroutine_continues_when_the_transform_arrives_in_the_same_executor(graph: Graph) -> None:
    buffer = Buffer()
    TransformListener(buffer, graph.node("listener"))
    broadcaster = TransformBroadcaster(graph.node("broadcaster"))
    graph.spin_until(lambda: broadcaster.pub_tf.get_subscription_count() == 1)
    task = graph.executor.create_task(buffer.lookup_transform_async("map", "base", LATEST))

    broadcaster.sendTransform(shifted("map", "base", 3.0))
    graph.spin_until(task.done)

    assert task.result().transform.translation.x == 3.0


def test_buffer_is_cleared_when_simulated_time_jumps_back(graph: Graph) -> None:
    use_sim_time = Parameter("use_sim_time", Parameter.Type.BOOL, True)
    node = graph.node("listener", parameter_overrides=[use_sim_time])
    clock = graph.node("player").create_publisher(Clock, "/clock", 1)
    graph.spin_until(lambda: clock.get_subscription_count() == 1)
    buffer = Buffer(node=node)

    def play(sec: int) -> None:
        message = Clock()
        message.clock.sec = sec
        clock.publish(message)
        graph.spin_until(lambda: node.get_clock().now().nanoseconds == sec * 10**9)

    play(100)
    buffer.set_transform_static(shifted("base", "camera", 1.0), "test")
    buffer.set_transform(shifted("map", "base", 1.0, sec=100), "test")
    play(101)
    assert buffer.can_transform("map", "camera", LATEST)

    play(3)

    assert not buffer.can_transform("map", "base", LATEST)
    assert buffer.can_transform("base", "camera", LATEST)
    buffer.set_transform(shifted("map", "base", 2.0, sec=3), "test")
    assert buffer.lookup_transform("map", "camera", LATEST).transform.translation.x == 3.0


def test_listener_hears_nothing_more_when_it_is_unregistered(graph: Graph) -> None:
    buffer, witness = Buffer(), Buffer()
    listener = TransformListener(buffer, graph.node("listener"))
    TransformListener(witness, graph.node("witness"))
    broadcaster = TransformBroadcaster(graph.node("broadcaster"))
    graph.spin_until(lambda: broadcaster.pub_tf.get_subscription_count() == 2)

    listener.unregister()
    broadcaster.sendTransform(shifted("map", "base", 1.0))
    graph.spin_until(lambda: witness.can_transform("map", "base", LATEST))

    with pytest.raises(LookupException):
        buffer.lookup_transform("map", "base", LATEST)
