# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From parameters to an engine: the model that `auto` stands for, and what an exported network asks of the windows."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from da3_ros.inference import loading, model_choice, onnx_engine
from da3_ros.inference.estimator import DepthEstimator
from da3_ros.inference.onnx_file import OnnxContents
from da3_ros.model.config import usual_resolution
from da3_ros.nodes.engines import make_engine, with_model
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


@pytest.mark.usefixtures("embedded")
def test_node_without_weights_runs_the_embedded_network_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    params = with_model(NodeParams(process_resolution=56, device="cpu", cpu_threads=1, precision="fp32"))

    with caplog.at_level(logging.WARNING):
        engine = make_engine(params)

    assert params.model == "da3-nano"
    assert isinstance(engine, DepthEstimator)
    assert engine.estimate([np.zeros((42, 56, 3), np.uint8)] * 2).depth.shape == (2, 42, 56)
    (warning,) = [message for message in caplog.messages if "embedded da3-nano" in message]
    assert "not for robots" in warning


@pytest.mark.usefixtures("embedded")
@pytest.mark.parametrize(("given", "side_px"), [(0, usual_resolution("da3-nano")), (112, 112)])
def test_network_sees_images_as_large_as_it_was_trained_at_unless_told_otherwise(given: int, side_px: int) -> None:
    params = NodeParams(process_resolution=given, device="cpu", cpu_threads=1, precision="fp32")

    engine = make_engine(with_model(params))

    assert max(engine.estimate([np.zeros((300, 400, 3), np.uint8)]).depth.shape[1:]) == side_px


@pytest.mark.parametrize("given", [{"engine": "oracle"}, {"engine": "null"}, {"model": "da3-base"}])
def test_parameters_stay_as_they_are_when_no_model_is_to_be_told(given: dict[str, Any]) -> None:
    params = NodeParams(**given)

    assert with_model(params) is params


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"weights": "depth-anything/DA3METRIC-LARGE"},
            "model 'da3metric-large' sees one image at a time: set window_size to 1",
        ),
        ({"weights": "random", "scale_mode": "model"}, "scale_mode 'model' needs metric_model"),
        ({"window_size": 1, "scale_mode": "fixed"}, "every image has a unit of its own"),
        (
            {"weights": "depth-anything/DA3NESTED-GIANT-LARGE-1.1", "metric_model": "da3metric-large"},
            "metric_model is of no use beside the model 'da3nested-giant-large'",
        ),
        ({"weights": "/no/such/file.safetensors"}, "no such file"),
    ],
    ids=["single images", "metres", "fixed scale", "two metric models", "file"],
)
def test_model_that_the_weights_name_is_held_against_the_other_parameters(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        with_model(NodeParams(**given))


@pytest.fixture
def file_of_four_views(monkeypatch: pytest.MonkeyPatch) -> str:
    """Weights that open as if they were exported; nothing runs them."""
    monkeypatch.setattr(loading, "resolve_weights", lambda weights, *_, **__: weights)
    monkeypatch.setattr(model_choice, "local_file", lambda spec: spec)
    monkeypatch.setattr(model_choice, "read_contents", lambda path: CONTENTS)
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
    engine = make_engine(with_model(NodeParams(weights=file_of_four_views, **given)))

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
