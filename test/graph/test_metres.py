# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Metres from a network, sky, and networks that see images one by one, as subscribers get them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from da3_ros.msg import WindowStatus

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import Prediction, ViewKey
from da3_ros.inference.monocular_estimator import MonocularEstimator
from da3_ros.inference.oracle import OracleEngine
from da3_ros.model.build import build_network
from da3_ros.model.weights import fill_with_noise
from da3_ros.nodes import da3_node
from da3_ros.ros.camera_messages import camera_info_message
from da3_ros.ros.stamps import header
from da3_ros.simulation.simulator import Simulation
from da3_ros.sources.simulated import simulation
from test.graph.cameras import Cameras, frame_id_of, stamp_of
from test.graph.harness import Graph, dropped
from test.graph.recorder import ODOMETRY, PATH, STATUS
from test.graph.truth import camera_of, cloud_of, floats_of
from test.model.tiny import TINY_MONOCULAR

SIZE, SKY_ROWS, SETS, BIAS = (240, 320), 40, 10, 0.08
ORACLE: dict[str, Any] = {"engine": "oracle", "cameras": ["front"], "process_resolution": 168, "edge_threshold": 0.0}
TOPICS = ("depth/image_rect", "depth/camera_info", "depth/points", "depth/confidence", "pose")


class Room:
    """The oracle, whose answers may be changed before they leave, and a network that knows metres in its room."""

    def __init__(self, room: Simulation, change: Callable[[Prediction], Prediction]) -> None:
        self._room, self._change = room, change
        self._oracle = OracleEngine(lambda key, camera, image: room.truth(key, camera), process_resolution=168)
        self._keys: tuple[ViewKey, ...] = ()
        self._images: npt.NDArray[np.uint8] = np.empty((0, 0, 0, 3), np.uint8)
        self.metric_calls = 0

    def estimate(self, images: Any, cameras: Any, camera_from_world: Any, keys: Any, **options: Any) -> Prediction:
        prediction = self._oracle.estimate(images, cameras, camera_from_world, keys, **options)
        self._keys, self._images = tuple(keys), prediction.images
        return self._change(prediction)

    def warm_up(self, views: int, size: tuple[int, int]) -> None:
        pass

    def metric_depth(
        self, images: Sequence[npt.NDArray[np.uint8]], cameras: Sequence[PinholeCamera]
    ) -> npt.NDArray[np.float32]:
        """A `MetricDepth` that is wrong by the bias of this scene."""
        self.metric_calls += 1
        keys = [
            key for image in images for key, seen in zip(self._keys, self._images, strict=True) if (image == seen).all()
        ]
        depth = [self._room.truth(key, camera).depth for key, camera in zip(keys, cameras, strict=True)]
        return np.stack(depth) * np.float32(math.exp(BIAS))


@pytest.fixture
def room() -> Simulation:
    return simulation(0)


def play(graph: Graph, cameras: Cameras, room: Simulation) -> WindowStatus:
    """Send calibration, then all sets; nothing may be lost."""
    for name in cameras.names:
        about = header(stamp_of(0), frame_id_of(name))
        cameras.send_info(name, camera_info_message(room.rig.named(name).camera, about))
    status = graph.run(cameras, 0, SETS, SIZE)
    assert not dropped(status)
    return status


def as_it_is(prediction: Prediction) -> Prediction:
    return prediction


def skied(prediction: Prediction) -> Prediction:
    sky = np.zeros(prediction.depth.shape, dtype=np.bool_)
    sky[:, :SKY_ROWS] = True
    return replace(prediction, depth=np.where(sky, np.float32(np.nan), prediction.depth), sky=sky)


def seen_alone(prediction: Prediction) -> Prediction:
    poses = np.tile(np.eye(4), (len(prediction.depth), 1, 1))
    return replace(prediction, window_from_camera=poses, has_poses=False)


