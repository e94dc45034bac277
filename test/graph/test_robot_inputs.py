# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the rest of the robot says is used, named when it is missing, and never contradicted in TF."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from da3_ros.msg import RigEstimate
from diagnostic_msgs.msg import DiagnosticStatus
from std_srvs.srv import Trigger

from da3_ros.geometry.rotation import matrix_from_rotation_vector, rotation_angle
from da3_ros.geometry.sim3 import rigid, rigid_inverse
from da3_ros.ros.camera_messages import camera_info_message
from da3_ros.ros.stamps import header
from da3_ros.ros.transform_messages import pose_to_matrix
from da3_ros.sources.simulated import simulation
from da3_ros.streaming.rig import BODY_FROM_OPTICAL
from test.graph.cameras import frame_id_of, stamp_of
from test.graph.harness import Graph
from test.graph.recorder import ODOMETRY
from test.graph.robot import IMU, WHEELS, Robot, listen_to_tf, parents

STATUS, DIAGNOSTICS = "da3_node/status", "/diagnostics"
PLACES = dict.fromkeys(("front", "left"), BODY_FROM_OPTICAL)  # the null engine sees all cameras at one place


@pytest.fixture
def robot(graph: Graph) -> Iterator[Robot]:
    robot = Robot(**graph._options)
    yield robot
    robot.close()


def task(graph: Graph, name: str) -> DiagnosticStatus:
    """The newest diagnostic of one part; an empty one before the first."""
    for message in reversed(graph.recorder.messages(DIAGNOSTICS)):
        for status in message.status:
            if status.name == f"da3_node: {name}":
                return status
    return DiagnosticStatus()


def wait_for_task(graph: Graph, name: str, words: str) -> DiagnosticStatus:
    graph.recorder.wait_until(lambda: words in task(graph, name).message, f"'{words}' in the diagnostic '{name}'")
    return task(graph, name)


@pytest.mark.parametrize("mode", ["none", "base", "cameras"])
@pytest.mark.parametrize(
    ("places_rig", "others"),
    [
        (True, ()),
        (True, (("wheels", "base_link"),)),
        (False, ()),
        (False, (("wheels", "base_link"),)),
        (False, (("head", "front_optical_frame"),)),
    ],
)
def test_every_frame_has_one_parent_whatever_is_asked_for(
    graph: Graph, robot: Robot, mode: str, places_rig: bool, others: tuple[tuple[str, str], ...]
) -> None:
    listen_to_tf(graph.recorder)
    graph.recorder.listen_to_node(topics=[STATUS])
    robot.place(PLACES if places_rig else {}, others)
    graph.active_node(cameras=["front", "left"], tf_mode=mode)
    cameras = graph.unheard_cameras("front", "left")
    graph.recorder.wait_until(lambda: cameras.are_heard, "the connection of the cameras")
    graph.run(cameras, 0, 4)

    found = parents(graph.recorder)
    assert all(len(frames) == 1 for frames in found.values()), found
    ours = {child for child, frames in found.items() if frames == {"odom"}}
    free = {"base_link"} if mode == "base" else {frame_id_of(name) for name in PLACES} if mode == "cameras" else set()
    taken = {child for _, child in others} | ({frame_id_of(name) for name in PLACES} if places_rig else set())
    assert ours == free - taken
    for child in free & taken:
        assert len(graph.recorder.warnings(f"'{child}'", "is not published")) == 1


def test_nothing_is_published_on_tf_by_default(graph: Graph) -> None:
    listen_to_tf(graph.recorder)
    graph.recorder.listen_to_node(topics=[STATUS])
    node = graph.active_node(cameras=["front"])
    graph.run(graph.cameras("front"), 0, 3)

    assert graph.recorder.messages("/tf") == []
    assert "/tf" not in node.listeners()


def test_camera_that_tf_lacks_is_named_and_taken_in_when_it_appears(graph: Graph, robot: Robot) -> None:
    graph.recorder.listen_to_node("left", topics=["depth/image_rect", STATUS, DIAGNOSTICS])
    robot.place({"front": PLACES["front"]})
    graph.active_node(cameras=["front", "left"], diagnostics_period_s=0.1)
    cameras = graph.unheard_cameras("front", "left")
    graph.recorder.wait_until(lambda: cameras.are_heard, "the connection of the cameras")
    graph.run(cameras, 0, 4)

    missing = wait_for_task(graph, "rig", "camera 'left'")
    assert missing.level == DiagnosticStatus.WARN
    assert len(graph.recorder.warnings("'left'", "base_link <- left_optical_frame")) == 1
    assert not graph.recorder.warnings("'front'", "base_link")

    robot.place({"left": PLACES["left"]})
    number = 4
    while "all cameras" not in task(graph, "rig").message:
        cameras.send_set(number)
        graph.wait_for_window(number)
        number += 1
        assert number < 200, "the camera was not taken in"

    assert len(graph.numbers_on("left/depth/image_rect")) == number


