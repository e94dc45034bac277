# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Both nodes as processes of their own, as users start them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from da3_ros.geometry.prediction import ViewKey
from da3_ros.ros.camera_messages import to_camera
from da3_ros.ros.image_messages import to_array
from da3_ros.ros.stamps import to_ns
from da3_ros.sources.simulated import simulation
from test.graph.harness import Graph
from test.graph.truth import camera_of, edges_of, floats_of

RIG = ("front", "left", "right")
START_S = 120.0  # the simulated room is furnished and lit first


def arguments(graph: Graph, **parameters: object) -> list[str]:
    given = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    return ["--ros-args", "-r", f"__ns:={graph.namespace}", *given]


@pytest.mark.slow
def test_simulated_rig_runs_through_both_processes_and_both_end_on_ctrl_c(graph: Graph, tmp_path: Path) -> None:
    recorder = graph.recorder
    recorder.listen_to_node(*RIG)
    latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    recorder.listen("/tf_static", TFMessage, latched)
    for name in RIG:
        recorder.listen(f"{name}/image_raw", Image)
        recorder.listen(f"{name}/camera_info", CameraInfo)
    oracle = arguments(
        graph,
        engine="oracle",
        cameras="[front, left, right]",
        tf_mode="cameras",
        process_resolution=168,
        edge_threshold=0.0,
    )
    node = graph.process("da3_ros.nodes.da3_node", oracle, tmp_path)
    source = graph.process("da3_ros.nodes.image_source_node", arguments(graph, rate_hz=2.0), tmp_path)

    recorder.wait_until(
        lambda: len(graph.statuses()) >= 4 or node.has_ended or source.has_ended, "four windows", timeout_s=START_S
    )

    assert (source.interrupt(), node.interrupt()) == (0, 0), source.output + node.output
    assert "Traceback" not in node.output + source.output
    recorder.settle()
    room = simulation(0)
    ratios = []
    for name in RIG:
        image, info = recorder.messages(f"{name}/image_raw")[0], recorder.messages(f"{name}/camera_info")[0]
        assert to_array(image).std() > 10
        assert to_camera(info, (info.height, info.width)) == room.rig.named(name).camera
        sent = {to_ns(message.header.stamp) for message in recorder.messages(f"{name}/image_raw")}
        for stamp_ns, depth in recorder.by_stamp(f"{name}/depth/image_rect").items():
            assert stamp_ns in sent
            camera = camera_of(recorder.by_stamp(f"{name}/depth/camera_info")[stamp_ns])
            ratios.append(room.truth(ViewKey(name, stamp_ns), camera).depth / floats_of(depth))
    np.testing.assert_allclose(ratios, 1.0, rtol=5e-3)  # metres, from the rig that TF holds
    edges = edges_of(recorder.messages("/tf_static"))
    assert {(edge.header.frame_id, edge.child_frame_id) for edge in edges} == {
        ("base_link", f"{name}_optical_frame") for name in RIG
    }


def test_node_process_ends_with_code_1_and_one_sentence_when_it_cannot_be_configured(
    graph: Graph, tmp_path: Path
) -> None:
    node = graph.process("da3_ros.nodes.da3_node", arguments(graph, weights="/nowhere"), tmp_path)

    assert node.wait() == 1
    errors = [line for line in node.output.splitlines() if "ERROR" in line]
    assert len(errors) == 1, node.output
    assert "/nowhere" in errors[0]
    assert "Traceback" not in node.output


def test_node_process_waits_for_a_lifecycle_manager_when_told_to(graph: Graph, tmp_path: Path) -> None:
    node = graph.process(
        "da3_ros.nodes.da3_node", arguments(graph, engine="null", autostart=False, process_resolution=56), tmp_path
    )

    def state() -> int:
        answer = graph.ask(GetState, "da3_node/get_state", GetState.Request())
        return int(answer.current_state.id)

    def change(transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(graph.ask(ChangeState, "da3_node/change_state", request).success)

    assert state() == State.PRIMARY_STATE_UNCONFIGURED
    assert change(Transition.TRANSITION_CONFIGURE)
    assert change(Transition.TRANSITION_ACTIVATE)
    assert state() == State.PRIMARY_STATE_ACTIVE
    assert change(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert node.interrupt() == 0, node.output
    assert "Traceback" not in node.output
