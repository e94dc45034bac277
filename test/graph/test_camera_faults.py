# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras that come, go, jump in time or have a broken calibration."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from da3_ros.msg import WindowStatus

from da3_ros.ros.camera_messages import to_camera
from test.graph.cameras import CAMERA, Cameras, image_message, info_message, picture
from test.graph.harness import Graph, dropped
from test.graph.truth import rgb_of

RIG = ("front", "left", "right")
DEPTH, INFO, STATUS = "depth/image_rect", "depth/camera_info", "da3_node/status"


def send_without(cameras: Cameras, missing: str, number: int) -> None:
    for camera in cameras.names:
        if camera != missing:
            cameras.send(camera, image_message(camera, number))


def test_other_cameras_go_on_when_one_stops_under_the_partial_policy(graph: Graph) -> None:
    graph.recorder.listen_to_node(*RIG, topics=[DEPTH, STATUS])
    node = graph.active_node(cameras=list(RIG), missing_camera="partial", diagnostics_period_s=0.1)
    cameras = graph.cameras(*RIG)
    graph.run(cameras, 0, 4)

    for number in range(4, 24):
        send_without(cameras, "left", number)
        graph.wait_for_frames(node, 12 + 2 * (number - 3))
    graph.wait_for_window(23)
    graph.recorder.settle()

    account = node.counters()
    assert account.frames_in == 12 + 40 == account.frames_published + sum(account.dropped.values())
    assert set(account.dropped) <= {"superseded"}
    assert graph.numbers_on(f"left/{DEPTH}") == [0, 1, 2, 3]
    assert graph.numbers_on(f"front/{DEPTH}")[-1] == 23
    assert graph.numbers_on(f"front/{DEPTH}") == graph.numbers_on(f"right/{DEPTH}")


def test_nothing_half_is_published_when_a_camera_stops_under_the_drop_policy(graph: Graph) -> None:
    graph.recorder.listen_to_node(*RIG, topics=[DEPTH, STATUS, "/diagnostics"])
    node = graph.active_node(cameras=list(RIG), diagnostics_period_s=0.1)
    cameras = graph.cameras(*RIG)
    graph.run(cameras, 0, 4)

    for number in range(4, 24):
        send_without(cameras, "left", number)
        graph.wait_for_frames(node, 12 + 2 * (number - 3))
    graph.recorder.wait_until(lambda: node.counters().in_flight == 0, "the decision about what was sent")
    status = graph.run(cameras, 24, 4)

    assert dropped(status) == {"missing_camera": 40}
    for camera in RIG:
        assert graph.numbers_on(f"{camera}/{DEPTH}") == [0, 1, 2, 3, 24, 25, 26, 27]
    reports = [report for array in graph.recorder.messages("/diagnostics") for report in array.status]
    assert any("left" in report.name and "silent" in report.message for report in reports)


def test_camera_that_joins_late_is_taken_in(graph: Graph) -> None:
    graph.recorder.listen_to_node(*RIG, topics=[DEPTH, STATUS])
    node = graph.active_node(cameras=list(RIG), missing_camera="partial", diagnostics_period_s=0.1)
    cameras = graph.cameras(*RIG)
    for number in range(12):
        send_without(cameras, "left", number)
        graph.wait_for_frames(node, 2 * (number + 1))
    graph.recorder.wait_until(lambda: node.counters().in_flight == 0, "the decision about what was sent")

    status = graph.run(cameras, 12, 6)

    assert set(dropped(status)) <= {"superseded"}
    assert graph.numbers_on(f"left/{DEPTH}") == [12, 13, 14, 15, 16, 17]
    assert graph.numbers_on(f"front/{DEPTH}")[-6:] == [12, 13, 14, 15, 16, 17]


