# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The transform tree obeys the laws of rigid motion, interpolates, and says why it cannot answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tf2_ros
from geometry_msgs.msg import PointStamped, TransformStamped
from hypothesis import given
from hypothesis import strategies as st
from rclpy.time import Time
from scipy.spatial.transform import Rotation, Slerp

START_NS = 1_700_000_000_000_000_000
LATEST = Time()

coordinates = st.floats(-100.0, 100.0)
translations = st.tuples(coordinates, coordinates, coordinates)
rotations = st.integers(0, 2**32 - 1).map(lambda seed: Rotation.random(random_state=seed))
poses = st.tuples(translations, rotations)
Pose = tuple[tuple[float, float, float], Rotation]
AT_ORIGIN: Pose = ((0.0, 0.0, 0.0), Rotation.identity())


def at(ns: int) -> Time:
    return Time(nanoseconds=START_NS + ns)


def message(parent: str, child: str, ns: int = 0, pose: Pose = AT_ORIGIN) -> TransformStamped:
    result = TransformStamped()
    result.header.stamp = at(ns).to_msg()
    result.header.frame_id, result.child_frame_id = parent, child
    offset, q = result.transform.translation, result.transform.rotation
    offset.x, offset.y, offset.z = pose[0]
    q.x, q.y, q.z, q.w = map(float, pose[1].as_quat())
    return result


def shifted(parent: str, child: str, ns: int, x: float) -> TransformStamped:
    return message(parent, child, ns, ((x, 0.0, 0.0), Rotation.identity()))


def buffer_of(*messages: TransformStamped) -> tf2_ros.Buffer:
    buffer = tf2_ros.Buffer()
    for each in messages:
        buffer.set_transform(each, "test")
    return buffer


def as_matrix(transform: TransformStamped) -> np.ndarray:
    offset, q = transform.transform.translation, transform.transform.rotation
    return pose_matrix(((offset.x, offset.y, offset.z), Rotation.from_quat([q.x, q.y, q.z, q.w])))


def pose_matrix(pose: Pose) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = pose[1].as_matrix(), pose[0]
    return matrix


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0.0, atol=1e-11 * max(1.0, float(np.abs(expected).max())))


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[int], list[Pose]]:
    """Parent index (always smaller) and pose in the parent, for the frames 1..n; frame 0 is the root."""
    size = draw(st.integers(2, 8))
    parents = [draw(st.integers(0, child - 1)) for child in range(1, size)]
    return parents, draw(st.lists(poses, min_size=size - 1, max_size=size - 1))


@given(trees(), st.data())
def test_lookup_equals_the_product_of_matrices_when_frames_are_anywhere_in_a_tree(
    tree: tuple[list[int], list[Pose]], data: st.DataObject
) -> None:
    parents, tree_poses = tree
    root_from = [np.eye(4)]
    buffer = tf2_ros.Buffer()
    for child, (parent, pose) in enumerate(zip(parents, tree_poses, strict=True), start=1):
        root_from.append(root_from[parent] @ pose_matrix(pose))
        buffer.set_transform(message(f"f{parent}", f"f{child}", 0, pose), "test")
    target, source = (data.draw(st.integers(0, len(parents))) for _ in range(2))

    found = buffer.lookup_transform(f"f{target}", f"f{source}", at(0))

    assert_close(as_matrix(found), np.linalg.inv(root_from[target]) @ root_from[source])
    assert (found.header.frame_id, found.child_frame_id) == (f"f{target}", f"f{source}")
    assert Time.from_msg(found.header.stamp).nanoseconds == START_NS


@given(poses, poses)
def test_lookup_there_and_back_is_the_identity_when_frames_are_siblings(left: Pose, right: Pose) -> None:
    buffer = buffer_of(message("body", "left", 0, left), message("body", "right", 0, right))

    there = as_matrix(buffer.lookup_transform("left", "right", LATEST))
    back = as_matrix(buffer.lookup_transform("right", "left", LATEST))

    assert_close(there @ back, np.eye(4))


