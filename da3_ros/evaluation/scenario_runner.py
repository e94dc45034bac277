# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Plays a scenario through the stream as a node would, and keeps what comes out beside what is true."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from da3_ros.evaluation.external_odometry import external_odometry
from da3_ros.evaluation.oracle_windows import oracle_engine
from da3_ros.evaluation.scenarios import Scenario
from da3_ros.evaluation.scenes import Scene
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey
from da3_ros.geometry.rotation import FloatArray
from da3_ros.inference.oracle import OracleEngine
from da3_ros.streaming.frame import Frame
from da3_ros.streaming.pipeline import Pipeline
from da3_ros.streaming.results import WindowResult
from da3_ros.streaming.stream_config import StreamConfig


@dataclass(frozen=True, slots=True, eq=False)
class PlayedWindow:
    """One window on its way through the stream.

    Attributes:
        result: what the stream made of it.
        prediction: what the engine had answered.
        units_per_metre: window units per true metre.
        garbage: (V,) bool, views that the engine spoilt on purpose.
    """

    result: WindowResult
    prediction: Prediction
    units_per_metre: float
    garbage: npt.NDArray[np.bool_]

    @property
    def published_metres(self) -> float:
        """What is published for one true metre: metres when the scale claims so."""
        to_world = self.result.report.world_from_window.scale
        return self.result.scale.metres_per_unit * to_world * self.units_per_metre


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One scenario with one seed.

    Attributes:
        scenario: which.
        scene: what is true.
        frames: how many were pushed.
        windows: in the order in which they were processed.
    """

    scenario: Scenario
    scene: Scene
    frames: int
    windows: tuple[PlayedWindow, ...]


def play(scenario: Scenario, scene: Scene, seed: int) -> Run:
    """Push all frames through a Pipeline; what it raises passes through, as nothing here may make it raise."""
    oracle = oracle_engine(scene, replace(scenario.noise, seed=seed), scenario.faults)
    engine = _Recording(oracle)
    odometry_at = _odometry(scenario, scene, seed)
    pipeline = Pipeline(_config(scenario, scene), engine, time.perf_counter_ns, odometry_at=odometry_at)
    results: list[WindowResult] = []
    frames = 0
    for frame in _frames(scenario, scene, seed):
        results += pipeline.feed(frame)
        frames += 1
    results += pipeline.finish()
    windows = []
    for result, prediction in zip(results, engine.predictions, strict=True):
        keys = [view.key for view in result.window.views]
        garbage = np.any([np.zeros(len(keys), np.bool_), *(fault.hits(keys) for fault in scenario.faults)], axis=0)
        windows.append(PlayedWindow(result, prediction, oracle.gauge(keys).scale, garbage))
    return Run(scenario, scene, frames, tuple(windows))


class _Recording:
    """Passes windows on to the oracle and keeps the answers."""

    def __init__(self, oracle: OracleEngine) -> None:
        self._oracle = oracle
        self.predictions: list[Prediction] = []

    def estimate(
        self,
        images: Sequence[npt.NDArray[np.uint8]],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: FloatArray | None = None,
        keys: Sequence[ViewKey] | None = None,
        *,
        effort: Effort = FULL_EFFORT,
    ) -> Prediction:
        self.predictions.append(self._oracle.estimate(images, cameras, camera_from_world, keys, effort=effort))
        return self.predictions[-1]


def _config(scenario: Scenario, scene: Scene) -> StreamConfig:
    return StreamConfig(
        cameras=tuple(scene.calibrations),
        missing_camera=scenario.missing_camera,
        window_size=scenario.window_size,
        window_stride=scenario.window_stride,
        overlap=scenario.window_size - scenario.window_stride,
        scale_mode=scenario.scale_mode,
        base_from_camera={} if scenario.scale_mode == "relative" else scene.base_from_camera,
    )


def _odometry(scenario: Scenario, scene: Scene, seed: int) -> Callable[[int], FloatArray] | None:
    if scenario.odometry is None:
        return None
    return external_odometry(scene.world_from_base, scene.stamps_ns[0], replace(scenario.odometry, seed=seed))


def _frames(scenario: Scenario, scene: Scene, seed: int) -> Iterator[Frame]:
    generator = np.random.default_rng((seed, 1))
    start_ns = scene.stamps_ns[0]
    for _ in range(scenario.rounds):
        for frame in scene.frames():
            seconds = (frame.stamp_ns - start_ns) * 1e-9
            in_gap = scenario.gap_s is not None and scenario.gap_s[0] <= seconds < scenario.gap_s[1]
            if not in_gap and generator.random() >= scenario.drop_share:
                yield frame
