# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Transforms as TF holds them, and which frame hangs from which."""

from __future__ import annotations

import numpy as np
import pytest

from da3_ros.geometry.sim3 import rigid
from da3_ros.nodes.tf_owner import TfOwner
from test.nodes.tf_messages import HandFedTree

S = 1_000_000_000


def shifted(x: float) -> np.ndarray:
    return rigid(np.eye(3), [x, 0.0, 0.0])


def test_lookup_follows_tf_between_two_stamps() -> None:
    tree = HandFedTree()
    tree.send("odom", "base_link", shifted(1.0), 10 * S)
    tree.send("odom", "base_link", shifted(2.0), 11 * S)
    tree.send("base_link", "camera", shifted(0.5), is_static=True)

    np.testing.assert_allclose(tree.lookup("odom", "camera", 10 * S + S // 4), shifted(1.75), atol=1e-12)
    assert tree.newest("odom", "camera")[0] == 11 * S
    assert tree.newest("base_link", "camera")[0] == 0


@pytest.mark.parametrize(
    ("target", "stamp_ns"), [("odom", 12 * S), ("map", 10 * S), ("/odom", 10 * S)], ids=["late", "unknown", "slash"]
)
def test_lookup_says_why_it_does_not_know(target: str, stamp_ns: int) -> None:
    tree = HandFedTree()
    tree.send("odom", "base_link", shifted(1.0), 10 * S)
    tree.send("odom", "base_link", shifted(1.0), 11 * S)

    with pytest.raises(LookupError, match=r"\w"):
        tree.lookup(target, "base_link", stamp_ns)


def test_motion_is_forgotten_when_a_bag_begins_again() -> None:
    tree = HandFedTree()
    for second in (100, 101):
        tree.send("odom", "base_link", shifted(second), second * S)
    for second in (10, 11):
        tree.send("odom", "base_link", shifted(second), second * S)

    np.testing.assert_allclose(tree.lookup("odom", "base_link", 10 * S + S // 2), shifted(10.5), atol=1e-9)


def test_frames_between_two_are_those_whose_edges_are_on_the_way() -> None:
    tree = HandFedTree()
    for parent, child in (("map", "odom"), ("odom", "base_link"), ("base_link", "camera"), ("base_link", "imu")):
        tree.send(parent, child)

    assert tree.frames_between("imu", "camera") == {"imu", "camera"}
    assert tree.frames_between("odom", "camera") == tree.frames_between("camera", "odom") == {"base_link", "camera"}
    assert tree.frames_between("map", "base_link") == {"odom", "base_link"}
    assert tree.frames_between("camera", "elsewhere") == frozenset()


def test_walk_ends_when_tf_holds_a_loop() -> None:
    tree = HandFedTree()
    tree.send("a", "b")
    tree.send("b", "a")

    assert tree.frames_between("a", "b") <= {"a", "b"}


def test_edge_is_ours_while_nobody_else_gives_its_child_a_parent() -> None:
    tree = HandFedTree()
    owner = TfOwner(tree, "odom")

    assert owner.may_publish("base_link")
    tree.send("odom", "base_link")  # our own message comes back
    assert owner.may_publish("base_link")
    assert owner.ours == {"base_link"}


@pytest.mark.parametrize("parent", ["base_link", "odom"])
def test_edge_is_not_published_when_its_child_has_a_parent_before(
    parent: str, caplog: pytest.LogCaptureFixture
) -> None:
    tree = HandFedTree()
    tree.send(parent, "camera", is_static=True)
    owner = TfOwner(tree, "odom")

    assert not any(owner.may_publish("camera") for _ in range(3))
    assert owner.refused == {"camera": parent}
    assert owner.ours == frozenset()
    assert len(caplog.messages) == 1
    assert f"'camera' in '{parent}'" in caplog.messages[0]


def test_edge_is_given_up_for_good_when_another_parent_appears_later() -> None:
    tree = HandFedTree()
    owner = TfOwner(tree, "odom")
    assert owner.may_publish("base_link")

    tree.send("odom", "base_link")
    tree.send("wheel_odom", "base_link")
    tree.send("odom", "base_link")

    assert not owner.may_publish("base_link")
    assert not owner.may_publish("base_link")
    assert owner.refused == {"base_link": "wheel_odom"}


def test_nobody_owns_a_frame_without_a_name() -> None:
    assert not TfOwner(HandFedTree(), "odom").may_publish("")


def test_frame_that_cameras_share_belongs_to_the_first_of_them() -> None:
    owner = TfOwner(HandFedTree(), "odom")

    assert owner.may_publish("camera", "front")
    assert not owner.may_publish("camera", "left")
    assert owner.may_publish("camera", "front")
    assert owner.may_publish("left_optical_frame", "left")
