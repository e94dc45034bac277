# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What stops is diagnosed when it stops, whatever came before; what is lost says nothing against track and metres."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from da3_ros.msg import WindowStatus
from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool

from da3_ros.inference.engine import EngineError
from da3_ros.nodes import da3_node, progress
from da3_ros.ros.image_messages import rgb_message
from da3_ros.ros.stamps import header
from test.graph.cameras import image_message, picture, stamp_of
from test.graph.harness import Graph
from test.graph.robot import listen_to_tf
from test.graph.test_failures import FailingEngine
from test.graph.test_robot_inputs import wait_for_task

STATUS, DIAGNOSTICS = "da3_node/status", "/diagnostics"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE_S", 0.2)
    monkeypatch.setattr(progress, "UNKNOWN_INTERVAL_S", 0.05)


def another_size(number: int) -> Image:
    return image_message("front", number, (60, 80))


def no_clock(number: int) -> Image:
    message = image_message("front", number)
    message.header.stamp.sec = message.header.stamp.nanosec = 0
    return message


@pytest.mark.parametrize(
    ("spoilt", "of_camera", "of_stream"),
    [(another_size, "~/reset", "size_changed"), (no_clock, "its stamp is zero", "no_stamp")],
)
def test_images_that_come_to_nothing_are_diagnosed_after_a_good_start(
    graph: Graph, spoilt: Callable[[int], Image], of_camera: str, of_stream: str
) -> None:
    graph.recorder.listen_to_node("front", topics=[STATUS, DIAGNOSTICS])
    node = graph.active_node(cameras=["front"], diagnostics_period_s=0.1)
    cameras = graph.cameras("front")
    graph.run(cameras, 0, 4)

    told: dict[str, str] = {}

    def is_told() -> bool:
        cameras.send("front", spoilt(4))
        for message in graph.recorder.messages(DIAGNOSTICS)[-1:]:
            told.update({s.name: s.message for s in message.status if s.level == DiagnosticStatus.WARN})
        return of_camera in told.get("da3_node: camera front", "") and of_stream in told.get("da3_node: stream", "")

    graph.recorder.wait_until(is_told, f"'{of_camera}' and '{of_stream}'")
    assert node.counters().windows <= 5


def test_single_camera_that_dies_is_diagnosed(graph: Graph) -> None:
    graph.recorder.listen_to_node("front", topics=[STATUS, DIAGNOSTICS])
    graph.active_node(cameras=["front"], diagnostics_period_s=0.1)
    cameras = graph.cameras("front")
    graph.run(cameras, 0, 4)

    wait_for_task(graph, "camera front", "silent: no image has come")
    wait_for_task(graph, "stream", "no image has come for")

    cameras.close()
    wait_for_task(graph, "camera front", "image_raw any more")


def test_nothing_is_wrong_and_no_account_is_sent_while_images_are_not_wanted(graph: Graph) -> None:
    graph.recorder.listen_to_node("front", topics=[STATUS, DIAGNOSTICS])
    node = graph.active_node(cameras=["front"], diagnostics_period_s=0.1)
    cameras = graph.cameras("front")
    graph.run(cameras, 0, 2)
    accounts = len(graph.statuses())

    assert graph.ask(SetBool, "da3_node/set_enabled", SetBool.Request(data=False)).success
    cameras.send_set(2)
    graph.wait_for_frames(node, 3)
    reports = len(graph.recorder.messages(DIAGNOSTICS))
    graph.recorder.wait_until(lambda: len(graph.recorder.messages(DIAGNOSTICS)) > reports + 4, "four more reports")

    assert "disabled" in wait_for_task(graph, "camera front", "disabled").message
    assert wait_for_task(graph, "stream", "disabled").level == DiagnosticStatus.OK
    assert len(graph.statuses()) == accounts


def test_window_that_fails_leaves_track_and_metres_as_they_are_told(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FailingEngine(EngineError("no answer"), calls=(3,))
    monkeypatch.setattr(da3_node, "make_engine", lambda params: engine)
    graph.recorder.listen_to_node("front", topics=[STATUS])
    graph.active_node(cameras=["front"], scale_mode="fixed", fixed_scale=2.0)
    cameras = graph.cameras("front")
    graph.run(cameras, 0, 2)

    cameras.send_set(2)
    graph.wait_for_window(2)

    (failed,) = graph.windows(2)
    assert "no answer" in failed.reason
    assert (failed.tracking_state, failed.scale_source) == (WindowStatus.TRACKING_OK, WindowStatus.SCALE_FIXED)


def test_frame_that_two_drivers_share_gets_one_edge_and_one_warning(graph: Graph) -> None:
    listen_to_tf(graph.recorder)
    graph.recorder.listen_to_node("front", "left", topics=[STATUS, DIAGNOSTICS])
    graph.active_node(cameras=["front", "left"], tf_mode="cameras", diagnostics_period_s=0.1)
    cameras = graph.cameras("front", "left", base_from_camera={})
    for number in range(4):
        for name in cameras.names:
            cameras.send(name, rgb_message(picture(name, number), header(stamp_of(number), "camera")))
    graph.wait_for_window(3)
    text = "cameras front, left share frame 'camera': give each driver its own frame_id"

    def warned() -> set[str]:
        reports = [report for message in graph.recorder.messages(DIAGNOSTICS) for report in message.status]
        return {one.name for one in reports if (one.level, one.message) == (DiagnosticStatus.WARN, text)}

    graph.recorder.wait_until(lambda: len(warned()) == 2, "a diagnosis of each camera")
    messages = graph.recorder.messages("/tf")
    assert messages
    assert all([edge.child_frame_id for edge in message.transforms] == ["camera"] for message in messages)
    assert len(graph.recorder.warnings(text)) == 1
