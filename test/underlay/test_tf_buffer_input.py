# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the transform tree believes, what it refuses, and how long it remembers."""

from __future__ import annotations

import math

import pytest
import tf2_ros
from geometry_msgs.msg import TransformStamped
from hypothesis import given
from hypothesis import strategies as st
from rclpy.duration import Duration
from rclpy.time import Time
from scipy.spatial.transform import Rotation

START_NS = 1_700_000_000_000_000_000
LATEST = Time()


def at(ns: int) -> Time:
    return Time(nanoseconds=START_NS + ns)


def shifted(parent: str, child: str, ns: int, x: float) -> TransformStamped:
    result = TransformStamped()
    result.header.stamp = at(ns).to_msg()
    result.header.frame_id, result.child_frame_id = parent, child
    result.transform.translation.x = x
    return result


def buffer_of(*messages: TransformStamped) -> tf2_ros.Buffer:
    buffer = tf2_ros.Buffer()
    for each in messages:
        buffer.set_transform(each, "test")
    return buffer


def _broken(**values: float | str) -> TransformStamped:
    result = shifted(str(values.pop("parent", "map")), str(values.pop("child", "base")), 0, 0.0)
    for name, value in values.items():
        part = result.transform.rotation if name in {"qx", "qw"} else result.transform.translation
        setattr(part, name[-1], value)
    return result


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(_broken(x=math.nan), id="nan translation"),
        pytest.param(_broken(x=math.inf), id="infinite translation"),  # stricter than upstream
        pytest.param(_broken(qx=math.nan), id="nan rotation"),
        pytest.param(_broken(qw=0.0), id="rotation of length zero"),
        pytest.param(_broken(qw=1.1), id="rotation of wrong length"),
        pytest.param(_broken(parent="base"), id="its own parent"),
        pytest.param(_broken(parent=""), id="no parent"),
        pytest.param(_broken(child=""), id="no child"),
    ],
)
def test_set_transform_ignores_a_message_when_it_cannot_be_right(bad: TransformStamped) -> None:
    buffer = buffer_of(shifted("map", "base", 10, 1.0))
    before = buffer.all_frames_as_yaml()

    assert buffer.set_transform(bad, "test") is None

    assert buffer.all_frames_as_yaml() == before


@given(st.integers(0, 2**32 - 1).map(lambda seed: Rotation.random(random_state=seed)), st.floats(0.9951, 1.0049))
def test_lookup_returns_a_rotation_of_length_one_when_the_message_is_a_little_off(
    rotation: Rotation, length: float
) -> None:
    sent = shifted("map", "base", 0, 0.0)
    for axis, value in zip("xyzw", rotation.as_quat(), strict=True):
        setattr(sent.transform.rotation, axis, float(value) * length)

    q = buffer_of(sent).lookup_transform("map", "base", LATEST).transform.rotation

    assert math.hypot(q.x, q.y, q.z, q.w) == pytest.approx(1.0, abs=1e-12)
    assert (Rotation.from_quat([q.x, q.y, q.z, q.w]) * rotation.inv()).magnitude() < 1e-7


def test_slash_of_ros_1_is_dropped_when_a_message_carries_it() -> None:
    buffer = buffer_of(shifted("/map", "/base", 0, 1.0))

    assert buffer.can_transform("map", "base", at(0))


def test_old_data_are_forgotten_when_they_leave_the_cache_time() -> None:
    second_ns = 10**9
    buffer = tf2_ros.Buffer(cache_time=Duration(seconds=2))
    for tenth in range(100):
        buffer.set_transform(shifted("map", "base", tenth * second_ns // 10, float(tenth)), "test")

    buffer.set_transform(shifted("map", "base", second_ns, 0.0), "late")  # 8.9 s older than the newest

    assert buffer.can_transform("map", "base", at(8 * second_ns))
    assert not buffer.can_transform("map", "base", at(7 * second_ns))


def test_late_data_are_sorted_in_when_they_lie_within_the_cache_time() -> None:
    buffer = buffer_of(*(shifted("map", "base", ns, float(ns)) for ns in (0, 30, 10, 20)))

    assert buffer.lookup_transform("map", "base", at(15)).transform.translation.x == pytest.approx(15.0)


def test_memory_stays_bounded_when_a_publisher_repeats_one_stamp() -> None:
    # Stricter than upstream, which stores every message with a repeated stamp.
    cache_module = pytest.importorskip("tf2_py.transform_cache", reason="upstream's tf2_py is compiled")
    cache = cache_module.MovingCache(10**9)
    edges = [cache_module.Edge("map", object()) for _ in range(100)]

    for edge in edges:
        cache.insert(START_NS, edge)

    assert len(cache) == 1
    assert cache.transform_at(START_NS) is edges[-1].parent_from_child
