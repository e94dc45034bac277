# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Waiting until somebody listens, and saying for whom."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from threading import Event

from rclpy.publisher import Publisher

LOOK_PERIOD_S = 0.05
SILENT_S = 2.0
TELL_PERIOD_S = 10.0
_log = logging.getLogger(__name__)


def wait_for_subscribers(publishers: Collection[Publisher], stopping: Event) -> None:
    """Wait until every topic has a subscriber, or until told to stop; name those without again and again.

    Args:
        publishers: of the topics.
        stopping: ends the wait.
    """
    due_s = time.monotonic() + SILENT_S
    while alone := [one.topic_name for one in publishers if not one.get_subscription_count()]:
        if time.monotonic() >= due_s:
            due_s = time.monotonic() + TELL_PERIOD_S
            _log.warning(
                "nothing is played yet, as nobody subscribes to %s: give da3_node these cameras and this "
                "image_transport, or play with wait_for_subscribers:=false",
                ", ".join(alone),
            )
        if stopping.wait(LOOK_PERIOD_S):
            return
