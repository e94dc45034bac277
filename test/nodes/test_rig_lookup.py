# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras are placed by TF: at once, or when TF comes to know them; each is read once."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from da3_ros.geometry.sim3 import rigid
from da3_ros.nodes.rig_lookup import RigLookup
from da3_ros.streaming.frame import Frame
from test.nodes.tf_messages import HandFedTree

LEFT, RIGHT = rigid(np.eye(3), [0.0, 0.1, 1.0]), rigid(np.eye(3), [0.0, -0.1, 1.0])


def frames(*cameras: str, frame_id: str = "{}_optical_frame") -> list[Frame]:
    image = np.zeros((1, 1, 3), np.uint8)
    return [Frame(camera, 1, frame_id.format(camera), image, None) for camera in cameras]


def lookup(tree: HandFedTree, patience_s: float = 0.0) -> RigLookup:
    return RigLookup(tree, "base_link", ("left", "right"), patience_s)


def test_all_cameras_are_placed_when_tf_knows_them() -> None:
    tree = HandFedTree()
    tree.send("base_link", "left_optical_frame", LEFT, is_static=True)
    tree.send("base_link", "mast", rigid(np.eye(3), [0.0, 0.0, 1.0]), is_static=True)
    tree.send("mast", "right_optical_frame", rigid(np.eye(3), [0.0, -0.1, 0.0]), is_static=True)
    rig = lookup(tree)

    placed = rig.poll(frames("left", "right"))

    assert placed is not None
    np.testing.assert_allclose(placed["left"], LEFT, atol=1e-12)
    np.testing.assert_allclose(placed["right"], RIGHT, atol=1e-12)
    assert rig.missing == {}
    assert rig.poll(frames("left", "right")) is None


def test_missing_camera_is_named_and_taken_in_when_it_appears(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    tree = HandFedTree()
    tree.send("base_link", "left_optical_frame", LEFT, is_static=True)
    rig = lookup(tree)

    first = rig.poll(frames("left", "right"))

    assert first is not None
    assert list(first) == ["left"]
    assert list(rig.missing) == ["right"]
    assert "base_link <- right_optical_frame" in rig.missing["right"]
    assert [record.levelname for record in caplog.records if "'right'" in record.message] == ["WARNING"]
    assert rig.poll(frames("left", "right")) is None

    tree.send("base_link", "right_optical_frame", RIGHT, is_static=True)
    later = rig.poll(frames("left", "right"))

    assert later is not None
    assert list(later) == ["left", "right"]
    assert rig.missing == {}
    assert "camera 'right'" in caplog.messages[-1]


def test_camera_is_placed_when_its_first_image_comes_later() -> None:
    tree = HandFedTree()
    tree.send("base_link", "left_optical_frame", LEFT, is_static=True)
    tree.send("base_link", "right_optical_frame", RIGHT, is_static=True)
    rig = lookup(tree)
    rig.poll(frames("left"))

    assert rig.missing == {"right": "no image has come yet"}
    assert rig.poll(frames("left", "right")) is not None
    assert rig.missing == {}


def test_first_poll_waits_for_tf_and_only_the_first() -> None:
    tree = HandFedTree()
    rig = lookup(tree, patience_s=20.0)
    late = threading.Timer(0.1, lambda: tree.send("base_link", "left_optical_frame", LEFT, is_static=True))
    late.start()

    placed = rig.poll(frames("left"))

    late.join()
    assert placed is not None
    assert list(placed) == ["left"]
    assert rig.has_looked
    assert rig.poll(frames("right")) is None


def test_wait_ends_when_the_node_stops() -> None:
    rig = lookup(HandFedTree(), patience_s=1e9)
    stop = threading.Timer(0.1, rig.stop)
    stop.start()

    assert rig.poll(frames("left")) is None
    stop.join()


def test_place_that_changes_later_is_not_followed() -> None:
    tree = HandFedTree()
    tree.send("base_link", "left_optical_frame", LEFT, 1)
    rig = lookup(tree)
    rig.poll(frames("left"))
    tree.send("base_link", "left_optical_frame", RIGHT, 2)
    tree.send("base_link", "right_optical_frame", RIGHT, is_static=True)

    placed = rig.poll(frames("left", "right"))

    assert placed is not None
    np.testing.assert_allclose(placed["left"], LEFT, atol=1e-12)


def test_nothing_is_placed_and_that_is_said_when_images_name_no_frame(caplog: pytest.LogCaptureFixture) -> None:
    rig = lookup(HandFedTree())

    assert rig.poll(frames("left", "right", frame_id="")) is None
    assert rig.missing == dict.fromkeys(("left", "right"), "its images name no frame_id")
    assert "it is taken at camera 'left'" in caplog.messages[-1]


def test_second_camera_with_the_frame_of_the_first_is_not_placed_and_told_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tree = HandFedTree()
    tree.send("base_link", "camera", LEFT, is_static=True)
    rig = lookup(tree)

    placed = rig.poll(frames("left", "right", frame_id="camera"))

    assert placed is not None
    assert list(placed) == ["left"]
    assert "shares frame 'camera' with camera 'left': give each driver its own frame_id" in rig.missing["right"]
    assert any("'right'" in message and "frame_id" in message for message in caplog.messages)
