# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Real recordings through the real network: every frame that came in is published or named as dropped."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.parameter import Parameter

from da3_ros.nodes.image_source_node import ImageSourceNode
from da3_ros.streaming.ledger import Counters
from test.graph.harness import Graph, RunningNode
from test.graph.recorder import STATUS
from test.graph.truth import camera_of, cloud_of, floats_of

TOPICS = ("depth/image_rect", "depth/camera_info", "depth/confidence", "depth/points", STATUS)
NETWORK: dict[str, Any] = {
    "engine": "network",
    "model": "da3-small",
    "weights": "random",
    "device": "cpu",
    "process_resolution": 140,
    "cpu_threads": 1,
    "window_size": 2,
    "edge_threshold": 0.0,
    "diagnostics_period_s": 0.1,
}


def replay(graph: Graph, source: Path, cameras: list[str], **parameters: Any) -> tuple[RunningNode, ImageSourceNode]:
    """Play a source through the network, at the network's pace."""
    graph.recorder.listen_to_node(*cameras, topics=TOPICS)
    node = graph.active_node(**NETWORK, cameras=cameras)
    given = {"source": str(source), "stamps": "source", "speed": 100.0, "pace_topic": STATUS, **parameters}
    overrides = [Parameter(name, value=value) for name, value in given.items()]
    return node, graph.spin(lambda **options: ImageSourceNode(parameter_overrides=overrides, **options))


def account_of(graph: Graph, node: RunningNode, frames: int) -> Counters:
    """The account, once so many frames have come and nothing is under way any more; every status had it right."""

    def is_over() -> bool:
        account = node.counters()
        return account.frames_in == frames and account.in_flight == 0

    graph.recorder.wait_until(is_over, f"{frames} frames published or dropped", timeout_s=120)
    account = node.counters()
    assert account.frames_in == account.frames_published + sum(account.dropped.values())
    graph.recorder.wait_until(
        lambda: graph.statuses()[-1].frames_published == account.frames_published, "the status of the last window"
    )
    graph.recorder.settle()
    return account


def check_outputs(graph: Graph, camera: str) -> int:
    """Hold each published view of a camera against the contract; return how many there are."""
    recorder = graph.recorder
    depths = recorder.by_stamp(f"{camera}/depth/image_rect")
    for stamp_ns, message in depths.items():
        depth = floats_of(message)
        intrinsics = camera_of(recorder.by_stamp(f"{camera}/depth/camera_info")[stamp_ns])
        assert intrinsics.size == depth.shape
        # Random weights may contradict the rig that TF holds; then a view is withheld.
        assert np.isnan(depth).all() or np.nanmin(depth) > 0
        confidence = floats_of(recorder.by_stamp(f"{camera}/depth/confidence")[stamp_ns])
        assert np.isfinite(confidence).all()
        points, _ = cloud_of(recorder.by_stamp(f"{camera}/depth/points")[stamp_ns])
        np.testing.assert_array_equal(points[..., 2], depth)
    return len(depths)


def test_six_camera_bag_runs_through_the_network(graph: Graph, shared_data: Path) -> None:
    cameras = [f"camera_0{number}" for number in (1, 5, 6, 7, 8, 9)]

    node, _ = replay(graph, shared_data / "bags" / "ddad_rig6_mcap", cameras)
    account = account_of(graph, node, 18)

    assert sum(check_outputs(graph, camera) for camera in cameras) == account.frames_published > 0
    assert graph.statuses()[-1].views == 12


def test_handheld_bag_runs_through_the_network(graph: Graph, shared_data: Path) -> None:
    node, source = replay(graph, shared_data / "bags" / "hololens_indoor_mcap", ["cam0"])
    graph.recorder.wait_until(lambda: node.counters().frames_in >= 12, "the first frames", timeout_s=120)
    graph.end(source)
    account = account_of(graph, node, node.counters().frames_in)

    assert check_outputs(graph, "cam0") == account.frames_published > 0


def test_image_folder_runs_through_the_network(graph: Graph, shared_data: Path, tmp_path: Path) -> None:
    images = sorted((shared_data / "livingroom1_redwood" / "images").iterdir())[:6]
    for image in images:
        shutil.copy(image, tmp_path)

    node, _ = replay(graph, tmp_path, ["camera"])
    account = account_of(graph, node, 6)

    assert check_outputs(graph, "camera") == account.frames_published > 0
