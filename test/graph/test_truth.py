# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What is published is the truth, up to one Sim(3) for the whole run, with the source's stamps and frames."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from da3_ros.geometry.prediction import Prediction, ViewKey
from da3_ros.geometry.rotation import FloatArray
from da3_ros.inference.oracle import OracleEngine, OracleNoise
from da3_ros.nodes import da3_node
from da3_ros.nodes.camera_outputs import TOPICS
from da3_ros.ros.camera_messages import camera_info_message
from da3_ros.ros.stamps import header, to_ns
from da3_ros.ros.transform_messages import pose_to_matrix, transform_to_matrix
from da3_ros.simulation.simulator import Simulation
from da3_ros.sources.simulated import simulation
from test.graph.cameras import Cameras, frame_id_of, picture, stamp_of
from test.graph.harness import Graph, dropped
from test.graph.recorder import ODOMETRY, PATH
from test.graph.truth import (
    camera_of,
    cloud_of,
    edges_of,
    floats_of,
    points_of,
    pose_errors,
    rgb_of,
    truth_from_published,
)

RIG = ("front", "left", "right")
SETS = 16
SIZE = (240, 320)
PROCESSED = (126, 168)
ORACLE: dict[str, Any] = {
    "engine": "oracle",
    "cameras": list(RIG),
    "process_resolution": 168,
    "edge_threshold": 0.0,
}


@pytest.fixture
def room() -> Simulation:
    return simulation(0)


def play(graph: Graph, cameras: Cameras, room: Simulation) -> None:
    """Send all sets with their calibrations; nothing may be lost."""
    for number in range(SETS):
        for name in RIG:
            about = header(stamp_of(number), frame_id_of(name))
            cameras.send_info(name, camera_info_message(room.rig.named(name).camera, about))
    status = graph.run(cameras, 0, SETS, SIZE)
    assert not dropped(status)
    assert status.frames_published == status.frames_in == 3 * SETS


def scale_of(graph: Graph, room: Simulation) -> float:
    """Metres per published unit: the median over everything that was published."""
    ratios = []
    for name in RIG:
        for stamp_ns, message in graph.recorder.by_stamp(f"{name}/depth/image_rect").items():
            camera = camera_of(graph.recorder.by_stamp(f"{name}/depth/camera_info")[stamp_ns])
            ratios.append(np.median(room.truth(ViewKey(name, stamp_ns), camera).depth / floats_of(message)))
    return float(np.median(ratios))


def true_poses(room: Simulation, name: str) -> list[FloatArray]:
    return [room.world_from_camera(ViewKey(name, stamp_of(number))) for number in range(SETS)]


@pytest.fixture
def played(graph: Graph, room: Simulation) -> Graph:
    """A run of the oracle in random gauges, with TF per camera and nothing known about the rig."""
    graph.recorder.listen_to_node(*RIG)
    graph.active_node(**ORACLE, tf_mode="cameras")
    play(graph, graph.cameras(*RIG, base_from_camera={}), room)
    graph.recorder.wait_until(lambda: len(graph.recorder.messages("/tf")) == SETS, "all transforms")
    return graph


