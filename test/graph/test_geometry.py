# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Geometry that others build on: TF is true within its sigma, metres come by themselves, the network hears truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from da3_ros.msg import WindowStatus
from scipy.stats import chi2

from da3_ros.geometry.prediction import Prediction, ViewKey
from da3_ros.geometry.rotation import FloatArray, rotation_vector_from_matrix
from da3_ros.geometry.sim3 import rigid, rigid_inverse
from da3_ros.inference.oracle import OracleEngine, OracleNoise
from da3_ros.inference.oracle_faults import OracleFault
from da3_ros.nodes import da3_node
from da3_ros.ros.camera_messages import camera_info_message
from da3_ros.ros.stamps import header
from da3_ros.ros.transform_messages import pose_to_matrix
from da3_ros.simulation.simulator import Simulation
from da3_ros.sources.simulated import simulation
from da3_ros.streaming.rig import BODY_FROM_OPTICAL
from test.graph.cameras import CAMERA, Cameras, frame_id_of, info_message, stamp_of
from test.graph.harness import Graph, dropped
from test.graph.recorder import ODOMETRY
from test.graph.robot import WHEELS, Robot, buffer_of, listen_to_tf, looked_up
from test.graph.truth import camera_of, floats_of

RIG = ("front", "left", "right")
SETS = 24
SIZE = (240, 320)
RESET = 9999.0
NOISE = OracleNoise(
    depth_smooth=0.03, depth_pixel=0.01, position_m=0.01, rotation_rad=float(np.deg2rad(0.2)), confidence=0.5
)
ORACLE: dict[str, Any] = {
    "engine": "oracle",
    "cameras": list(RIG),
    "process_resolution": 168,
    "edge_threshold": 0.0,
    "window_size": 6,
    "window_overlap": 3,
}


@pytest.fixture
def room() -> Simulation:
    return simulation(0)


@pytest.fixture
def robot(graph: Graph) -> Iterator[Robot]:
    robot = Robot(**graph._options)
    yield robot
    robot.close()


def oracle(room: Simulation, noise: OracleNoise = NOISE, faults: tuple[OracleFault, ...] = ()) -> OracleEngine:
    return OracleEngine(
        lambda key, camera, image: room.truth(key, camera), noise, faults=faults, process_resolution=168
    )


def rig_of(room: Simulation) -> dict[str, FloatArray]:
    return {camera.name: camera.base_from_camera for camera in room.rig.cameras}


def send_infos(cameras: Cameras, room: Simulation) -> None:
    for name in cameras.names:
        cameras.send_info(
            name, camera_info_message(room.rig.named(name).camera, header(stamp_of(0), frame_id_of(name)))
        )


def play(graph: Graph, cameras: Cameras, room: Simulation, sets: int = SETS) -> WindowStatus:
    """Send sets with their calibrations; nothing may be lost."""
    send_infos(cameras, room)
    status = graph.run(cameras, 0, sets, SIZE)
    assert not dropped(status)
    return status


def origin_of(graph: Graph, sets: int) -> int:
    """The set where odom began last: the one before the last reset (there may be one when metres become known)."""
    odometry = graph.recorder.by_stamp(ODOMETRY)
    resets = [n for n in range(sets) if odometry[stamp_of(n)].pose.covariance[0] == RESET]
    return max([0, *(number - 1 for number in resets)])


def squared_error(ours: FloatArray, truth: FloatArray, covariance: FloatArray) -> float:
    """Normalised: of position and rotation, odom axes, by their published covariance."""
    turn = rotation_vector_from_matrix(truth[:3, :3] @ ours[:3, :3].T)
    error = np.concatenate((truth[:3, 3] - ours[:3, 3], turn))
    return float(error @ np.linalg.solve(covariance, error))


