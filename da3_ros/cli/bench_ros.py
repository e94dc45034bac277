# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Processor time of da3_node per camera image without the network."""

from __future__ import annotations

import argparse
import time
from typing import Any

import cv2
import numpy as np

from da3_ros.cli.bench_nodes import SIZE, running_nodes
from da3_ros.cli.bench_table import BenchResult, BenchTable, Column
from da3_ros.cli.interleaved import bench_progress

WARM_UP_FRAMES = 20
STEPS = 10
TOPICS = ("depth/image_rect", "depth/camera_info", "depth/confidence", "rgb/image_rect", "depth/points")
COLUMNS = (Column("figure", "ROS cost without the network"), Column("ms", "ms per image", "{:.2f}"))


def measure(arguments: argparse.Namespace) -> BenchResult:
    """As the command line asks."""
    figures, images, received = _cost(arguments.frames, arguments.rate)
    counts = ", ".join(f"{topic} {count}" for topic, count in received.items())
    table = BenchTable(
        name="ros",
        title=f"Null engine, 640x480 raw in at {arguments.rate:g} Hz, 378x504 out, {images} images",
        columns=COLUMNS,
        rows=tuple({"figure": name, "ms": ms} for name, ms in figures.items()),
        notes=(f"Received by the other process, warm-up included: {counts}.",),
        details={"images": images, "received": received},
    )
    return BenchResult((table,))


def _cost(frames: int, rate_hz: float) -> tuple[dict[str, float], int, dict[str, int]]:
    """Milliseconds by name, images that were measured, and messages that came by topic."""
    parameters = {"engine": "null", "window_size": 1, "process_resolution": 504}
    with running_nodes(("camera",), TOPICS, parameters, {"rate_hz": rate_hz}) as nodes, bench_progress() as progress:
        bar = progress.add_task("measuring", total=STEPS)
        nodes.wait_until(lambda: nodes.published >= WARM_UP_FRAMES, "the first images")
        published, cpu_s = nodes.published, nodes.node.cpu_seconds
        for _ in range(STEPS):
            due = nodes.published + max(frames // STEPS, 1)
            nodes.wait_until(lambda due=due: nodes.published >= due, "an image")  # type: ignore[misc]
            progress.advance(bar)
        measured = nodes.published - published
        cpu_ms = (nodes.node.cpu_seconds - cpu_s) * 1e3 / measured
        steady = nodes.recorder.windows[WARM_UP_FRAMES:]
        received = dict(sorted(nodes.recorder.counts.items()))
    resizing_ms = _resizing_ms()
    figures = {
        "processor time of the process": cpu_ms,
        "of that the network's own resizing": resizing_ms,
        "without the resizing": cpu_ms - resizing_ms,
        **{f"time of stage `{stage}`, median": ms for stage, ms in _stage_medians(steady).items()},
    }
    return figures, measured, {topic.removeprefix("camera/"): count for topic, count in received.items()}


def _stage_medians(statuses: list[Any]) -> dict[str, float]:
    return {
        stage: float(np.median([dict(zip(one.stages, one.stage_ms, strict=True))[stage] for one in statuses]))
        for stage in statuses[0].stages
    }


def _resizing_ms() -> float:
    """Processor time of the network's own pre-processing of one image, which is all that the null engine does."""
    from da3_ros.inference.preprocess import Preprocessor

    cv2.setNumThreads(1)
    preprocessor, image, times_ns = Preprocessor(504), np.zeros((*SIZE, 3), np.uint8), []
    for _ in range(50):
        begin_ns = time.thread_time_ns()
        preprocessor.process([image])
        times_ns.append(time.thread_time_ns() - begin_ns)
    return float(np.median(times_ns)) * 1e-6
