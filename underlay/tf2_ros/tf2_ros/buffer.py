# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""BufferCore with waiting: until a timeout, or as a future; cleared when the clock jumps back."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, Literal, overload

from geometry_msgs.msg import TransformStamped
from rclpy.clock import Clock, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.task import Future
from rclpy.time import Time
from tf2_py import BufferCore, TransformException
from tf2_py.stamps import NS_PER_S, to_ns

from tf2_ros.buffer_interface import NO_WAIT, BufferInterface


class Buffer(BufferCore, BufferInterface):
    """Stores transforms and answers look-ups, at once or when the data have come.

    Waiting wakes as soon as the data arrive, by the steady clock. As in upstream, who waits inside a callback
    needs another thread to receive the data. Not offered: the ``tf2_frames`` service.
    """

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        if cache_time is None:
            BufferCore.__init__(self)
        else:
            BufferCore.__init__(self, cache_time)
        BufferInterface.__init__(self)
        self._arrival = threading.Condition()
        self._watchers: list[Callable[[], None]] = []
        self.clock = Clock() if node is None else node.get_clock()
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True)
        on_jump = weakref.WeakMethod(self.time_jump_callback)  # the clock must not keep the buffer alive
        self.jump_handle = self.clock.create_jump_callback(
            threshold, post_callback=lambda jump: (method := on_jump()) and method(jump)
        )

    def time_jump_callback(self, time_jump: TimeJump) -> None:
        """Forget all motion: after a jump, old and new stamps do not belong to one history."""
        get_logger("tf2_buffer").warning("The clock jumped: the transforms of moving frames are cleared")
        self.clear()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        super().set_transform(transform, authority)
        self._announce_arrival()

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        super().set_transform_static(transform, authority)
        self._announce_arrival()

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Time, timeout: Duration = NO_WAIT
    ) -> TransformStamped:
        """``lookup_transform_core`` after waiting up to a timeout for the data.

        Raises:
            tf2_py.TransformException: not available, even then.
        """
        self._wait(lambda: self.can_transform_core(target_frame, source_frame, time)[0], timeout)
        return self.lookup_transform_core(target_frame, source_frame, time)

    def lookup_transform_full(
        self,
        target_frame: str,
        target_time: Time,
        source_frame: str,
        source_time: Time,
        fixed_frame: str,
        timeout: Duration = NO_WAIT,
    ) -> TransformStamped:
        """``lookup_transform_full_core`` after waiting up to a timeout for the data.

        Raises:
            tf2_py.TransformException: not available, even then.
        """
        query = (target_frame, target_time, source_frame, source_time, fixed_frame)
        self._wait(lambda: self.can_transform_full_core(*query)[0], timeout)
        return self.lookup_transform_full_core(*query)

    async def lookup_transform_async(self, target_frame: str, source_frame: str, time: Time) -> TransformStamped:
        """The transform, as soon as it is available."""
        return await self.wait_for_transform_async(target_frame, source_frame, time)

    async def lookup_transform_full_async(
        self, target_frame: str, target_time: Time, source_frame: str, source_time: Time, fixed_frame: str
    ) -> TransformStamped:
        """The transform between two times, as soon as it is available."""
        return await self.wait_for_transform_full_async(
            target_frame, target_time, source_frame, source_time, fixed_frame
        )

    @overload
    def can_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Time,
        timeout: Duration = ...,
        return_debug_tuple: Literal[False] = ...,
    ) -> bool: ...

    @overload
    def can_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Time,
        timeout: Duration = ...,
        *,
        return_debug_tuple: Literal[True],
    ) -> tuple[bool, str]: ...

    def can_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Time,
        timeout: Duration = NO_WAIT,
        return_debug_tuple: bool = False,
    ) -> bool | tuple[bool, str]:
        """Whether the look-up would answer within the timeout; with the reason why not when asked for."""
        self._wait(lambda: self.can_transform_core(target_frame, source_frame, time)[0], timeout)
        answer = self.can_transform_core(target_frame, source_frame, time)
        return answer if return_debug_tuple else answer[0]

    def can_transform_full(
        self,
        target_frame: str,
        target_time: Time,
        source_frame: str,
        source_time: Time,
        fixed_frame: str,
        timeout: Duration = NO_WAIT,
        return_debug_tuple: bool = False,
    ) -> bool | tuple[bool, str]:
        """Whether the look-up between two times would answer within the timeout."""
        query = (target_frame, target_time, source_frame, source_time, fixed_frame)
        self._wait(lambda: self.can_transform_full_core(*query)[0], timeout)
        answer = self.can_transform_full_core(*query)
        return answer if return_debug_tuple else answer[0]

    def wait_for_transform_async(self, target_frame: str, source_frame: str, time: Time) -> Future:
        """A future that gets the transform as soon as it is available."""
        return self._when_available(lambda: self.lookup_transform_core(target_frame, source_frame, time))

    def wait_for_transform_full_async(
        self, target_frame: str, target_time: Time, source_frame: str, source_time: Time, fixed_frame: str
    ) -> Future:
        """A future that gets the transform between two times as soon as it is available."""
        query = (target_frame, target_time, source_frame, source_time, fixed_frame)
        return self._when_available(lambda: self.lookup_transform_full_core(*query))

    def _announce_arrival(self) -> None:
        with self._arrival:
            self._arrival.notify_all()
            watchers = tuple(self._watchers)
        for watcher in watchers:
            watcher()

    def _wait(self, is_available: Callable[[], bool], timeout: Duration) -> None:
        timeout_s = to_ns(timeout) / NS_PER_S
        if timeout_s > 0:
            with self._arrival:
                self._arrival.wait_for(is_available, min(timeout_s, threading.TIMEOUT_MAX))

    def _when_available(self, look_up: Callable[[], TransformStamped]) -> Future:
        future = Future()
        unclaimed = threading.Lock()  # transforms arrive in many threads, a future is settled once

        def settle(_: Any = None) -> None:
            try:
                transform = look_up()
            except TransformException:
                return
            if not future.cancelled() and unclaimed.acquire(blocking=False):
                future.set_result(transform)

        settle()
        if not future.done():
            with self._arrival:
                self._watchers.append(settle)
            future.add_done_callback(lambda _: self._forget_watcher(settle))
            settle()  # the data may have come before the watcher was in place
        return future

    def _forget_watcher(self, watcher: Callable[[], None]) -> None:
        with self._arrival:
            self._watchers.remove(watcher)
