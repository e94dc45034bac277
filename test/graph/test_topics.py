# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A topic without subscribers costs nothing, and topics can be named and tuned as ROS users expect."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo

from da3_ros.nodes import camera_outputs, result_publisher
from da3_ros.ros.compressed_messages import jpeg_message
from da3_ros.ros.stamps import header
from test.graph.cameras import CAMERA, frame_id_of, info_message, picture, stamp_of
from test.graph.harness import Graph
from test.graph.recorder import ODOMETRY, PATH, STATUS
from test.graph.truth import floats_of, rgb_of

DEPTH, RGB = "depth/image_rect", "rgb/image_rect"
CAMERA_WORK = (
    "clean_depth",
    "organised_cloud",
    "float_message",
    "rgb_message",
    "cloud_message",
    "camera_info_message",
    "pose_with_covariance_message",
)
NODE_WORK = ("odometry_message", "path_message", "pose_stamped_message", "transform_message")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each adapter was called."""
    counts: Counter[str] = Counter()

    def count(module: Any, name: str) -> None:
        function = getattr(module, name)

        def counted(*arguments: Any) -> Any:
            counts[name] += 1
            return function(*arguments)

        monkeypatch.setattr(module, name, counted)

    for name in CAMERA_WORK:
        count(camera_outputs, name)
    for name in NODE_WORK:
        count(result_publisher, name)
    return counts


@pytest.mark.parametrize(
    ("topics", "work"),
    [
        ([], {}),
        ([DEPTH], {"clean_depth": 3, "float_message": 3}),
        ([RGB], {"rgb_message": 3}),
        (["depth/confidence"], {"float_message": 3}),
        (["depth/points"], {"clean_depth": 3, "organised_cloud": 3, "cloud_message": 3}),
        (
            [DEPTH, "depth/points"],
            dict.fromkeys(("clean_depth", "float_message", "organised_cloud", "cloud_message"), 3),
        ),
        (["depth/camera_info"], {"camera_info_message": 3}),
        (["pose"], {"pose_with_covariance_message": 3}),
        ([ODOMETRY], {"odometry_message": 3}),
        ([PATH], {"path_message": 3, "pose_stamped_message": 3}),
    ],
)
def test_only_what_is_subscribed_is_computed(
    graph: Graph, calls: Counter[str], topics: list[str], work: dict[str, int]
) -> None:
    graph.recorder.listen_to_node("front", topics=[*topics, STATUS])
    graph.active_node(cameras=["front"])

    graph.run(graph.cameras("front"), 0, 3)

    assert calls == work


def test_transforms_are_made_only_when_asked_for(graph: Graph, calls: Counter[str]) -> None:
    graph.recorder.listen_to_node(topics=[STATUS, "/tf"])
    graph.active_node(cameras=["front"], tf_mode="none")

    graph.run(graph.cameras("front"), 0, 2)

    assert not calls
    assert graph.recorder.messages("/tf") == []


def test_single_camera_needs_no_prefix(graph: Graph) -> None:
    graph.recorder.listen_to_node("")
    graph.active_node(cameras=[""])

    graph.run(graph.cameras(""), 0, 2)

    for topic in camera_outputs.TOPICS:
        assert graph.numbers_on(topic) == [0, 1], topic
    assert graph.recorder.messages(DEPTH)[0].header.frame_id == "optical_frame"


def test_compressed_images_are_taken_when_asked_for(graph: Graph) -> None:
    graph.recorder.listen_to_node("front", topics=[RGB, STATUS])
    graph.active_node(cameras=["front"], image_transport="compressed", process_resolution=168)
    cameras = graph.cameras("front", compressed=True)
    smooth = np.repeat(np.arange(160, dtype=np.uint8)[None, :, None], 120, axis=0).repeat(3, axis=2)

    cameras.send("front", jpeg_message(smooth, header(stamp_of(0), frame_id_of("front"))))
    graph.wait_for_window(0)

    assert graph.numbers_on(f"front/{RGB}") == [0]
    columns = rgb_of(graph.recorder.messages(f"front/{RGB}")[0]).mean(axis=(0, 2))
    assert np.abs(columns - np.linspace(0, 159, 168)).max() < 2


def test_depth_is_in_whole_millimetres_with_zero_for_unknown_when_asked_for(graph: Graph) -> None:
    graph.recorder.listen_to_node("front", topics=[DEPTH, STATUS])
    graph.active_node(cameras=["front"], depth_encoding="16UC1", max_depth=2.0)
    cameras = graph.cameras("front")

    graph.run(cameras, 0, 1)

    message = graph.recorder.messages(f"front/{DEPTH}")[0]
    assert (message.encoding, message.step) == ("16UC1", 2 * message.width)
    assert set(np.frombuffer(message.data, "<u2")) == {1000}


def test_publisher_is_best_effort_when_the_user_says_so(graph: Graph) -> None:
    topic = graph.recorder.node.resolve_topic_name(f"front/{DEPTH}")
    qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
    graph.recorder.listen(f"front/{DEPTH}", camera_outputs.TOPICS[DEPTH], qos)
    graph.recorder.listen(f"front/{RGB}", camera_outputs.TOPICS[RGB], qos)
    graph.recorder.listen_to_node(topics=[STATUS])
    graph.active_node(cameras=["front"], **{f"qos_overrides.{topic}.publisher.reliability": "best_effort"})

    graph.run(graph.cameras("front"), 0, 2)

    assert graph.numbers_on(f"front/{DEPTH}") == [0, 1]
    offered = {
        name: graph.recorder.node.get_publishers_info_by_topic(f"front/{name}")[0].qos_profile.reliability
        for name in (DEPTH, RGB)
    }
    assert offered == {DEPTH: ReliabilityPolicy.BEST_EFFORT, RGB: ReliabilityPolicy.RELIABLE}


def test_unknown_pixels_are_nan_and_make_the_cloud_sparse(graph: Graph) -> None:
    graph.recorder.listen_to_node("front", topics=[DEPTH, "depth/points", STATUS])
    graph.active_node(cameras=["front"], max_depth=0.5)

    graph.run(graph.cameras("front"), 0, 1)

    assert np.isnan(floats_of(graph.recorder.messages(f"front/{DEPTH}")[0])).all()
    assert not graph.recorder.messages("front/depth/points")[0].is_dense


def test_distorted_camera_is_rectified_and_its_outputs_have_no_distortion(graph: Graph) -> None:
    distorted = replace(CAMERA, distortion_model="plumb_bob", distortion=(-0.3, 0.1, 0.0, 0.0, 0.0))
    graph.recorder.listen_to_node("front", topics=[RGB, "rgb/camera_info", DEPTH, STATUS])
    graph.active_node(cameras=["front"], process_resolution=168)
    cameras = graph.cameras("front")

    def is_calibrated(info: CameraInfo) -> bool:
        return bool(abs(info.k[0] - CAMERA.fx_px * 168 / 160) < 1e-6)

    number = 0
    while not any(map(is_calibrated, graph.recorder.messages("front/rgb/camera_info"))):
        cameras.send_info("front", info_message("front", number, distorted))
        graph.run(cameras, number, 1)
        number += 1

    info = graph.recorder.messages("front/rgb/camera_info")[-1]
    assert is_calibrated(info)
    assert not any(info.d)
    rectified = rgb_of(graph.recorder.messages(f"front/{RGB}")[-1]).astype(float)
    raw = picture("front", number - 1)
    assert rectified.shape == (126, 168, 3)
    assert np.abs(rectified[:120, :160] - raw).mean() > 5