def test_transforms_at_every_image_stamp_are_the_truth_within_the_published_sigma(
    graph: Graph, room: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(da3_node, "make_engine", lambda params: oracle(room))
    listen_to_tf(graph.recorder)
    graph.recorder.listen_to_node(topics=[ODOMETRY, "da3_node/status"])
    graph.active_node(**ORACLE, tf_mode="base")
    rig = rig_of(room)
    play(graph, graph.cameras(*RIG, base_from_camera=rig), room)
    graph.recorder.wait_until(lambda: len(graph.recorder.messages("/tf")) == SETS, "all transforms")

    buffer = buffer_of(graph.recorder)
    odometry = graph.recorder.by_stamp(ODOMETRY)
    origin = origin_of(graph, SETS)
    assert origin <= 4, "metres should be known after a few frame sets"
    odom_from_room = looked_up(buffer, "odom", "base_link", origin) @ rigid_inverse(
        room.world_from_base(stamp_of(origin))
    )
    bound = chi2.ppf(0.999, 6)
    for number in range(origin + 2, SETS):
        stamp_ns = stamp_of(number)
        covariance = np.reshape(odometry[stamp_ns].pose.covariance, (6, 6))
        truth = odom_from_room @ room.world_from_base(stamp_ns)
        for name in RIG:
            odom_from_camera = looked_up(buffer, "odom", frame_id_of(name), number)
            # TF between base and cameras is exact here: an error of the camera's pose is one of the base's.
            base = odom_from_camera @ rigid_inverse(rig[name])
            assert squared_error(base, truth, covariance) < bound, f"set {number}, camera {name}"
        # A sigma that is always met says nothing: it must be of the size of the error too.
        assert np.sqrt(covariance.diagonal()[:3].max()) < 0.03
        assert np.linalg.norm(base[:3, 3] - truth[:3, 3]) < 0.05


def test_scale_is_metric_by_the_rig_alone(graph: Graph, room: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(da3_node, "make_engine", lambda params: oracle(room))
    graph.recorder.listen_to_node(*RIG, topics=["depth/image_rect", "depth/camera_info", "da3_node/status"])
    graph.active_node(**ORACLE)
    status = play(graph, graph.cameras(*RIG, base_from_camera=rig_of(room)), room)

    assert status.scale_source == WindowStatus.SCALE_RIG
    assert 0 < status.scale_sigma < 0.05
    ratios = []
    for name in RIG:
        info = graph.recorder.by_stamp(f"{name}/depth/camera_info")[stamp_of(SETS - 1)]
        depth = floats_of(graph.recorder.by_stamp(f"{name}/depth/image_rect")[stamp_of(SETS - 1)])
        ratios.append(depth / room.truth(ViewKey(name, stamp_of(SETS - 1)), camera_of(info)).depth)
    assert abs(np.log(np.median(ratios))) < 3.3 * status.scale_sigma + 0.01


def test_scale_stays_relative_and_says_so_when_nothing_observes_it(graph: Graph, room: Simulation) -> None:
    graph.recorder.listen_to_node(topics=["da3_node/status"])
    graph.active_node(**ORACLE)
    status = play(graph, graph.cameras(*RIG, base_from_camera={}), room, sets=8)

    assert status.scale_source == WindowStatus.SCALE_RELATIVE
    assert np.isinf(status.scale_sigma)


def test_scale_is_metric_by_the_robots_odometry_when_one_camera_moves(
    graph: Graph, room: Simulation, robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(da3_node, "make_engine", lambda params: oracle(room))
    graph.recorder.listen_to_node(topics=["da3_node/status"])
    graph.active_node(**{**ORACLE, "cameras": ["front"]}, odometry_topic=WHEELS)
    cameras = graph.cameras("front", base_from_camera={"front": rig_of(room)["front"]})
    graph.recorder.wait_until(lambda: robot.odometry_is_heard, "a listener to the wheels")
    start = rigid_inverse(room.world_from_base(stamp_of(0)))
    # 20 Hz, so that no stamp of an image but every second one has a message.
    for half in range(2 * SETS + 2):
        stamp_ns = stamp_of(0) + half * 50_000_000
        robot.send_odometry(stamp_ns, start @ room.world_from_base(stamp_ns))
    send_infos(cameras, room)
    status = graph.run(cameras, 0, SETS, SIZE)

    assert status.scale_source == WindowStatus.SCALE_ODOM
    assert 0 < status.scale_sigma < 0.05


class Spy:
    """An oracle that remembers which known poses it was given, by the views of the call."""

    def __init__(self, room: Simulation) -> None:
        self.calls: list[tuple[tuple[ViewKey, ...], FloatArray | None]] = []
        self._oracle = oracle(room, OracleNoise())

    def estimate(
        self, images: Any, cameras: Any = None, camera_from_world: Any = None, keys: Any = None, **options: Any
    ) -> Prediction:
        given = None if camera_from_world is None else np.array(camera_from_world)
        self.calls.append((tuple(keys), given))
        return self._oracle.estimate(images, cameras, camera_from_world, keys, **options)

    def warm_up(self, views: int, size: tuple[int, int]) -> None:
        pass


# front looks along the base's x; left sits half a metre to its left and looks along the base's y. So seen from left,
# front is half a metre behind, and its x, y, z axes point backwards, down and to the right: worked out by hand.
FRONT = BODY_FROM_OPTICAL
LEFT = rigid([[1, 0, 0], [0, 0, 1], [0, -1, 0]], [0.0, 0.5, 0.0])
LEFT_FROM_FRONT = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, -0.5], [0, 0, 0, 1.0]])