@given(poses, poses, st.integers(1, 10**10), st.data())
def test_interpolation_equals_slerp_and_line_when_time_lies_between_two_samples(
    start: Pose, end: Pose, span_ns: int, data: st.DataObject
) -> None:
    buffer = buffer_of(message("map", "base", 0, start), message("map", "base", span_ns, end))
    ns = data.draw(st.integers(0, span_ns))

    found = buffer.lookup_transform("map", "base", at(ns))

    between = Slerp([0, span_ns], Rotation.concatenate([start[1], end[1]]))(ns)
    line = np.asarray(start[0]) + (np.asarray(end[0]) - start[0]) * (ns / span_ns)
    angle_rad = (Rotation.from_matrix(as_matrix(found)[:3, :3]) * between.inv()).magnitude()
    half_turn = math.isclose((start[1].inv() * end[1]).magnitude(), math.pi, abs_tol=1e-6)
    assert half_turn or angle_rad < 1e-7  # half a turn has two shortest arcs
    np.testing.assert_allclose(as_matrix(found)[:3, 3], line, rtol=0.0, atol=1e-11)


@given(poses)
def test_lookup_returns_the_sample_when_time_is_exactly_its_stamp(pose: Pose) -> None:
    sent = message("map", "base", 7, pose)
    buffer = buffer_of(message("map", "base", 0), sent, message("map", "base", 10))

    assert_close(as_matrix(buffer.lookup_transform("map", "base", at(7))), as_matrix(sent))


def test_lookup_returns_an_equal_message_when_the_edge_was_sent_as_it_is() -> None:
    sent = shifted("map", "base", 5, 42.0)

    assert buffer_of(sent).lookup_transform("map", "base", at(5)) == sent


def test_lookup_of_latest_uses_the_newest_common_time_when_edges_end_at_different_times() -> None:
    early, late = 1_000, 3_000
    buffer = buffer_of(
        shifted("map", "base", 0, 0.0),
        shifted("map", "base", late, 3.0),
        shifted("base", "camera", 0, 0.0),
        shifted("base", "camera", early, 10.0),
    )

    found = buffer.lookup_transform("map", "camera", LATEST)

    assert buffer.get_latest_common_time("map", "camera").nanoseconds == START_NS + early
    assert Time.from_msg(found.header.stamp).nanoseconds == START_NS + early
    assert found.transform.translation.x == pytest.approx(11.0)


def test_full_lookup_sees_the_motion_when_the_fixed_frame_stands_still() -> None:
    buffer = buffer_of(shifted("map", "base", 0, 1.0), shifted("map", "base", 10, 4.0))

    found = buffer.lookup_transform_full("base", at(10), "base", at(0), "map")

    assert found.transform.translation.x == pytest.approx(-3.0)
    assert Time.from_msg(found.header.stamp).nanoseconds == START_NS + 10
    assert buffer.can_transform_full("base", at(10), "base", at(0), "map")
    assert not buffer.can_transform_full("base", at(11), "base", at(0), "map")


def test_lookup_follows_each_parent_in_its_time_when_a_frame_changes_parent() -> None:
    buffer = buffer_of(shifted("left_hand", "cup", 0, 1.0), shifted("right_hand", "cup", 10, 2.0))

    assert buffer.lookup_transform("left_hand", "cup", at(5)).transform.translation.x == 1.0
    assert buffer.lookup_transform("right_hand", "cup", at(10)).transform.translation.x == 2.0
    with pytest.raises(tf2_ros.ConnectivityException):
        buffer.lookup_transform("left_hand", "cup", at(10))


def test_static_transform_answers_for_every_time_and_outlives_clear() -> None:
    buffer = buffer_of(shifted("map", "base", 0, 1.0))
    buffer.set_transform_static(shifted("base", "camera", 0, 0.5), "test")

    assert buffer.can_transform("base", "camera", at(-(10**15)))
    assert buffer.lookup_transform("map", "camera", LATEST).transform.translation.x == 1.5
    buffer.clear()
    assert buffer.can_transform("base", "camera", at(10**15))
    assert not buffer.can_transform("map", "base", LATEST)


