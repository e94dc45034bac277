# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Look-ups wait for data from other threads, and threads never see half a change."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import tf2_ros
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.time import Time

START_NS = 1_700_000_000_000_000_000
LATEST = Time()
LONG = Duration(seconds=40)  # longer than the tests wait for a result


def at(ns: int) -> Time:
    return Time(nanoseconds=START_NS + ns)


def shifted(parent: str, child: str, ns: int, x: float) -> TransformStamped:
    result = TransformStamped()
    result.header.stamp = at(ns).to_msg()
    result.header.frame_id, result.child_frame_id = parent, child
    result.transform.translation.x = x
    return result


def test_lookup_wakes_when_the_data_come_from_another_thread_within_the_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    buffer, asked = tf2_ros.Buffer(), threading.Event()
    can_transform_core = buffer.can_transform_core

    def ask(*query: object) -> tuple[bool, str]:
        answer = can_transform_core(*query)
        asked.set()
        return answer

    monkeypatch.setattr(buffer, "can_transform_core", ask)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(buffer.lookup_transform, "map", "base", at(0), LONG)
        assert asked.wait(timeout=20)
        buffer.set_transform(shifted("map", "base", 0, 1.0), "test")

        assert waiting.result(timeout=20).transform.translation.x == 1.0


def test_full_lookup_wakes_when_the_data_come_from_another_thread_within_the_timeout() -> None:
    buffer = tf2_ros.Buffer()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(buffer.lookup_transform_full, "base", at(0), "base", at(0), "map", LONG)
        asking = pool.submit(buffer.can_transform_full, "base", at(0), "base", at(0), "map", LONG)
        buffer.set_transform(shifted("map", "base", 0, 1.0), "test")

        assert waiting.result(timeout=20).transform.translation.x == 0.0
        assert asking.result(timeout=20)


def test_lookup_raises_the_reason_when_the_timeout_ends_without_data() -> None:
    buffer = tf2_ros.Buffer()

    assert not buffer.can_transform("map", "base", at(0), Duration(nanoseconds=10**6))
    with pytest.raises(tf2_ros.LookupException):
        buffer.lookup_transform("map", "base", at(0), Duration(nanoseconds=10**6))


def test_future_gets_the_transform_when_the_data_come_later() -> None:
    buffer = tf2_ros.Buffer()
    future = buffer.wait_for_transform_async("map", "base", at(0))
    full = buffer.wait_for_transform_full_async("base", at(0), "map", at(0), "map")
    assert not future.done()

    buffer.set_transform(shifted("map", "base", 0, 2.0), "test")

    assert future.result().transform.translation.x == 2.0
    assert full.result().transform.translation.x == -2.0


def test_future_is_done_at_once_when_the_data_are_there() -> None:
    buffer = tf2_ros.Buffer()
    buffer.set_transform(shifted("map", "base", 0, 2.0), "test")

    assert buffer.wait_for_transform_async("map", "base", at(0)).done()


def test_cancelled_future_is_left_alone_when_the_data_come() -> None:
    # Stricter than upstream, which gives it a result all the same.
    buffer = tf2_ros.Buffer()
    future = buffer.wait_for_transform_async("map", "base", at(0))
    future.cancel()

    buffer.set_transform(shifted("map", "base", 0, 2.0), "test")
    buffer.set_transform(shifted("map", "base", 1, 2.0), "test")

    assert future.cancelled()


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads interrupt each other as often as the interpreter can make them."""
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval_s)


@pytest.mark.usefixtures("eager_threads")
def test_answers_belong_to_their_stamp_when_threads_write_and_read_at_once() -> None:
    buffer, finished, count = tf2_ros.Buffer(cache_time=Duration(nanoseconds=5)), threading.Event(), 5000

    def write(first: int, last: int) -> None:
        for ns in range(first, last + 1):
            for parent, child in (("a", "b"), ("b", "c")):
                buffer.set_transform(shifted(parent, child, ns, float(ns)), "test")

    def read() -> None:
        while not finished.is_set():
            found = buffer.lookup_transform("a", "c", LATEST)
            ns = Time.from_msg(found.header.stamp).nanoseconds - START_NS
            assert found.transform.translation.x == pytest.approx(2.0 * ns)

    write(1, 1)
    with ThreadPoolExecutor() as pool:
        readers = [pool.submit(read) for _ in range(2)]
        pool.submit(write, 2, count).result(timeout=60)
        finished.set()
        for reader in readers:
            reader.result(timeout=60)

    assert buffer.lookup_transform("a", "c", LATEST).transform.translation.x == 2.0 * count