def test_network_is_told_exactly_the_extrinsics_that_tf_holds(
    graph: Graph, room: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy(room)
    monkeypatch.setattr(da3_node, "make_engine", lambda params: spy)
    graph.recorder.listen_to_node(topics=["da3_node/status"])
    graph.active_node(engine="oracle", cameras=["front", "left"], window_size=1, pose_conditioning="rig")
    cameras = graph.cameras("front", "left", base_from_camera={"front": FRONT, "left": LEFT})
    for name in cameras.names:
        cameras.send_info(name, info_message(name, 0, CAMERA))
    graph.run(cameras, 0, 4)

    # An image may overtake its camera_info, and without calibration nothing can be told.
    told = [(keys, poses) for keys, poses in spy.calls if poses is not None]
    assert len(told) >= 2
    for keys, camera_from_world in told:
        assert [key.camera for key in keys] == ["front", "left"]
        front_from_world, left_from_world = camera_from_world
        np.testing.assert_allclose(left_from_world @ rigid_inverse(front_from_world), LEFT_FROM_FRONT, atol=1e-9)


def test_network_is_told_the_robots_motion_as_its_odometry_has_it(
    graph: Graph, room: Simulation, robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy(room)
    monkeypatch.setattr(da3_node, "make_engine", lambda params: spy)
    graph.recorder.listen_to_node(topics=["da3_node/status"])
    graph.active_node(
        engine="oracle",
        cameras=["front"],
        window_size=2,
        window_overlap=1,
        pose_conditioning="odom",
        odometry_topic=WHEELS,
    )
    cameras = graph.cameras("front", base_from_camera={"front": FRONT})
    graph.recorder.wait_until(lambda: robot.odometry_is_heard, "a listener to the wheels")
    for number in range(5):
        # Messages between the images only: 0.1 m ahead for each image.
        robot.send_odometry(stamp_of(number) - 50_000_000, rigid(np.eye(3), [0.1 * number - 0.05, 2.0, 0.0]))
    cameras.send_info("front", info_message("front", 0, CAMERA))
    graph.run(cameras, 0, 4)

    told = [(keys, poses) for keys, poses in spy.calls if poses is not None and len(keys) == 2]
    assert len(told) >= 2
    for keys, (before_from_world, now_from_world) in told:
        assert keys[1].stamp_ns - keys[0].stamp_ns == 100_000_000
        # What was 0.1 m ahead then is here now: seen from now, the camera before is 0.1 m behind.
        now_from_before = now_from_world @ rigid_inverse(before_from_world)
        np.testing.assert_allclose(now_from_before, rigid(np.eye(3), [0.0, 0.0, -0.1]), atol=1e-9)


def test_reset_is_said_once_when_track_is_lost_and_garbage_is_never_published(
    graph: Graph, room: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    garbage = OracleFault("garbage", stamp_of(10), stamp_of(14))
    monkeypatch.setattr(da3_node, "make_engine", lambda params: oracle(room, faults=(garbage,)))
    graph.recorder.listen_to_node(*RIG, topics=["depth/image_rect", ODOMETRY, "da3_node/status"])
    graph.active_node(**ORACLE, max_rejected=3)
    cameras = graph.cameras(*RIG, base_from_camera=rig_of(room))
    send_infos(cameras, room)
    graph.run(cameras, 0, SETS, SIZE)

    states = {number: [status.tracking_state for status in graph.windows(number)] for number in range(SETS)}
    assert states[9] == [WindowStatus.TRACKING_OK]
    assert all(
        states[n] and set(states[n]) <= {WindowStatus.TRACKING_REJECTED, WindowStatus.TRACKING_LOST}
        for n in range(10, 14)
    )
    assert WindowStatus.TRACKING_LOST in states[13]
    started = [n for n in range(14, SETS) if WindowStatus.TRACKING_STARTED in states[n]]
    assert len(started) == 1

    odometry = graph.recorder.by_stamp(ODOMETRY)
    resets = sorted(stamp_ns for stamp_ns, message in odometry.items() if message.pose.covariance[0] == RESET)
    after_loss = [stamp_ns for stamp_ns in resets if stamp_ns > stamp_of(9)]
    assert len(after_loss) == 1
    assert after_loss[0] == min(stamp_ns for stamp_ns in odometry if stamp_ns > stamp_of(9))
    first = min(odometry)
    for stamp_ns, message in odometry.items():
        is_reset = stamp_ns in resets
        for covariance in (message.pose.covariance, message.twist.covariance):
            variances = np.diag(np.reshape(covariance, (6, 6)))
            assert np.isfinite(covariance).all()
            assert (variances > 0).all()
            assert (variances != 1).all()
            assert (variances == RESET).all() if is_reset else (variances <= 900).all()
        pose = pose_to_matrix(message.pose.pose)
        assert stamp_ns == first or not np.array_equal(pose, np.eye(4))
