# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What fails inside the node stops one window at most, and what cannot work is refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rcl_interfaces.msg import Log

from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction
from da3_ros.inference.engine import EngineError, OutOfMemory
from da3_ros.inference.null_engine import NullEngine
from da3_ros.nodes import da3_node
from da3_ros.nodes.camera_outputs import CameraOutputs
from da3_ros.streaming.memory_relief import FIRST_WAIT
from test.graph.harness import Graph, dropped

DEPTH, INFO, STATUS = "depth/image_rect", "depth/camera_info", "da3_node/status"
MEMORY = "da3_node: memory"


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


@pytest.mark.parametrize("error", [EngineError("no answer"), ValueError("bad"), RuntimeError("cuda")])
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


class ShortEngine(FailingEngine):
    """Answers at half the resolution where it is asked to."""

    def estimate(self, *arguments: Any, effort: Effort = FULL_EFFORT, **options: Any) -> Prediction:
        full = super().estimate(*arguments, **options)
        half = NullEngine(process_resolution=28)
        return half.estimate(*arguments, **options) if effort.half_resolution else full


def test_node_goes_on_with_less_while_memory_is_short_and_takes_it_back(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Windows grow from one view, of which nothing but the resolution can be halved. Each of these calls is retried.
    engine = ShortEngine(OutOfMemory("9000 MB are wanted"), calls=(1, 3, 5))
    monkeypatch.setattr(da3_node, "make_engine", lambda params: engine)
    graph.recorder.listen_to_node("front", topics=[DEPTH, INFO, STATUS, "/diagnostics"])
    graph.active_node(cameras=["front"], diagnostics_period_s=0.1)
    cameras = graph.cameras("front")

    def told(level: bytes, message: str) -> bool:
        statuses = [status for array in graph.recorder.messages("/diagnostics") for status in array.status]
        return any((status.name, status.level, status.message) == (MEMORY, level, message) for status in statuses)

    graph.run(cameras, 0, 3)
    given_up = "short of memory: half_chunks, half_window, half_resolution"
    graph.recorder.wait_until(lambda: told(DiagnosticStatus.WARN, given_up), "what is given up")
    status = graph.run(cameras, 3, 3 * FIRST_WAIT + 1)
    graph.recorder.wait_until(lambda: told(DiagnosticStatus.OK, "enough for whole windows"), "the recovery")

    assert not dropped(status)
    assert graph.numbers_on(f"front/{DEPTH}") == list(range(4 + 3 * FIRST_WAIT))
    assert len(graph.recorder.warnings("out of memory", "9000 MB")) == 3
    assert not graph.recorder.warnings(level=Log.ERROR)
    depth, info = (graph.recorder.by_stamp(f"front/{topic}") for topic in (DEPTH, INFO))
    sizes = [(image.height, image.width) for image in depth.values()]
    assert (sizes[0], sizes[-1]) == ((28, 28), (42, 56))
    assert sizes == [(info[stamp_ns].height, info[stamp_ns].width) for stamp_ns in depth]


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
        ({"engine": "network", "model": "da3-small"}, ["depth-anything/DA3-SMALL", "allow_download"]),
        ({"engine": "network", "weights": "somebody/some-model"}, ["somebody/some-model", "name the model"]),
        ({"engine": "network", "weights": "random", "scale_mode": "model"}, ["scale_mode", "da3metric-large"]),
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
    if given.get("model") == "da3-small":
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
