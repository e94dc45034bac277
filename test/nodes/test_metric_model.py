# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The network that is asked for metres: made when wanted, and never the end of a window."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.inference import loading
from da3_ros.inference.engine import EngineError
from da3_ros.inference.load_options import LoadOptions
from da3_ros.inference.monocular_estimator import MonocularDepth, MonocularEstimator
from da3_ros.inference.null_engine import NullEngine
from da3_ros.nodes.engines import make_engine
from da3_ros.nodes.metric_model import make_metric_model, metric_depth
from da3_ros.ros.params import NodeParams
from da3_ros.streaming.model_scale import metric_ratio

CAMERA = PinholeCamera.from_field_of_view((28, 42), 1.0)
IMAGES = [np.zeros((28, 42, 3), np.uint8)] * 2


class Fake:
    """Stands for a MonocularEstimator of 2 m everywhere."""

    def __init__(self, error: Exception | None = None, is_metric: tuple[bool, ...] = (True, True)) -> None:
        self._error, self._is_metric = error, is_metric

    def depth_of(self, images: Any, cameras: Any) -> MonocularDepth:
        if self._error is not None:
            raise self._error
        shape = (len(images), 28, 42)
        return MonocularDepth(np.full(shape, 2, np.float32), np.zeros(shape, np.bool_), self._is_metric)


def asked(fake: Fake) -> Any:
    return metric_depth(cast(MonocularEstimator, fake), IMAGES, [CAMERA] * 2)


def test_metric_depth_is_what_the_network_says_where_it_says_metres() -> None:
    metres = asked(Fake(is_metric=(True, False)))

    np.testing.assert_array_equal(metres[0], 2)
    assert np.isnan(metres[1]).all()


@pytest.mark.parametrize("error", [EngineError("a NaN"), MemoryError("too little"), RuntimeError("CUDA error")])
def test_network_that_fails_says_nothing_and_stops_nothing(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        metres = asked(Fake(error))

    depth = np.ones((2, 28, 42), np.float32)
    assert metric_ratio(metres, depth, depth) is None
    assert str(error) in caplog.text


def test_no_network_is_loaded_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(loading, "load_estimator", refuse)

    assert make_metric_model(NodeParams()) is None


@pytest.mark.parametrize(("weights", "beside"), [("auto", "da3-small"), ("four.onnx", "")], ids=["torch", "onnx"])
def test_two_networks_share_the_memory_they_may_take(
    monkeypatch: pytest.MonkeyPatch, weights: str, beside: str
) -> None:
    limits: dict[str, int] = {}

    def load(model: str, weights: str, options: LoadOptions) -> NullEngine:
        limits[model] = options.max_memory_mb
        return NullEngine()

    monkeypatch.setattr(loading, "load_estimator", load)
    monkeypatch.setattr(loading, "weights_mb", lambda model, *_: {"da3-small": 100, "da3metric-large": 1000}[model])
    params = NodeParams(
        model="da3-small", weights=weights, metric_model="da3metric-large", max_memory_mb=4000, device="cpu"
    )

    if beside:
        make_engine(params)
    with pytest.raises(ValueError, match="hold no network"):
        make_metric_model(params)

    expected = {"da3-small": 3000, "da3metric-large": 3900} if beside else {"da3metric-large": 4000}
    assert limits == expected
    with pytest.raises(
        ValueError, match="max_memory_mb is 1000, and the weights of da3metric-large alone take 1000 MB"
    ):
        make_engine(replace(params, weights="auto", max_memory_mb=1000))


def test_network_is_loaded_as_the_parameters_say(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Any] = []

    def load(*arguments: Any) -> NullEngine:
        loaded.extend(arguments)
        return NullEngine()

    monkeypatch.setattr(loading, "load_estimator", load)
    params = NodeParams(
        metric_model="da3metric-large",
        metric_weights="weights.onnx",
        precision="bf16",
        device="cpu",
        pose_source="rays",  # these two: of the other network
        process_resolution=280,
    )

    with pytest.raises(ValueError, match=r"'weights\.onnx' hold no network that sees images one by one"):
        make_metric_model(params)

    model, weights, options = loaded
    assert (model, weights) == ("da3metric-large", "weights.onnx")
    assert (options.device, options.precision, options.cache_mb) == ("cpu", "bf16", 0)
    assert (options.pose_source, options.process_resolution) == ("camera_head", 0)
