# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Reliability: subscriptions connect to whatever is offered, whoever starts first, and can be told what to ask for."""

from __future__ import annotations

import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

from da3_ros.ros.qos import AdaptiveSubscription, common_reliability, output_profile, overridable
from test.ros.graph import Graph

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
TOPIC = "front/image_raw"
OVERRIDE = f"qos_overrides./{TOPIC}.subscription."


def publisher(node: Node, reliability: ReliabilityPolicy) -> Publisher:
    return node.create_publisher(String, TOPIC, QoSProfile(depth=5, reliability=reliability))


def subscription(node: Node, heard: list[str]) -> AdaptiveSubscription:
    return AdaptiveSubscription(node, String, TOPIC, lambda message: heard.append(message.data), period_s=0.05)


def speak_until_heard(graph: Graph, heard: list[str], *publishers: Publisher) -> None:
    """Publish each publisher's own word until all words were heard anew."""
    heard.clear()
    words = {str(index) for index in range(len(publishers))}

    def all_heard() -> bool:
        for index, speaker in enumerate(publishers):
            speaker.publish(String(data=str(index)))
        return words <= set(heard)

    graph.spin_until(all_heard)


def let_it_look(graph: Graph, node: Node) -> None:
    """Let the node's subscription look at its publishers several times more."""
    ticks: list[int] = []
    timer = node.create_timer(0.05, lambda: ticks.append(1))
    graph.spin_until(lambda: len(ticks) >= 4)
    node.destroy_timer(timer)


@pytest.mark.parametrize("publisher_is_first", [True, False])
@pytest.mark.parametrize("reliability", [RELIABLE, BEST_EFFORT])
def test_subscription_connects_to_a_publisher_of_either_kind(
    graph: Graph, reliability: ReliabilityPolicy, publisher_is_first: bool
) -> None:
    sender, receiver = graph.node("sender"), graph.node("receiver")
    heard: list[str] = []

    if publisher_is_first:
        speaker = publisher(sender, reliability)
        graph.spin_until(lambda: receiver.count_publishers(TOPIC) == 1)
        listener = subscription(receiver, heard)
    else:
        listener = subscription(receiver, heard)
        graph.spin_until(lambda: sender.count_subscribers(TOPIC) == 1)
        speaker = publisher(sender, reliability)

    speak_until_heard(graph, heard, speaker)
    assert listener.reliability == reliability
    assert listener.publisher_count == 1
    assert listener.recreations == (1 if reliability == BEST_EFFORT else 0)


def test_subscription_follows_when_publishers_come_and_go(graph: Graph) -> None:
    sender, receiver = graph.node("sender"), graph.node("receiver")
    heard: list[str] = []
    steady = publisher(sender, RELIABLE)
    listener = subscription(receiver, heard)
    speak_until_heard(graph, heard, steady)

    casual = publisher(sender, BEST_EFFORT)
    speak_until_heard(graph, heard, steady, casual)
    while_mixed = listener.reliability
    sender.destroy_publisher(casual)
    graph.spin_until(lambda: listener.reliability == RELIABLE)
    speak_until_heard(graph, heard, steady)

    assert while_mixed == BEST_EFFORT
    assert listener.recreations == 2


def test_subscription_stays_as_it_is_when_all_publishers_are_gone(graph: Graph) -> None:
    sender, receiver = graph.node("sender"), graph.node("receiver")
    heard: list[str] = []
    casual = publisher(sender, BEST_EFFORT)
    listener = subscription(receiver, heard)
    speak_until_heard(graph, heard, casual)

    sender.destroy_publisher(casual)
    graph.spin_until(lambda: receiver.count_publishers(TOPIC) == 0)
    let_it_look(graph, receiver)

    assert (listener.reliability, listener.recreations) == (BEST_EFFORT, 1)


def test_subscription_keeps_its_reliability_when_the_user_fixed_it(graph: Graph) -> None:
    sender = graph.node("sender")
    receiver = graph.node("receiver", parameter_overrides=[Parameter(OVERRIDE + "reliability", value="best_effort")])
    heard: list[str] = []
    speaker = publisher(sender, RELIABLE)

    listener = subscription(receiver, heard)

    speak_until_heard(graph, heard, speaker)
    let_it_look(graph, receiver)
    assert (listener.reliability, listener.recreations) == (BEST_EFFORT, 0)


def test_subscription_depth_can_be_overridden_and_survives_the_change(graph: Graph) -> None:
    sender = graph.node("sender")
    receiver = graph.node("receiver", parameter_overrides=[Parameter(OVERRIDE + "depth", value=17)])
    heard: list[str] = []
    speaker = publisher(sender, BEST_EFFORT)

    subscription(receiver, heard)

    speak_until_heard(graph, heard, speaker)
    (endpoint,) = receiver.subscriptions
    assert (endpoint.qos_profile.depth, endpoint.qos_profile.reliability) == (17, BEST_EFFORT)


def test_reliability_override_is_refused_when_it_is_no_reliability(graph: Graph) -> None:
    receiver = graph.node("receiver", parameter_overrides=[Parameter(OVERRIDE + "reliability", value="maybe")])

    with pytest.raises(ValueError, match=r"must be adapt, reliable or best_effort, not 'maybe'"):
        subscription(receiver, [])


def test_subscription_hears_nothing_once_destroyed_and_can_be_made_again(graph: Graph) -> None:
    sender, receiver = graph.node("sender"), graph.node("receiver")
    speaker = publisher(sender, RELIABLE)
    first: list[str] = []
    second: list[str] = []
    listener = subscription(receiver, first)
    speak_until_heard(graph, first, speaker)

    listener.destroy()
    first.clear()
    subscription(receiver, second)
    speak_until_heard(graph, second, speaker)

    assert first == []
    assert len(list(receiver.subscriptions)) == 1


def test_publishers_are_reliable_and_can_be_overridden(graph: Graph) -> None:
    given = [Parameter("qos_overrides./depth.publisher.reliability", value="best_effort")]
    node = graph.node("sender", parameter_overrides=given)

    def offered(topic: str) -> ReliabilityPolicy:
        made = node.create_publisher(String, topic, output_profile(), qos_overriding_options=overridable())
        return made.qos_profile.reliability

    assert offered("cloud") == RELIABLE
    assert offered("depth") == BEST_EFFORT


@pytest.mark.parametrize(
    ("offered", "common"),
    [
        ([RELIABLE, RELIABLE], RELIABLE),
        ([RELIABLE, BEST_EFFORT], BEST_EFFORT),
        ([ReliabilityPolicy.UNKNOWN], BEST_EFFORT),
    ],
)
def test_common_reliability_connects_to_every_publisher(
    offered: list[ReliabilityPolicy], common: ReliabilityPolicy
) -> None:
    assert common_reliability(offered) == common