def test_depth_clouds_and_poses_are_the_truth_when_the_oracle_changes_its_gauge_per_window(
    played: Graph, room: Simulation
) -> None:
    recorder = played.recorder
    scale = scale_of(played, room)
    truth = [pose for name in RIG for pose in true_poses(room, name)]
    ours = [
        pose_to_matrix(recorder.by_stamp(f"{name}/pose")[stamp_of(number)].pose.pose)
        for name in RIG
        for number in range(SETS)
    ]
    fit = truth_from_published(truth, ours, scale)

    errors = pose_errors(truth, ours, fit)
    assert errors.position_m < 0.002
    assert errors.rotation_deg < 0.02
    for name in RIG:
        for number in range(SETS):
            stamp_ns = stamp_of(number)
            camera = camera_of(recorder.by_stamp(f"{name}/depth/camera_info")[stamp_ns])
            true = room.truth(ViewKey(name, stamp_ns), camera)
            depth = floats_of(recorder.by_stamp(f"{name}/depth/image_rect")[stamp_ns])
            assert np.isfinite(depth).all()
            np.testing.assert_allclose(scale * depth, true.depth, rtol=1e-4)

            points, _ = cloud_of(recorder.by_stamp(f"{name}/depth/points")[stamp_ns])
            in_odom = points @ ours[RIG.index(name) * SETS + number][:3, :3].T
            in_odom = in_odom + ours[RIG.index(name) * SETS + number][:3, 3]
            in_room = scale * in_odom @ fit.rotation.T + fit.translation
            surface = points_of(true.depth, camera) @ true.world_from_camera[:3, :3].T + true.world_from_camera[:3, 3]
            assert np.linalg.norm(in_room - surface, axis=-1).max() < 0.002


def test_every_output_has_the_stamp_and_frame_of_its_image(played: Graph) -> None:
    for name in RIG:
        for topic in TOPICS:
            by_stamp = played.recorder.by_stamp(f"{name}/{topic}")
            assert sorted(by_stamp) == [stamp_of(number) for number in range(SETS)], topic
            frames = {message.header.frame_id for message in by_stamp.values()}
            assert frames == ({"odom"} if topic == "pose" else {frame_id_of(name)}), topic
    for message in played.recorder.messages("/tf"):
        assert {to_ns(edge.header.stamp) for edge in message.transforms} <= {stamp_of(number) for number in range(SETS)}
        assert [edge.child_frame_id for edge in message.transforms] == [frame_id_of(name) for name in RIG]
        assert {edge.header.frame_id for edge in message.transforms} == {"odom"}
    for topic in (ODOMETRY, PATH):
        assert {message.header.frame_id for message in played.recorder.messages(topic)} == {"odom"}
    assert sorted(played.recorder.by_stamp(ODOMETRY)) == [stamp_of(number) for number in range(SETS)]


def test_images_of_one_view_fit_each_other_pixel_by_pixel(played: Graph, room: Simulation) -> None:
    recorder = played.recorder
    for name in RIG:
        for number in range(SETS):
            view = {topic: recorder.by_stamp(f"{name}/{topic}")[stamp_of(number)] for topic in TOPICS}
            camera = camera_of(view["depth/camera_info"])
            assert camera == camera_of(view["rgb/camera_info"]) == room.rig.named(name).camera.resized(PROCESSED)
            for topic in ("depth/image_rect", "rgb/image_rect", "depth/confidence", "depth/points"):
                assert (view[topic].height, view[topic].width) == PROCESSED, topic

            rgb = rgb_of(view["rgb/image_rect"])
            sent = picture(name, number, SIZE)
            np.testing.assert_array_equal(rgb, cv2.resize(sent, PROCESSED[::-1], interpolation=cv2.INTER_AREA))
            points, colours = cloud_of(view["depth/points"])
            np.testing.assert_array_equal(colours, rgb)
            lifted = points_of(floats_of(view["depth/image_rect"]), camera)
            np.testing.assert_allclose(points, lifted, rtol=1e-6, atol=1e-7)
            assert (floats_of(view["depth/confidence"]) >= 1).all()


def test_transforms_path_and_poses_agree(played: Graph) -> None:
    recorder = played.recorder
    for edge in edges_of(recorder.messages("/tf")):
        name = edge.child_frame_id.removesuffix("_optical_frame")
        pose = recorder.by_stamp(f"{name}/pose")[to_ns(edge.header.stamp)].pose.pose
        np.testing.assert_allclose(transform_to_matrix(edge.transform), pose_to_matrix(pose), atol=1e-12)
    odometry = recorder.by_stamp(ODOMETRY)
    path = recorder.messages(PATH)[-1]
    assert [to_ns(pose.header.stamp) for pose in path.poses] == sorted(odometry)
    for pose in path.poses:
        assert pose.pose == odometry[to_ns(pose.header.stamp)].pose.pose


