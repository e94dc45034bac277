# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The one thread on which windows are processed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from da3_ros.ros.log_bridge import throttled
from da3_ros.streaming.frame import Window
from da3_ros.streaming.pipeline import Pipeline

_log = logging.getLogger(__name__)


class InferenceThread:
    """Takes the newest window, hands it on, and again; one failing window never stops the next.

    Args:
        pipeline: where windows come from.
        handle: processes and publishes one window.
    """

    def __init__(self, pipeline: Pipeline, handle: Callable[[Window], None]) -> None:
        self._pipeline = pipeline
        self._handle = handle
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the window in hand, and wait for that."""
        self._stopping.set()
        self._pipeline.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            window = self._pipeline.take()
            if window is None:
                continue
            try:
                self._handle(window)
            except Exception as error:  # the outermost loop: whatever it was, the robot goes on
                if self._stopping.is_set():
                    return
                kind = type(error).__name__
                once = throttled(f"window/{kind}", 10.0)
                _log.error("window %d failed: %s: %s", window.index, kind, error, extra=once)
                _log.debug("window %d", window.index, exc_info=True)
