# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Bad input is counted by cause, warned about once and skipped; nothing wrong is published and the node goes on."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import pytest
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import Trigger

from da3_ros.ros.compressed_messages import jpeg_message
from da3_ros.ros.stamps import header
from test.graph.cameras import frame_id_of, image_message, picture, stamp_of
from test.graph.harness import Graph, dropped

DEPTH, STATUS = "depth/image_rect", "da3_node/status"


def unknown_encoding(message: Image) -> None:
    message.encoding = "heat_map"


def step_below_the_row(message: Image) -> None:
    message.step -= 1


def data_beyond_the_rows(message: Image) -> None:
    message.data.append(0)


def no_data(message: Image) -> None:
    message.data = array("B")


def no_width(message: Image) -> None:
    message.width = 0


def half_the_data(message: Image) -> None:
    message.data = message.data[: len(message.data) // 2]


def another_size(message: Image) -> None:
    message.height //= 2
    message.data = message.data[: len(message.data) // 2]


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (unknown_encoding, "unknown_encoding"),
        (step_below_the_row, "bad_step"),
        (data_beyond_the_rows, "bad_step"),
        (no_data, "empty_image"),
        (no_width, "empty_image"),
        (half_the_data, "truncated"),
        (another_size, "size_changed"),
    ],
)
def test_bad_images_are_counted_warned_about_once_and_skipped(
    graph: Graph, spoil: Callable[[Image], None], cause: str
) -> None:
    graph.recorder.listen_to_node("front", topics=[DEPTH, STATUS])
    node = graph.active_node(cameras=["front"])
    cameras = graph.cameras("front")
    graph.run(cameras, 0, 2)

    for number in (2, 3, 4):
        message = image_message("front", number)
        spoil(message)
        cameras.send("front", message)
    graph.wait_for_frames(node, 5)
    status = graph.run(cameras, 5, 2)

    assert dropped(status) == {cause: 3}
    assert (status.frames_in, status.frames_published) == (7, 4)
    assert graph.numbers_on(f"front/{DEPTH}") == [0, 1, 5, 6]
    assert len(graph.recorder.warnings("'front'", cause)) == 1


@pytest.mark.parametrize("case", ["noise", "half", "empty", "depth"])
def test_bad_compressed_images_are_counted_warned_about_once_and_skipped(graph: Graph, case: str) -> None:
    graph.recorder.listen_to_node("front", topics=[DEPTH, STATUS])
    node = graph.active_node(cameras=["front"], image_transport="compressed")
    cameras = graph.cameras("front", compressed=True)

    def jpeg(number: int) -> CompressedImage:
        return jpeg_message(picture("front", number), header(stamp_of(number), frame_id_of("front")))

    cameras.send("front", jpeg(0))
    for number in (1, 2):
        bad = jpeg(number)
        whole = bad.data
        spoilt = {"noise": array("B", range(256)), "half": whole[: len(whole) // 2], "empty": array("B")}
        bad.data = spoilt.get(case, whole)
        bad.format = "16UC1; compressedDepth png" if case == "depth" else bad.format
        cameras.send("front", bad)
    graph.wait_for_frames(node, 3)
    cameras.send("front", jpeg(3))
    graph.wait_for_window(3)

    cause = {"empty": "empty_image", "depth": "unknown_encoding"}.get(case, "corrupt_image")
    assert dropped(graph.windows(3)[0]) == {cause: 2}
    assert graph.numbers_on(f"front/{DEPTH}") == [0, 3]
    assert len(graph.recorder.warnings("'front'", cause)) == 1


def test_one_bad_image_costs_only_its_own_set_when_the_rig_has_several_cameras(graph: Graph) -> None:
    rig = ("front", "left", "right")
    graph.recorder.listen_to_node(*rig, topics=[DEPTH, STATUS])
    graph.active_node(cameras=list(rig))
    cameras = graph.cameras(*rig)
    graph.run(cameras, 0, 4)

    bad = image_message("left", 4)
    half_the_data(bad)
    for camera, message in (("front", image_message("front", 4)), ("left", bad), ("right", image_message("right", 4))):
        cameras.send(camera, message)
    status = graph.run(cameras, 5, 4)

    assert dropped(status) == {"truncated": 1, "missing_camera": 2}
    assert (status.frames_in, status.frames_published) == (27, 24)
    for camera in rig:
        assert graph.numbers_on(f"{camera}/{DEPTH}") == [0, 1, 2, 3, 5, 6, 7, 8]


def test_images_of_every_size_are_taken_again_after_a_reset(graph: Graph) -> None:
    graph.recorder.listen_to_node("front", topics=[DEPTH, STATUS])
    node = graph.active_node(cameras=["front"])
    cameras = graph.cameras("front")
    graph.run(cameras, 0, 2)
    cameras.send_set(2, size=(90, 160))
    graph.wait_for_frames(node, 3)

    assert graph.ask(Trigger, "da3_node/reset", Trigger.Request()).success
    status = graph.run(cameras, 3, 2, size=(90, 160))

    assert dropped(status) == {"size_changed": 1}
    assert graph.numbers_on(f"front/{DEPTH}") == [0, 1, 3, 4]