class MetricStart:
    """An oracle whose first window is in metres, as a user who sets fixed_scale says it is; all others as they come."""

    def __init__(self, room: Simulation) -> None:
        def oracle(random_gauge: bool) -> OracleEngine:
            noise = OracleNoise(random_gauge=random_gauge)
            return OracleEngine(lambda key, camera, image: room.truth(key, camera), noise, process_resolution=168)

        self._engines = [oracle(random_gauge=True), oracle(random_gauge=False)]

    def estimate(self, *arguments: Any, **options: Any) -> Prediction:
        engine = self._engines[-1]
        self._engines = self._engines[:1]
        return engine.estimate(*arguments, **options)

    def warm_up(self, views: int, size: tuple[int, int]) -> None:
        pass


def test_base_and_odometry_are_the_truth_when_tf_knows_the_rig_and_the_scale_is_given(
    graph: Graph, room: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(da3_node, "make_engine", lambda params: MetricStart(room))
    graph.recorder.listen_to_node(*RIG)
    graph.active_node(**ORACLE, tf_mode="base", scale_mode="fixed", fixed_scale=1.0)
    rig = {camera.name: camera.base_from_camera for camera in room.rig.cameras}
    play(graph, graph.cameras(*RIG, base_from_camera=rig), room)
    graph.recorder.wait_until(lambda: len(graph.recorder.messages("/tf")) == SETS, "all transforms")

    assert scale_of(graph, room) == pytest.approx(1, abs=1e-4)
    truth = [room.world_from_base(stamp_of(number)) for number in range(SETS)]
    edges = {to_ns(edge.header.stamp): edge for edge in edges_of(graph.recorder.messages("/tf"))}
    assert {(edge.header.frame_id, edge.child_frame_id) for edge in edges.values()} == {("odom", "base_link")}
    odometry = graph.recorder.by_stamp(ODOMETRY)
    for ours in (
        [transform_to_matrix(edges[stamp_of(number)].transform) for number in range(SETS)],
        [pose_to_matrix(odometry[stamp_of(number)].pose.pose) for number in range(SETS)],
    ):
        errors = pose_errors(truth, ours, truth_from_published(truth, ours, 1.0))
        assert errors.position_m < 0.002
        assert errors.rotation_deg < 0.02
        np.testing.assert_allclose(ours[0], np.eye(4), atol=1e-6)
    for name in RIG:
        for stamp_ns, message in graph.recorder.by_stamp(f"{name}/pose").items():
            through_base = transform_to_matrix(edges[stamp_ns].transform) @ rig[name]
            np.testing.assert_allclose(pose_to_matrix(message.pose.pose), through_base, atol=1e-3)


def test_odometry_velocity_is_the_true_one_in_the_base_frame(
    graph: Graph, room: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(da3_node, "make_engine", lambda params: MetricStart(room))
    graph.recorder.listen_to_node(topics=[ODOMETRY, "da3_node/status"])
    graph.active_node(**ORACLE, scale_mode="fixed", fixed_scale=1.0)
    rig = {camera.name: camera.base_from_camera for camera in room.rig.cameras}
    play(graph, graph.cameras(*RIG, base_from_camera=rig), room)

    for number in range(1, SETS):
        message = graph.recorder.by_stamp(ODOMETRY)[stamp_of(number)]
        before, now = room.world_from_base(stamp_of(number - 1)), room.world_from_base(stamp_of(number))
        velocity = now[:3, :3].T @ (now[:3, 3] - before[:3, 3]) / 0.1
        linear = message.twist.twist.linear
        np.testing.assert_allclose((linear.x, linear.y, linear.z), velocity, atol=0.02)
        assert message.child_frame_id == "base_link"
        for covariance in (message.pose.covariance, message.twist.covariance):
            variances = np.diag(np.reshape(covariance, (6, 6)))
            assert (variances > 0).all()
            assert (variances < 9999).all()