def test_metric_model_makes_everything_metres_but_for_its_own_bias(
    graph: Graph, room: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Room(room, as_it_is)
    monkeypatch.setattr(da3_node, "make_engine", lambda params: engine)
    monkeypatch.setattr(da3_node, "make_metric_model", lambda params: engine.metric_depth)
    graph.recorder.listen_to_node("front")
    graph.active_node(**ORACLE, metric_model="da3metric-large", metric_every=4)

    status = play(graph, graph.cameras("front", base_from_camera={}), room)

    assert status.scale_source == WindowStatus.SCALE_MODEL
    assert 0.08 < status.scale_sigma < 0.1
    assert "metric_model" in status.stages
    assert 2 <= engine.metric_calls < len(graph.statuses())
    depth = floats_of(graph.recorder.by_stamp("front/depth/image_rect")[stamp_of(SETS - 1)])
    camera = camera_of(graph.recorder.by_stamp("front/depth/camera_info")[stamp_of(SETS - 1)])
    truth = room.truth(ViewKey("front", stamp_of(SETS - 1)), camera).depth
    assert np.median(np.log(depth / truth)) == pytest.approx(BIAS, abs=0.005)


@pytest.mark.parametrize(("sky_depth", "expected"), [("nan", np.nan), ("inf", np.inf)])
def test_sky_is_no_distance_and_no_point(
    graph: Graph, room: Simulation, monkeypatch: pytest.MonkeyPatch, sky_depth: str, expected: float
) -> None:
    monkeypatch.setattr(da3_node, "make_engine", lambda params: Room(room, skied))
    graph.recorder.listen_to_node("front")
    graph.active_node(**ORACLE, sky_depth=sky_depth, max_depth=100.0)

    play(graph, graph.cameras("front", base_from_camera={}), room)

    for number in range(SETS):
        view = {topic: graph.recorder.by_stamp(f"front/{topic}")[stamp_of(number)] for topic in TOPICS}
        depth = floats_of(view["depth/image_rect"])
        np.testing.assert_array_equal(depth[:SKY_ROWS], expected)
        assert np.isfinite(depth[SKY_ROWS:]).all()
        points, _ = cloud_of(view["depth/points"])
        assert np.isnan(points[:SKY_ROWS]).all()
        assert np.isfinite(points[SKY_ROWS:]).all()
        confidence = floats_of(view["depth/confidence"])
        assert (confidence[:SKY_ROWS] == 0).all()
        assert (confidence[SKY_ROWS:] >= 1).all()


def test_network_that_sees_images_one_by_one_gives_depth_of_each_and_claims_no_pose(
    graph: Graph, room: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def metric(prediction: Prediction) -> Prediction:
        truth = room.truth(engine._keys[0], prediction.cameras[0])
        return replace(seen_alone(prediction), depth=truth.depth[None], metres_per_unit=1.0)

    engine = Room(room, metric)
    monkeypatch.setattr(da3_node, "make_engine", lambda params: engine)
    graph.recorder.listen_to_node("front")
    graph.active_node(**ORACLE, window_size=1)

    play(graph, graph.cameras("front"), room)

    assert {status.tracking_state for status in graph.statuses()} == {WindowStatus.TRACKING_NONE}
    assert {status.reason for status in graph.statuses()} == {""}
    assert {status.scale_source for status in graph.statuses()} == {WindowStatus.SCALE_MODEL}
    for topic in ("depth/image_rect", "depth/camera_info", "depth/points", "depth/confidence"):
        assert len(graph.numbers_on(f"front/{topic}")) == SETS
    for topic in ("front/pose", ODOMETRY, PATH):
        assert graph.recorder.messages(topic) == []
    for stamp_ns, message in graph.recorder.by_stamp("front/depth/image_rect").items():
        camera = camera_of(graph.recorder.by_stamp("front/depth/camera_info")[stamp_ns])
        np.testing.assert_allclose(floats_of(message), room.truth(ViewKey("front", stamp_ns), camera).depth, rtol=1e-5)
    assert len(graph.recorder.messages(STATUS)) == SETS
    assert graph.recorder.warnings() == []


@pytest.mark.parametrize(
    ("model", "source"),
    [("da3metric-large", WindowStatus.SCALE_MODEL), ("da3mono-large", WindowStatus.SCALE_RELATIVE)],
)
def test_node_runs_networks_for_single_images_on_several_cameras_at_once(
    graph: Graph, room: Simulation, monkeypatch: pytest.MonkeyPatch, model: str, source: int
) -> None:
    network = build_network(model, **TINY_MONOCULAR)
    fill_with_noise(network, 2)
    engine = MonocularEstimator(network, torch.device("cpu"), process_resolution=56, cpu_threads=1)
    monkeypatch.setattr(da3_node, "make_engine", lambda params: engine)
    graph.recorder.listen_to_node("front", "left")
    node = graph.active_node(engine="network", model=model, window_size=1, cameras=["front", "left"])
    cameras = graph.cameras("front", "left", base_from_camera={})
    for name in cameras.names:
        about = header(stamp_of(0), frame_id_of(name))
        cameras.send_info(name, camera_info_message(room.rig.named(name).camera, about))
    graph.recorder.wait_until(lambda: all(camera._info for camera in node.run.inputs), "camera_info")

    graph.run(cameras, 0, SETS, SIZE)

    assert {one.tracking_state for one in graph.statuses()} == {WindowStatus.TRACKING_NONE}
    assert {one.scale_source for one in graph.statuses()} == {source}
    for name in cameras.names:
        for topic in ("depth/image_rect", "depth/camera_info", "depth/points"):
            # The first three sets come at once, and the newest of windows that wait wins.
            assert graph.numbers_on(f"{name}/{topic}")[-(SETS - 3) :] == list(range(3, SETS))
        assert graph.recorder.messages(f"{name}/pose") == []
    assert graph.recorder.messages(ODOMETRY) == []
    assert graph.recorder.warnings() == []
