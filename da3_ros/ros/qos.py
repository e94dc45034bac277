# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Quality of service: reliable publishers, and subscriptions that are as reliable as what is offered to them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from message_filters import SimpleFilter
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.qos import HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import InvalidQosOverridesError, QoSOverridingOptions

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble's name
    from rclpy.qos_event import SubscriptionEventCallbacks

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.subscription import Subscription

_LOG = logging.getLogger(__name__)
_ADAPT: Final = "adapt"
_FIXED: Final = {"reliable": ReliabilityPolicy.RELIABLE, "best_effort": ReliabilityPolicy.BEST_EFFORT}


def output_profile(depth: int = 5) -> QoSProfile:
    """Reliable, volatile, keep last: a reliable publisher serves reliable and best-effort subscribers alike."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=ReliabilityPolicy.RELIABLE)


def overridable() -> QoSOverridingOptions:
    """Let the user override history, depth and reliability by `qos_overrides.<topic>.publisher.*` parameters."""
    return QoSOverridingOptions.with_default_policies()


def create_output(create: Callable[..., Any], message_type: type[Any], topic: str, depth: int = 5) -> Any:
    """A publisher with our profile, which the user may override.

    Args:
        create: the node's `create_publisher` or `create_lifecycle_publisher`.
        message_type: of the topic.
        topic: its name.
        depth: messages that wait for a slow subscriber.

    Raises:
        ValueError: naming the topic, when an override cannot be used.
    """
    try:
        return create(message_type, topic, output_profile(depth), qos_overriding_options=overridable())
    except (RuntimeError, InvalidQosOverridesError) as error:
        raise ValueError(f"topic '{topic}': {error}") from error


def common_reliability(offered: Iterable[ReliabilityPolicy]) -> ReliabilityPolicy:
    """The strictest reliability that connects to every publisher: one best-effort publisher decides."""
    all_reliable = all(policy == ReliabilityPolicy.RELIABLE for policy in offered)
    return ReliabilityPolicy.RELIABLE if all_reliable else ReliabilityPolicy.BEST_EFFORT


class AdaptiveSubscription(SimpleFilter):
    """A subscription that is reliable when all publishers of its topic are, else best effort.

    A best-effort subscription loses large images between processes, and a reliable one never connects to a
    best-effort publisher. So it starts reliable, turns best effort when the middleware reports an incompatible
    publisher, and looks at the publishers once per `period_s` of steady time for the way back. Without publishers it
    stays as it is. For nodes spun by a single-threaded executor.

    A filter of message_filters: more callbacks can be connected, and other filters behind it.

    The parameter `qos_overrides.<topic>.subscription.reliability` fixes it to `reliable` or `best_effort`; history
    and depth can be overridden as for any subscription.

    Attributes:
        topic: full name of the topic.
        reliability: what is asked of the publishers at present.
        recreations: how often the reliability changed.
    """

    def __init__(
        self,
        node: Node,
        message_type: type[Any],
        topic: str,
        callback: Callable[[Any], None],
        *,
        depth: int = 5,
        period_s: float = 1.0,
    ) -> None:
        """Subscribe to `topic`; names and remapping as in `Node.create_subscription`.

        Raises:
            ValueError: when the reliability override is none of adapt, reliable and best_effort.
        """
        super().__init__()
        self.registerCallback(callback)
        self.topic = node.resolve_topic_name(topic)
        self.recreations = 0
        self._node = node
        self._arguments = (message_type, topic)
        self._depth = depth
        policy = _reliability_parameter(node, self.topic)
        self._adapts = policy == _ADAPT
        self.reliability = _FIXED.get(policy, ReliabilityPolicy.RELIABLE)
        self._subscription = self._subscribe()
        # A subscription must not be destroyed inside its own event callback: the guard condition comes after it.
        self._refused = node.create_guard_condition(self._give_way)
        self._timer = node.create_timer(period_s, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    @property
    def publisher_count(self) -> int:
        """Publishers connected at present."""
        return int(self._subscription.get_publisher_count())

    def destroy(self) -> None:
        """Stop listening."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_guard_condition(self._refused)
        self._node.destroy_subscription(self._subscription)

    def _subscribe(self) -> Subscription:
        message_type, topic = self._arguments
        profile = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=self._depth, reliability=self.reliability)
        return self._node.create_subscription(
            message_type,
            topic,
            self.signalMessage,
            profile,
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=lambda _: self._refused.trigger()),
            # Not reliability: rclpy would bring the first subscription's back on every later one.
            qos_overriding_options=QoSOverridingOptions((QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH)),
        )

    def _give_way(self) -> None:
        if self._adapts:
            self._change_to(ReliabilityPolicy.BEST_EFFORT)
        else:
            _LOG.warning("%s: a publisher does not offer the reliability that qos_overrides demands", self.topic)

    def _look(self) -> None:
        topic = self._arguments[1]
        offered = [info.qos_profile.reliability for info in self._node.get_publishers_info_by_topic(topic)]
        if self._adapts and offered:
            self._change_to(common_reliability(offered))

    def _change_to(self, reliability: ReliabilityPolicy) -> None:
        if reliability == self.reliability:
            return
        _LOG.info("%s: subscribing as %s, which is what is offered", self.topic, reliability.name.lower())
        self._node.destroy_subscription(self._subscription)
        self.reliability = reliability
        self._subscription = self._subscribe()
        self.recreations += 1


def _reliability_parameter(node: Node, topic: str) -> str:
    name = f"qos_overrides.{topic}.subscription.reliability"
    if not node.has_parameter(name):
        choices = (_ADAPT, *_FIXED)
        descriptor = ParameterDescriptor(
            description=f"reliability for subscription `{topic}`",
            additional_constraints=f"One of: {', '.join(choices)}.",
            read_only=True,
        )
        node.declare_parameter(name, _ADAPT, descriptor)
    policy = str(node.get_parameter(name).value)
    if policy != _ADAPT and policy not in _FIXED:
        raise ValueError(f"parameter '{name}' must be {_ADAPT}, {' or '.join(_FIXED)}, not '{policy}'")
    return policy