def test_odometry_frame_stands_upright_when_an_imu_says_how_the_base_leans(graph: Graph, robot: Robot) -> None:
    world_from_base = rigid(matrix_from_rotation_vector([0.1, -0.25, 0.9]), np.zeros(3))
    base_from_imu = rigid(matrix_from_rotation_vector([np.pi / 2, 0.0, 0.3]), np.zeros(3))
    graph.recorder.listen_to_node(topics=[ODOMETRY, STATUS, DIAGNOSTICS])
    graph.active_node(cameras=["front"], imu_topic=IMU, diagnostics_period_s=0.1)
    graph.recorder.wait_until(lambda: robot.imu_is_heard, "a listener to the IMU")
    cameras = graph.cameras("front")
    robot.place_imu(base_from_imu)
    for number in range(3):
        robot.send_orientation(stamp_of(number), world_from_base @ base_from_imu)
    graph.run(cameras, 0, 2)

    odom_from_base = pose_to_matrix(graph.recorder.by_stamp(ODOMETRY)[stamp_of(0)].pose.pose)
    up_in_base = world_from_base[2, :3]
    np.testing.assert_allclose(odom_from_base[:3, :3] @ up_in_base, [0.0, 0.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(odom_from_base[:3, 3], 0.0, atol=1e-6)
    assert wait_for_task(graph, "gravity", "upright").level == DiagnosticStatus.OK


def test_own_odometry_is_refused_as_the_robots_and_warned_about_once(graph: Graph) -> None:
    graph.recorder.listen_to_node(topics=[ODOMETRY, STATUS, DIAGNOSTICS])
    graph.active_node(cameras=["front"], odometry_topic="da3_node/odom", diagnostics_period_s=0.1)
    graph.run(graph.cameras("front"), 0, 6)

    report = wait_for_task(graph, "odometry", "feedback loop, not used")
    assert report.level == DiagnosticStatus.WARN
    assert len(graph.recorder.warnings("feedback loop", "da3_node/odom")) == 1


def test_diagnostics_say_when_nobody_publishes_the_odometry(graph: Graph) -> None:
    graph.recorder.listen_to_node(topics=[STATUS, DIAGNOSTICS])
    graph.active_node(cameras=["front"], odometry_topic="nobody/odom", diagnostics_period_s=0.1)
    graph.run(graph.cameras("front"), 0, 2)

    assert "/nobody/odom" in wait_for_task(graph, "odometry", "nobody publishes").message


def test_diagnostics_say_when_the_odometry_is_stale(graph: Graph, robot: Robot) -> None:
    graph.recorder.listen_to_node(topics=[STATUS, DIAGNOSTICS])
    graph.active_node(cameras=["front"], odometry_topic=WHEELS, diagnostics_period_s=0.1)
    cameras = graph.cameras("front")
    graph.recorder.wait_until(lambda: robot.odometry_is_heard, "a listener to the wheels")
    robot.send_odometry(stamp_of(0) - 60_000_000_000, np.eye(4))
    graph.run(cameras, 0, 3)

    wait_for_task(graph, "odometry", "older than the images")


def test_unknown_rig_is_estimated_published_and_saved(graph: Graph, tmp_path: Path) -> None:
    names, room, file = ("front", "left", "right"), simulation(0), tmp_path / "rig.yaml"
    oracle: dict[str, Any] = {
        "engine": "oracle",
        "process_resolution": 168,
        "edge_threshold": 0.0,
        "tf_mode": "cameras",
    }
    listen_to_tf(graph.recorder)
    graph.recorder.listen_to_node(topics=[STATUS])
    graph.recorder.listen("da3_node/rig", RigEstimate)
    graph.active_node(cameras=list(names), rig_file=str(file), **oracle)
    refused = graph.ask(Trigger, "da3_node/save_rig", Trigger.Request())
    assert not refused.success
    cameras = graph.cameras(*names, base_from_camera={})
    for name in names:
        about = header(stamp_of(0), frame_id_of(name))
        cameras.send_info(name, camera_info_message(room.rig.named(name).camera, about))
    graph.run(cameras, 0, 12, (240, 320))
    graph.recorder.wait_until(lambda: len(graph.recorder.messages("da3_node/rig")) >= 2, "two estimates of the rig")

    rig = graph.recorder.messages("da3_node/rig")[-1]
    assert (rig.header.frame_id, rig.reference, rig.is_metric) == ("front_optical_frame", "front", False)
    assert list(rig.frame_ids) == ["left_optical_frame", "right_optical_frame"]
    true = {camera.name: camera.base_from_camera for camera in room.rig.cameras}
    lengths = []
    for name, found in zip(rig.cameras, rig.reference_from_camera, strict=True):
        truth, ours = rigid_inverse(true["front"]) @ true[name], pose_to_matrix(found.pose)
        assert float(rotation_angle(truth[:3, :3].T @ ours[:3, :3])) < np.deg2rad(0.5)
        lengths.append(np.linalg.norm(ours[:3, 3]) / np.linalg.norm(truth[:3, 3]))
        assert (np.diag(np.reshape(found.covariance, (6, 6))) > 0).all()
    assert lengths[0] == pytest.approx(lengths[1], rel=0.05)  # one unknown unit

    saved = graph.ask(Trigger, "da3_node/save_rig", Trigger.Request())
    assert saved.success, saved.message
    assert set(yaml.safe_load(file.read_text())["cameras"]) == {"left", "right"}
    assert {frame_id_of(name) for name in names} <= {
        child for child, up in parents(graph.recorder).items() if up == {"odom"}
    }
