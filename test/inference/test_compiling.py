# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled engines in windows of many shapes. Dynamo traces; the backend that runs what it traced is PyTorch itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch._dynamo.exc import FailOnRecompileLimitHit

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.inference.compiling import compiled
from da3_ros.inference.estimator import DepthEstimator
from da3_ros.inference.monocular_estimator import MonocularEstimator
from da3_ros.model.build import build_network
from da3_ros.model.network import Da3Network
from da3_ros.model.weights import fill_with_noise
from test.model.tiny import TINY_MONOCULAR

CPU = torch.device("cpu")
CAMERA = PinholeCamera.from_field_of_view((42, 56), 1.0)
Compiler = Callable[..., Callable[..., Any]]


@pytest.fixture(autouse=True)
def keep_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def tracing_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    whole: Compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function, mode, **how: whole(function, backend="eager", **how))
    yield
    torch._dynamo.reset()


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise FailOnRecompileLimitHit("recompile_limit reached\nand more")

    monkeypatch.setattr(torch, "compile", lambda *_, **__: refuse)


def networks_of(kind: str, any_view: Da3Network) -> tuple[Any, Any]:
    """The class of an engine, and a network for it."""
    if kind == "any-view":
        return DepthEstimator, any_view
    network = build_network("da3mono-large", **TINY_MONOCULAR)
    fill_with_noise(network, 1)
    return MonocularEstimator, network


@pytest.mark.usefixtures("tracing_alone")
def test_more_shapes_than_torch_allows_are_compiled_in_whichever_thread_calls(caplog: pytest.LogCaptureFixture) -> None:
    """A node compiles in one thread and answers windows in another."""
    double = compiled(lambda values: 2 * values)

    def total(size: int) -> float:
        return float(double(torch.ones(size)).sum())

    here = list(map(total, range(1, 12)))
    with ThreadPoolExecutor(1) as another:
        there = list(another.map(total, range(12, 24)))

    assert here + there == [2.0 * size for size in range(1, 24)]
    assert not [one for one in caplog.messages if "torch.compile refuses" in one]


@pytest.mark.usefixtures("refusing")
@pytest.mark.parametrize("kind", ["any-view", "monocular"])
def test_window_that_torch_refuses_to_compile_is_answered_without_and_said_once(
    small_network: Da3Network, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine, network = networks_of(kind, small_network)
    plain, refused = (
        engine(network, CPU, process_resolution=56, cpu_threads=1, compile=compile) for compile in (False, True)
    )
    image = np.random.default_rng(0).integers(0, 256, (42, 56, 3), dtype=np.uint8)
    expected = plain.estimate([image], [CAMERA])

    with caplog.at_level(logging.WARNING, "da3_ros.inference.compiling"):
        for _ in range(2):
            np.testing.assert_array_equal(refused.estimate([image], [CAMERA]).depth, expected.depth)

    assert len(caplog.messages) == (2 if kind == "any-view" else 1)  # once for each function that is compiled
    assert all("(recompile_limit reached): such windows are answered uncompiled" in one for one in caplog.messages)
