# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A ROS subscription as the source of a chain of filters."""

from __future__ import annotations

from typing import Any

from message_filters.simple_filter import SimpleFilter

DEFAULT_DEPTH = 10


class Subscriber(SimpleFilter):
    """``Subscriber(node, message_type, topic, **options of create_subscription)``; passes every message on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.node = args[0]
        self.topic = args[2]
        kwargs.setdefault("qos_profile", DEFAULT_DEPTH)
        self.sub = self.node.create_subscription(*args[1:], self.callback, **kwargs)

    def callback(self, msg: Any) -> None:
        self.signalMessage(msg)

    def getTopic(self) -> str:
        return self.topic

    def __getattr__(self, key: str) -> Any:
        """Everything else is the subscription's: ``topic_name``, ``qos_profile``, ``destroy``, ..."""
        if key == "sub":  # not subscribed yet
            raise AttributeError(key)
        return getattr(self.sub, key)
