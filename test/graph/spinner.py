# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A thread that spins one node, and on which things can be called."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

TIMEOUT_S = 30.0  # an order of magnitude above what anything here takes; only a failure waits so long
Result = TypeVar("Result")


class Spinner:
    """Owns a node from now on: spins it on a thread of its own, and destroys it in the end.

    Attributes:
        error: what a callback raised; it has ended the spinning, as it would end the node's process.
    """

    def __init__(self, node: Node) -> None:
        self.error: BaseException | None = None
        self._node = node
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        self._stopping = False
        self._thread = threading.Thread(target=self._spin, name=f"spin {node.get_name()}", daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], Result], timeout_s: float = TIMEOUT_S) -> Result:
        """The function's result, from the thread that spins; what it raises is raised here."""
        done = threading.Event()
        results: list[Result] = []
        errors: list[BaseException] = []

        def task() -> None:
            try:
                results.append(function())
            except BaseException as error:
                errors.append(error)
            done.set()

        self._executor.create_task(task)
        assert done.wait(timeout_s), f"the node did not answer within {timeout_s} s; it had raised {self.error!r}"
        if errors:
            raise errors[0]
        return results[0]

    def close(self) -> None:
        """Stop spinning and destroy the node; raises what a callback had raised."""
        if self._thread.is_alive():
            self._executor.create_task(self._stop)
            self._thread.join(TIMEOUT_S)
            assert not self._thread.is_alive(), "the node did not stop"
        if self.error is not None:
            raise self.error

    def _stop(self) -> None:
        self._stopping = True

    def _spin(self) -> None:
        try:
            while not self._stopping:
                self._executor.spin_once()
        except BaseException as error:
            self.error = error
        finally:
            self._executor.shutdown()
            self._node.destroy_node()
