# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows of a scene as an imperfect network would answer them, together with what is true of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from da3_ros.evaluation.scenes import LONGEST_SIDE_PX, Scene
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import Sim3
from da3_ros.inference.oracle import OracleEngine, OracleNoise
from da3_ros.inference.oracle_faults import OracleFault
from da3_ros.streaming.frame import Frame, FrameSet, Window
from da3_ros.streaming.sliding_window import SlidingWindow

# What the network is taken to be wrong by, at about 3 m scene depth.
NETWORK_NOISE = OracleNoise(
    depth_smooth=0.03, depth_pixel=0.01, position_m=0.01, rotation_rad=float(np.deg2rad(0.2)), confidence=0.5
)


@dataclass(frozen=True, slots=True, eq=False)
class OracleWindow:
    """One window, the answer to it, and the truth.

    Attributes:
        window: frame sets with black images.
        prediction: noisy, in the window's own gauge.
        window_from_truth: that gauge: window units per metre, and where the true world lies in the window.
        truth_from_camera: (V, 4, 4) rigid, metres.
    """

    window: Window
    prediction: Prediction
    window_from_truth: Sim3
    truth_from_camera: FloatArray


def oracle_engine(scene: Scene, noise: OracleNoise, faults: Sequence[OracleFault] = ()) -> OracleEngine:
    """An engine that knows a scene."""
    return OracleEngine(
        lambda key, camera, image: scene.truth(key), noise, faults=faults, process_resolution=LONGEST_SIDE_PX
    )


def oracle_windows(
    scene: Scene,
    *,
    size: int = 8,
    stride: int = 4,
    seed: int = 0,
    noise: OracleNoise = NETWORK_NOISE,
    faults: Sequence[OracleFault] = (),
) -> Iterator[OracleWindow]:
    """Sliding windows of a scene, all frames complete and none dropped.

    Args:
        scene: where.
        size: frame sets per window.
        stride: new sets between two windows.
        seed: other seeds give other noise and gauges.
        noise: of the answers; its own seed is not used.
        faults: see OracleEngine.
    """
    engine = oracle_engine(scene, replace(noise, seed=seed), faults)
    sliding = SlidingWindow(size, stride)
    for frame_set in _frame_sets(scene):
        window = sliding.push(frame_set)
        if window is None:
            continue
        views = window.views
        keys = [view.key for view in views]
        prediction = engine.estimate([view.image for view in views], [view.calibration for view in views], keys=keys)
        truth = np.stack([scene.truth(key).world_from_camera for key in keys])
        yield OracleWindow(window, prediction, engine.gauge(keys), truth)


def _frame_sets(scene: Scene) -> Iterator[FrameSet]:
    cameras = len(scene.calibrations)
    frames: list[Frame] = []
    for frame in scene.frames():
        frames.append(frame)
        if len(frames) == cameras:
            yield FrameSet(scene.stamps_ns.index(frame.stamp_ns), frame.stamp_ns, tuple(frames))
            frames = []