def test_frame_follows_the_last_kind_sent_when_it_was_static_and_moves_again() -> None:
    buffer = tf2_ros.Buffer()
    buffer.set_transform_static(shifted("map", "base", 0, 1.0), "test")
    buffer.set_transform(shifted("map", "base", 5, 2.0), "test")

    assert not buffer.can_transform("map", "base", at(1))
    assert buffer.lookup_transform("map", "base", LATEST).transform.translation.x == 2.0


@pytest.mark.parametrize(
    ("target", "source", "ns", "error", "words"),
    [
        ("map", "nowhere", 5, tf2_ros.LookupException, "does not exist"),
        ("map", "island_tree", 0, tf2_ros.ConnectivityException, "same tree"),
        ("map", "base", 11, tf2_ros.ExtrapolationException, "into the future"),
        ("map", "base", -1, tf2_ros.ExtrapolationException, "into the past"),
        ("base", "map", -1, tf2_ros.ExtrapolationException, "into the past"),
        ("island", "island_tree", 1, tf2_ros.ExtrapolationException, "only"),
        ("", "base", 5, tf2_ros.InvalidArgumentException, "empty"),
        ("map", "/base", 5, tf2_ros.InvalidArgumentException, "/"),
    ],
)
def test_lookup_raises_what_upstream_raises_when_it_cannot_answer(
    target: str, source: str, ns: int, error: type[Exception], words: str
) -> None:
    buffer = buffer_of(
        shifted("map", "base", 0, 0.0), shifted("map", "base", 10, 1.0), shifted("island", "island_tree", 0, 0.0)
    )

    with pytest.raises(error, match=words):
        buffer.lookup_transform(target, source, at(ns))
    possible, reason = buffer.can_transform(target, source, at(ns), return_debug_tuple=True)
    assert not possible
    assert words in reason


@pytest.mark.parametrize("name", ["Lookup", "Connectivity", "Extrapolation", "InvalidArgument", "Timeout"])
def test_exceptions_share_one_root_when_caught_as_transform_exception(name: str) -> None:
    assert issubclass(getattr(tf2_ros, f"{name}Exception"), tf2_ros.TransformException)


def test_lookup_raises_instead_of_spinning_when_the_tree_has_a_loop() -> None:
    buffer = buffer_of(message("a", "b"), message("b", "c"), message("c", "a"), message("map", "base"))

    with pytest.raises(tf2_ros.LookupException, match="loop"):
        buffer.lookup_transform("base", "a", at(0))


def test_frames_are_listed_with_parent_and_authority_when_asked_for_text() -> None:
    buffer = buffer_of(shifted("map", "base", 0, 1.0), shifted("base", "camera", 0, 1.0))

    assert buffer.all_frames_as_string().splitlines() == [
        "Frame base exists with parent map.",
        "Frame camera exists with parent base.",
    ]
    assert "parent: 'base'" in buffer.all_frames_as_yaml()
    assert "broadcaster: 'test'" in buffer.all_frames_as_yaml()


def test_transform_moves_an_object_when_its_type_is_registered() -> None:
    def move(point: PointStamped, target_from_source: TransformStamped) -> PointStamped:
        result = PointStamped(header=target_from_source.header)
        result.point.x = point.point.x + target_from_source.transform.translation.x
        return result

    tf2_ros.TransformRegistration().add(PointStamped, move)
    buffer = buffer_of(shifted("map", "base", 0, 2.0))
    point = PointStamped()
    point.header.frame_id, point.header.stamp, point.point.x = "base", at(0).to_msg(), 1.0

    moved = buffer.transform(point, "map", new_type=PointStamped)

    assert (moved.header.frame_id, moved.point.x) == ("map", 3.0)
    with pytest.raises(tf2_ros.TypeException):
        buffer.transform(TransformStamped(), "map")


def test_interface_refuses_look_ups_when_a_subclass_lacks_them() -> None:
    with pytest.raises(tf2_ros.NotImplementedException):
        tf2_ros.BufferInterface().lookup_transform("map", "base", LATEST)
