# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Every transition does what a lifecycle manager expects, and leaves nothing behind."""

from __future__ import annotations

import threading
from pathlib import Path

from da3_ros.msg import WindowStatus
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from std_srvs.srv import SetBool, Trigger

from da3_ros.nodes.camera_outputs import TOPICS
from test.graph.harness import Graph, RunningNode, dropped

OURS = (*TOPICS, "status", "odom", "path", "rig", "/diagnostics", "/tf")


def topics_of(node: RunningNode) -> list[str]:
    """What the node itself publishes, without what rclpy publishes for every node."""
    return [topic for topic in node.listeners() if topic.endswith(OURS)]


def test_node_publishes_when_active_and_leaves_nothing_after_cleanup(graph: Graph) -> None:
    graph.recorder.listen_to_node("front")
    threads = threading.active_count()
    node = graph.node(cameras=["front"], tf_mode="cameras")
    ours = threading.active_count() - threads

    for _ in range(2):
        assert node.transition("configure")
        assert node.transition("activate")
        assert threading.active_count() == threads + ours + 1
        assert len(topics_of(node)) == 13
        assert node.transition("deactivate")
        assert threading.active_count() == threads + ours
        assert node.transition("cleanup")
        assert topics_of(node) == []
        assert node.spinner.call(lambda: len(list(node.node.timers))) == 0


def test_node_takes_and_publishes_frames_only_while_active(graph: Graph) -> None:
    graph.recorder.listen_to_node("front")
    node = graph.active_node(cameras=["front"])
    cameras = graph.cameras("front")
    graph.run(cameras, 0, 4)

    assert node.transition("deactivate")
    graph.recorder.wait_until(lambda: not cameras.are_heard, "the end of the subscriptions")
    cameras.send_set(4)
    assert node.transition("activate")
    graph.recorder.wait_until(lambda: cameras.are_heard, "the connection of the cameras")
    status = graph.run(cameras, 5, 4)

    assert graph.numbers_on("front/depth/image_rect") == [0, 1, 2, 3, 5, 6, 7, 8]
    assert (status.frames_in, status.frames_published) == (4, 4)


def test_node_shuts_down_from_the_active_state(graph: Graph) -> None:
    node = graph.active_node(cameras=["front"])
    threads = threading.active_count()

    assert node.transition("shutdown")

    assert threading.active_count() == threads - 1
    assert topics_of(node) == []


def test_node_answers_a_lifecycle_manager(graph: Graph) -> None:
    graph.active_node(cameras=["front"])

    answer = graph.ask(GetState, "da3_node/get_state", GetState.Request())

    assert answer.current_state.id == State.PRIMARY_STATE_ACTIVE


def test_reset_begins_a_new_track_and_counts_what_it_dropped(graph: Graph) -> None:
    graph.recorder.listen_to_node("front", topics=["da3_node/status", "depth/camera_info"])
    graph.active_node(cameras=["front"], window_size=4)
    cameras = graph.cameras("front")
    graph.run(cameras, 0, 6)

    answer = graph.ask(Trigger, "da3_node/reset", Trigger.Request())
    status = graph.run(cameras, 6, 4)

    assert answer.success
    starts = [s.frames_in for s in graph.statuses() if s.tracking_state == WindowStatus.TRACKING_STARTED]
    assert starts == [1, 7]
    assert (status.frames_in, status.frames_published) == (10, 10)
    assert graph.numbers_on("front/depth/camera_info") == [*range(10)]


def test_reset_is_refused_with_a_reason_when_the_node_is_not_active(graph: Graph) -> None:
    node = graph.node(cameras=["front"])
    assert node.transition("configure")

    answer = graph.ask(Trigger, "da3_node/reset", Trigger.Request())

    assert not answer.success
    assert "not active" in answer.message


def test_disabled_node_counts_frames_and_does_no_work_until_enabled(graph: Graph) -> None:
    graph.recorder.listen_to_node("front", topics=["da3_node/status", "depth/camera_info"])
    node = graph.active_node(cameras=["front"])
    cameras = graph.cameras("front")
    graph.run(cameras, 0, 3)

    assert graph.ask(SetBool, "da3_node/set_enabled", SetBool.Request(data=False)).success
    for number in range(3, 8):
        cameras.send_set(number)
    graph.wait_for_frames(node, 8)
    assert graph.ask(SetBool, "da3_node/set_enabled", SetBool.Request(data=True)).success
    status = graph.run(cameras, 8, 4)

    assert dropped(status) == {"disabled": 5}
    assert graph.numbers_on("front/depth/camera_info") == [0, 1, 2, 8, 9, 10, 11]


def test_map_holds_what_was_seen_and_is_saved_on_request(graph: Graph, tmp_path: Path) -> None:
    graph.recorder.listen_to_node("front", topics=["da3_node/status"])
    file = tmp_path / "maps" / "room.ply"
    graph.active_node(cameras=["front"], map_voxel_size=0.05, map_file=str(file))
    graph.run(graph.cameras("front"), 0, 3)

    answer = graph.ask(Trigger, "da3_node/save_map", Trigger.Request())

    assert answer.success, answer.message
    assert file.read_bytes().startswith(b"ply\nformat binary_little_endian 1.0\nelement vertex ")
    assert f"points in {file}" in answer.message
    assert not answer.message.startswith("0 points")


def test_map_is_refused_when_none_is_kept(graph: Graph) -> None:
    graph.active_node(cameras=["front"])

    answer = graph.ask(Trigger, "da3_node/save_map", Trigger.Request())

    assert not answer.success
    assert "map_voxel_size" in answer.message
