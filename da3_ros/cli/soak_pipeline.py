# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A stream that never ends through the Pipeline in this process, with a tiny network and everything that goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from da3_ros.cli.network_calls import NetworkOptions, Precision, make_estimator, make_images, same_weights
from da3_ros.cli.node_process import resident_bytes
from da3_ros.nodes.memory import keep_freed_memory
from da3_ros.streaming.frame import Frame
from da3_ros.streaming.pipeline import Pipeline
from da3_ros.streaming.stream_config import StreamConfig

TINY: Final = MappingProxyType(
    {
        "dim": 64,
        "depth": 8,
        "heads": 4,
        "alternation_start": 2,
        "tapped_blocks": (3, 5, 6, 7),
        "head_features": 32,
        "head_channels": (16, 16, 32, 32),
    }
)
CAMERAS = ("front", "rear")
SIZE = (84, 112)
WINDOW_SIZE = 4
PICTURES = 64
CACHE_MB = 4  # full after some hundred frames, so that its bound is under test as well
LOST_FRAMES = 0.02  # share that never arrives
BURST, BURST_EVERY = 5, 25  # sets that come at once, every so many: then a window supersedes the one before
RESET_EVERY = 500  # sets


class EndlessStream:
    """Pushes made frames and processes the windows that come of them.

    Args:
        rate_hz: sets per second; 0 as fast as it goes.
        pipeline: takes the frames of `CAMERAS`.
        seed: of what gets lost.
    """

    def __init__(self, rate_hz: float, pipeline: Pipeline, seed: int = 0) -> None:
        self._period_s = 1 / rate_hz if rate_hz else 0.0
        self._pipeline = pipeline
        self._generator = np.random.default_rng(seed)
        self._pictures = make_images(PICTURES, SIZE)
        self._sets = 0
        self._due_s = time.monotonic()

    def step(self) -> tuple[int, int]:
        """One set, or a burst of them, and its window; returns resident bytes and windows so far."""
        if self._sets and self._sets % RESET_EVERY == 0:
            self._pipeline.reset()
        for _ in range(BURST if self._sets % BURST_EVERY == 0 else 1):
            self._push()
        window = self._pipeline.take(timeout_s=0.0)
        if window is not None:
            self._pipeline.process(window)
        self._due_s += self._period_s
        time.sleep(max(self._due_s - time.monotonic(), 0.0))
        return resident_bytes(), self._pipeline.counters().windows

    def _push(self) -> None:
        stamp_ns = self._sets * 100_000_000
        for index, camera in enumerate(CAMERAS):
            if self._generator.random() >= LOST_FRAMES:
                image = self._pictures[(self._sets + 7 * index) % PICTURES]
                self._pipeline.push(Frame(camera, stamp_ns, camera, image, None))
        self._sets += 1


def pipeline_step(rate_hz: float, threads: int, **overrides: Any) -> Callable[[], tuple[int, int]]:
    """One step of a stream through a tiny network with random weights."""
    keep_freed_memory()  # as the node does
    network = NetworkOptions("da3-small", {**TINY, **overrides}, "cpu", threads or 1)
    engine = make_estimator(
        same_weights(network, ours=1, published=False)[0][0],
        network,
        Precision("fp32", "fp32"),
        max(SIZE),
        cache_mb=CACHE_MB,
    )
    for views in range(1, WINDOW_SIZE * len(CAMERAS) + 1):
        engine.warm_up(views, SIZE)  # oneDNN keeps compiled code for every shape: rare ones would come late
    config = StreamConfig(
        cameras=CAMERAS, window_size=WINDOW_SIZE, window_stride=2, overlap=2, missing_camera="partial"
    )
    return EndlessStream(rate_hz, Pipeline(config, engine, time.monotonic_ns)).step
