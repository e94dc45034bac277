# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A whole stream gets the same answers with and without the memory of earlier images, whatever happens to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey
from da3_ros.inference.estimator import DepthEstimator
from da3_ros.inference.feature_cache import FeatureCache
from da3_ros.streaming.frame import Frame
from da3_ros.streaming.memory_relief import MemoryRelief
from da3_ros.streaming.pipeline import Pipeline
from da3_ros.streaming.stream_config import StreamConfig
from test.inference.test_feature_cache import BENT, assert_same
from test.model.tiny import tiny_network
from test.strategies import seeds

CAMERAS = {"front": BENT, "rear": None}
SIZES = {"front": BENT.size, "rear": (30, 40)}
SMALL: dict[str, Any] = {"dim": 32, "depth": 5, "heads": 2, "alternation_start": 1, "tapped_blocks": (1, 2, 3, 4)}
STEPS = 9
LOST, LATE, RESET, REPLAYED, SHORT = 0.15, 0.3, 0.2, 0.5, 0.15
WAIT = 1  # windows until a step is taken back


@pytest.fixture(autouse=True)
def keep_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def engines() -> tuple[DepthEstimator, DepthEstimator]:
    """One that remembers, and one that does not, of the same weights."""
    cached, plain = (
        DepthEstimator(
            tiny_network(**SMALL), torch.device("cpu"), process_resolution=56, cpu_threads=1, cache_mb=cache_mb
        )
        for cache_mb in (1, 0)
    )
    cached._views_at_once = plain._views_at_once = 8  # faster, and nothing that is kept depends on it
    return cached, plain


class Both:
    """Both engines as one, which compares them."""

    def __init__(self, engines: tuple[DepthEstimator, DepthEstimator], kilobytes: int) -> None:
        self._cached, self._plain = engines
        self.kept = FeatureCache(kilobytes * 1024)
        for owner in (self._cached, self._cached._preprocessor, self._cached._half_preprocessor):
            owner._cache = self.kept
        self.is_short = False  # of memory, unless images are half as large
        self.was_half: list[bool] = []

    def estimate(
        self,
        images: Sequence[npt.NDArray[np.uint8]],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: npt.ArrayLike | None = None,
        keys: Sequence[ViewKey] | None = None,
        *,
        effort: Effort = FULL_EFFORT,
    ) -> Prediction:
        if self.is_short and not effort.half_resolution:
            raise MemoryError
        found = self._cached.estimate(images, cameras, camera_from_world, keys, effort=effort)
        assert_same(found, self._plain.estimate(images, cameras, camera_from_world, effort=effort))
        assert self.kept.size_bytes <= self.kept.max_bytes
        self.was_half.append(effort.half_resolution)
        return found


def stream(seed: int, engines: tuple[DepthEstimator, DepthEstimator]) -> tuple[Both, Pipeline]:
    """Some sets of one or two cameras: frames get lost, windows overtaken, bags played again with other pixels."""
    generator, ticks = np.random.default_rng(seed), count(step=1000)
    engine = Both(engines, int(generator.choice([30, 150, 1000])))
    names, size = tuple(CAMERAS)[: generator.integers(1, 3)], int(generator.integers(2, 4))
    config = StreamConfig(
        names, missing_camera="partial", window_size=size, overlap=1, min_sets=1, intrinsics="predicted"
    )
    pipeline = Pipeline(config, engine, lambda: next(ticks))
    pipeline._processor._relief = MemoryRelief(WAIT)
    number = take = 0
    for _ in range(STEPS):
        if generator.random() < RESET:
            pipeline.reset()
            if generator.random() < REPLAYED:  # the same stamps once more
                number, take = 0, take + 1
        for name in names:
            if generator.random() >= LOST:
                pixels = np.random.default_rng((ord(name[0]), number, take))
                image = pixels.integers(0, 256, (*SIZES[name], 3), dtype=np.uint8)
                pipeline.push(Frame(name, number * 100_000_000, name, image, CAMERAS[name]))
        number += 1
        engine.is_short = generator.random() < SHORT
        if generator.random() >= LATE and (window := pipeline.take(0.0)) is not None:
            pipeline.process(window)
    return engine, pipeline


@pytest.mark.timeout(1200)  # a minute, but CI may be busy
@settings(max_examples=200)
@given(seed=seeds)
def test_stream_is_answered_identically_with_and_without_memory_whatever_happens(
    engines: tuple[DepthEstimator, DepthEstimator], seed: int
) -> None:
    stream(seed, engines)


def test_everything_does_happen_to_these_streams(engines: tuple[DepthEstimator, DepthEstimator]) -> None:
    runs = [stream(seed, engines) for seed in range(20)]

    changes = {change for engine, _ in runs for change in pairwise(engine.was_half)}
    assert {(False, True), (True, False)} <= changes
    dropped = {cause for _, pipeline in runs for cause in pipeline.counters().dropped}
    assert {"superseded", "reset", "no_memory"} <= dropped
    assert sum(engine.kept.hits for engine, _ in runs) > 100
