# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters that name an exported network: what the node makes of them before it starts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from da3_ros.inference import loading, onnx_engine
from da3_ros.inference.onnx_file import OnnxContents
from da3_ros.nodes.engines import make_engine
from da3_ros.nodes.stream_settings import stream_config
from da3_ros.ros.params import NodeParams

CONTENTS = OnnxContents(
    model="da3-small",
    views=4,
    size=(280, 504),
    reference_view="saddle_balanced",
    rays=False,
    precision="fp32",
    weights="random",
    da3_ros="0.1.0",
)


@pytest.fixture
def file_of_four_views(monkeypatch: pytest.MonkeyPatch) -> str:
    """Weights that open as if they were exported; nothing runs them."""
    monkeypatch.setattr(loading, "resolve_weights", lambda weights, *_, **__: weights)
    monkeypatch.setattr(onnx_engine, "open_onnx_file", lambda *_, **__: (SimpleNamespace(), CONTENTS))
    return "four.onnx"


def test_first_window_is_a_whole_one_when_the_network_is_exported() -> None:
    assert stream_config(NodeParams(weights="four.onnx")).min_sets == 0
    assert stream_config(NodeParams(weights="four.safetensors")).min_sets == 1


@pytest.mark.parametrize(
    "given",
    [{"window_size": 4}, {"cameras": ("left", "right"), "window_size": 2, "window_stride": 1, "window_overlap": 1}],
    ids=["one camera", "two cameras"],
)
def test_exported_network_is_taken_when_the_windows_fit(file_of_four_views: str, given: dict[str, Any]) -> None:
    engine = make_engine(NodeParams(weights=file_of_four_views, **given))

    assert isinstance(engine, onnx_engine.OnnxEngine)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"window_size": 5},
            "four.onnx was exported for 4 views of 280x504, but 1 camera in windows of 5 make 5 views: set window_size",
        ),
        (
            {"pose_conditioning": "rig", "cameras": ("a", "b", "c", "d"), "window_size": 1},
            "four.onnx takes no known poses: set pose_conditioning to none",
        ),
    ],
    ids=["views", "poses"],
)
def test_exported_network_is_refused_at_the_start_when_windows_do_not_fit(
    file_of_four_views: str, given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        make_engine(NodeParams(weights=file_of_four_views, **given))