def test_track_begins_anew_and_nothing_is_lost_when_a_bag_loops(graph: Graph) -> None:
    graph.recorder.listen_to_node(*RIG, topics=[DEPTH, STATUS])
    graph.active_node(cameras=list(RIG))
    cameras = graph.cameras(*RIG)

    for _ in range(3):
        status = graph.run(cameras, 0, 20)

    assert not dropped(status)
    assert status.frames_published == status.frames_in == 180
    states = [status.tracking_state for status in graph.statuses()]
    assert states.count(WindowStatus.TRACKING_STARTED) == 3
    for camera in RIG:
        assert graph.numbers_on(f"{camera}/{DEPTH}") == [*range(20)] * 3


@pytest.mark.parametrize(("fault", "cause"), [("zero", "uncalibrated"), ("nan", "invalid"), ("size", "invalid")])
def test_bad_calibration_is_refused_counted_and_warned_about_once(graph: Graph, fault: str, cause: str) -> None:
    graph.recorder.listen_to_node("front", topics=[INFO, STATUS, "/diagnostics"])
    node = graph.active_node(cameras=["front"], diagnostics_period_s=0.1)
    cameras = graph.cameras("front")
    info = info_message("front", 0)
    if fault == "size":
        info.width *= 2
    else:
        info.k = np.zeros(9) if fault == "zero" else np.full(9, np.nan)

    def refusals() -> int:
        return sum(node.spinner.call(lambda: node.run.inputs[0].state.refused_infos).values())

    number = 0
    while not refusals():
        cameras.send_info("front", info)
        graph.run(cameras, number, 1)
        number += 1

    assert len(graph.recorder.warnings("'front'", cause)) == 1
    published = graph.recorder.messages(f"front/{INFO}")
    guesses = {to_camera(message, (message.height, message.width)) for message in published}
    assert len(guesses) == 1, "the camera changed although no calibration was usable"
    graph.recorder.wait_until(
        lambda: any(
            "camera_info is not usable" in report.message
            for message in graph.recorder.messages("/diagnostics")
            for report in message.status
        ),
        "the diagnosis of the camera_info",
    )


def test_good_calibration_survives_a_bad_camera_info(graph: Graph) -> None:
    graph.recorder.listen_to_node("front", topics=[INFO, STATUS])
    node = graph.active_node(cameras=["front"])
    cameras = graph.cameras("front")

    def state_after_a_frame(number: int) -> tuple[bool, int]:
        graph.run(cameras, number, 1)
        state = node.spinner.call(lambda: node.run.inputs[0].state)
        return state.calibrated, sum(state.refused_infos.values())

    number = 0
    while not state_after_a_frame(number)[0]:
        cameras.send_info("front", info_message("front", number))
        number += 1
    bad = info_message("front", number)
    bad.k = np.full(9, np.nan)
    cameras.send_info("front", bad)
    while not state_after_a_frame(number := number + 1)[1]:
        pass
    graph.run(cameras, number + 1, 1)

    last = graph.recorder.messages(f"front/{INFO}")[-1]
    camera = to_camera(last, (last.height, last.width))
    assert camera == CAMERA.resized(camera.size)


def test_cameras_of_different_sizes_are_cropped_to_one_about_their_middles(graph: Graph) -> None:
    graph.recorder.listen_to_node("front", "left", topics=["rgb/image_rect", "rgb/camera_info", STATUS])
    graph.active_node(cameras=["front", "left"], process_resolution=168)
    cameras = graph.cameras("front", "left")
    sizes = {"front": (120, 160), "left": (80, 160)}

    for number in range(4):
        for name, size in sizes.items():
            cameras.send(name, image_message(name, number, size))
    graph.wait_for_window(3)
    graph.recorder.settle()

    whole = {"front": (126, 168), "left": (84, 168)}
    for name, size in sizes.items():
        sent = cv2.resize(picture(name, 3, size), whole[name][::-1], interpolation=cv2.INTER_LINEAR)
        message, info = (graph.recorder.messages(f"{name}/rgb/{topic}")[-1] for topic in ("image_rect", "camera_info"))
        assert (message.height, message.width) == (info.height, info.width) == (84, 168)
        cut = (whole[name][0] - 84) // 2
        difference = rgb_of(message).astype(int) - sent[cut : cut + 84]
        assert np.median(np.abs(difference)) <= 2
