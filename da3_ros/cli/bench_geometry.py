# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the geometry of one window costs: alignment, focal length, cameras from rays. Wall time, any threads."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import cv2
import numpy as np

from da3_ros.cli.bench_table import BenchResult, BenchTable, Column
from da3_ros.cli.interleaved import bench_progress
from da3_ros.evaluation.oracle_windows import OracleWindow, oracle_windows
from da3_ros.evaluation.scenes import SIZE, simulated_scene
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.focal import corrected_poses
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rays import camera_from_rays
from da3_ros.simulation.rig import single_camera_rig
from da3_ros.streaming.aligner import WindowAligner
from da3_ros.streaming.frame import Window

DEPTH_SIZE = (378, 504)
RAY_MAP_SIZE = (160, 288)
SECONDS = 12.0


def measure(arguments: argparse.Namespace) -> BenchResult:
    """As the command line asks."""
    figures = _medians(arguments.rounds)
    table = BenchTable(
        name="geometry",
        title=f"A simulated walk, {arguments.rounds} rounds",
        columns=(Column("figure", "geometry of one window"), Column("ms", "ms", "{:.1f}")),
        rows=tuple({"figure": name, "ms": ms} for name, ms in figures.items()),
    )
    return BenchResult((table,))


def _medians(rounds: int) -> dict[str, float]:
    """Milliseconds, over the windows of a simulated walk, played so many times."""
    scene = simulated_scene(single_camera_rig(SIZE), "handheld", SECONDS)
    windows = [(one.window, _enlarged(one)) for one in oracle_windows(scene)]
    views = len(windows[0][0].views)
    with bench_progress() as progress:
        aligning = [ms for _ in progress.track(range(rounds), description="aligning") for ms in _alignment_ms(windows)]
    prediction = windows[1][1]
    wrong = [replace(camera, fx_px=1.1 * camera.fx_px, fy_px=1.1 * camera.fy_px) for camera in prediction.cameras]
    focal = partial(corrected_poses, prediction.window_from_camera, wrong, prediction.cameras, prediction.depth)
    rays = np.concatenate((PinholeCamera.from_field_of_view(RAY_MAP_SIZE, 1.2).rays(), _origins()), axis=-1)
    cameras = partial(camera_from_rays, rays, np.ones(RAY_MAP_SIZE))
    size = f"{DEPTH_SIZE[0]}x{DEPTH_SIZE[1]}"
    return {
        f"aligning a window of {views} views at {size}, median": float(np.median(aligning)),
        "the same, 95th percentile": float(np.percentile(aligning, 95)),
        f"focal length 10 % wrong, {views} views": _median_ms(focal, rounds, "focal length"),
        f"one camera from rays {RAY_MAP_SIZE[0]}x{RAY_MAP_SIZE[1]}": _median_ms(cameras, rounds, "rays"),
    }


def _origins() -> np.ndarray[Any, Any]:
    return np.zeros((*RAY_MAP_SIZE, 3))


def _enlarged(window: OracleWindow) -> Prediction:
    """The prediction at the size that the network gives."""
    prediction = window.prediction
    depth, confidence = (
        np.stack([cv2.resize(image, DEPTH_SIZE[::-1], interpolation=cv2.INTER_LINEAR) for image in images])
        for images in (prediction.depth, prediction.confidence)
    )
    cameras = tuple(camera.resized(DEPTH_SIZE) for camera in prediction.cameras)
    return replace(prediction, depth=depth, confidence=confidence, cameras=cameras, predicted_cameras=cameras)


def _alignment_ms(windows: Sequence[tuple[Window, Prediction]]) -> list[float]:
    aligner, times = WindowAligner(), []
    for window, prediction in windows:
        begin_ns = time.perf_counter_ns()
        report = aligner.add(window, prediction)
        if not report.new_segment:
            times.append((time.perf_counter_ns() - begin_ns) * 1e-6)
    return times


def _median_ms(call: Callable[[], object], rounds: int, what: str) -> float:
    times = []
    with bench_progress() as progress:
        for _ in progress.track(range(3 * rounds), description=what):
            begin_ns = time.perf_counter_ns()
            call()
            times.append((time.perf_counter_ns() - begin_ns) * 1e-6)
    return float(np.median(times))
