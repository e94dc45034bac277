# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What fails inside the node stops one window at most, and what cannot work is refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rcl_interfaces.msg import Log

from da3_ros.geometry.prediction import Prediction
from da3_ros.inference.engine import EngineError
from da3_ros.inference.null_engine import NullEngine
from da3_ros.nodes import da3_node
from da3_ros.nodes.camera_outputs import CameraOutputs
from test.graph.harness import Graph, dropped

DEPTH, STATUS = "depth/image_rect", "da3_node/status"


class FailingEngine(NullEngine):
    """Fails on the calls whose numbers are given."""

    def __init__(self, error: Exception, calls: tuple[int, ...]) -> None:
        super().__init__(process_resolution=56)
        self._error, self._calls = error, calls
        self.calls = 0

    def estimate(self, *arguments: Any, **options: Any) -> Prediction:
        self.calls += 1
        if self.calls in self._calls:
            raise self._error
        return super().estimate(*arguments, **options)

    def wait_for_call(self, graph: Graph, number: int) -> None:
        graph.recorder.wait_until(lambda: self.calls == number, f"call {number} of the engine")


@pytest.mark.parametrize("error", [EngineError("no memory"), ValueError("bad"), RuntimeError("cuda"), MemoryError()])
def test_next_window_comes_when_the_engine_fails_once(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    engine = FailingEngine(error, calls=(3,))
    monkeypatch.setattr(da3_node, "make_engine", lambda params: engine)
    graph.recorder.listen_to_node("front", topics=[DEPTH, STATUS])
    graph.active_node(cameras=["front"])
    cameras = graph.cameras("front")
    graph.run(cameras, 0, 2)

    cameras.send_set(2)
    engine.wait_for_call(graph, 3)
    status = graph.run(cameras, 3, 3)

    assert not dropped(status)
    assert graph.numbers_on(f"front/{DEPTH}") == [0, 1, 2, 3, 4, 5]
    (sentence,) = graph.recorder.warnings("window 2", level=Log.ERROR)
    assert type(error).__name__ in sentence


def test_frames_are_counted_as_failed_when_no_later_window_holds_them(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FailingEngine(EngineError("no memory"), calls=(1, 2, 3, 4, 5))
    monkeypatch.setattr(da3_node, "make_engine", lambda params: engine)
    graph.recorder.listen_to_node("front", topics=[DEPTH, STATUS])
    graph.active_node(cameras=["front"])
    cameras = graph.cameras("front")

    for number in range(5):
        cameras.send_set(number)
        engine.wait_for_call(graph, number + 1)
    status = graph.run(cameras, 5, 3)

    assert dropped(status) == {"engine_failed": 2}
    assert graph.numbers_on(f"front/{DEPTH}") == [2, 3, 4, 5, 6, 7]
    assert len(graph.recorder.warnings("no memory", level=Log.ERROR)) == 1


def test_next_window_comes_when_publishing_fails_once(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    publish = CameraOutputs.publish
    views: list[Any] = []

    def failing(outputs: CameraOutputs, *arguments: Any) -> None:
        views.append(arguments)
        if len(views) == 2:
            raise RuntimeError("no middleware")
        publish(outputs, *arguments)

    monkeypatch.setattr(CameraOutputs, "publish", failing)
    graph.recorder.listen_to_node("front", topics=[DEPTH, STATUS])
    graph.active_node(cameras=["front"])
    cameras = graph.cameras("front")
    graph.run(cameras, 0, 1)

    cameras.send_set(1)
    graph.recorder.wait_until(lambda: len(views) == 2, "the failing publication")
    graph.run(cameras, 2, 2)

    assert graph.numbers_on(f"front/{DEPTH}") == [0, 2, 3]
    assert len(graph.recorder.warnings("no middleware", level=Log.ERROR)) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"engine": "network", "weights": "/nowhere/model.safetensors"}, ["/nowhere/model.safetensors"]),
        ({"engine": "network", "weights": "broken.safetensors"}, ["broken.safetensors"]),
        ({"engine": "network", "weights": "auto"}, ["depth-anything/DA3-SMALL", "allow_download"]),
        ({"engine": "network", "model": "da3-tiny"}, ["model", "da3-tiny", "da3-small"]),
        ({"engine": "network", "weights": "random", "device": "tpu"}, ["device", "tpu"]),
        ({"engine": "guess"}, ["engine", "guess", "oracle"]),
        ({"engine": "oracle", "oracle_scene": "/nowhere"}, ["/nowhere"]),
        ({"window_size": 0}, ["window_size", "0"]),
        ({"window_size": 2, "window_stride": 3}, ["window_stride", "window_size"]),
        ({"max_depth": -1.0}, ["max_depth", "-1"]),
        ({"cameras": ["front", "front"]}, ["cameras", "front"]),
        ({"cameras": ["front left"]}, ["front left"]),
        ({"odom_frame": "base_link"}, ["odom_frame", "base_frame"]),
        ({"window_sice": 4}, ["window_sice", "window_size"]),
    ],
)
def test_configure_fails_with_one_sentence_when_a_parameter_cannot_be_used(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, Any], words: list[str]
) -> None:
    if given.get("weights") == "auto":
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    if given.get("weights") == "broken.safetensors":
        broken = tmp_path / "broken.safetensors"
        broken.write_bytes(bytes(100))
        given = {**given, "weights": str(broken)}
    node = graph.node(**{"cameras": ["front"], **given})

    assert not node.transition("configure")

    graph.recorder.wait_until(lambda: graph.recorder.warnings(level=Log.ERROR), "the reason")
    (sentence,) = graph.recorder.warnings(level=Log.ERROR)
    assert all(word in sentence for word in words), sentence
    assert "\n" not in sentence
    assert node.transition("shutdown")


@pytest.mark.parametrize("topic", ["front/depth/points", "front/image_raw"])
def test_activation_fails_with_one_sentence_when_a_quality_of_service_cannot_be_used(graph: Graph, topic: str) -> None:
    kind = "subscription" if topic.endswith("image_raw") else "publisher"
    name = f"qos_overrides.{graph.namespace}/{topic}.{kind}.reliability"
    node = graph.node(cameras=["front"], **{name: "maybe"})

    assert not (node.transition("configure") and node.transition("activate"))

    graph.recorder.wait_until(lambda: graph.recorder.warnings(level=Log.ERROR), "the reason")
    (sentence,) = graph.recorder.warnings(level=Log.ERROR)
    assert "maybe" in sentence
    assert topic in sentence
    assert "Traceback" not in sentence
