# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Measure what da3_ros costs on this machine.

`ros`: processor time of da3_node per camera image without the network (null engine): raw 640x480 in; depth, its
camera_info, confidence, rectified colour and cloud out at 378x504, all subscribed to by another process.
`geometry`: time of what follows the network for each window: alignment, focal length, cameras from rays. No ROS.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from da3_ros.cli.main import CommandError
from da3_ros.cli.numbers import positive_float, positive_int

SIZE = (480, 640)
WARM_UP_FRAMES = 20
TOPICS = ("depth/image_rect", "depth/camera_info", "depth/confidence", "rgb/image_rect", "depth/points")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `da3_ros bench`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", choices=("ros", "geometry"), help="what to measure")
    parser.add_argument(
        "--frames",
        type=positive_int,
        default=200,
        help="images to measure over, for `geometry` twentieths of it rounds (default: 200)",
    )
    parser.add_argument("--rate", type=positive_float, default=15.0, help="images per second (default: 15)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the same figures as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print, and write."""
    if arguments.what == "geometry":
        from da3_ros.cli.bench_geometry import measure

        title, figures = "Geometry per window, milliseconds", measure(rounds=max(arguments.frames // 20, 1))
    else:
        title, figures = "ROS cost per 640x480 image, no network", _measure_ros(arguments.frames, arguments.rate)
    table = Table(title=title, show_header=False, title_justify="left")
    for name, value in figures.items():
        if isinstance(value, dict):
            value = ", ".join(f"{topic} {count}" for topic, count in value.items())
        table.add_row(name.replace("_", " "), f"{value:.2f}" if isinstance(value, float) else str(value))
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _measure_ros(frames: int, rate_hz: float) -> dict[str, Any]:
    from da3_ros.cli.node_process import NodeProcess, isolate
    from da3_ros.cli.recorder import Recorder

    isolate()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _write_images(folder / "images")
        recorder = Recorder(("camera",), TOPICS)
        stack.callback(recorder.close)
        parameters = {"engine": "null", "window_size": 1, "process_resolution": 504}
        node = stack.enter_context(NodeProcess("da3_ros.nodes.da3_node", parameters, folder))
        source = {"source": str(folder / "images"), "rate_hz": rate_hz, "loop": True}
        while not recorder.is_connected:
            recorder.wait_for_change(0.2)
            node.check()
        player = stack.enter_context(NodeProcess("da3_ros.nodes.image_source_node", source, folder))
        _wait_for(recorder, WARM_UP_FRAMES, node, player)
        published, cpu_s = recorder.status.frames_published, node.cpu_seconds  # type: ignore[union-attr]
        for _ in track(range(10), description="measuring"):
            published_now = recorder.status.frames_published  # type: ignore[union-attr]
            _wait_for(recorder, published_now + max(frames // 10, 1), node, player)
        measured = recorder.status.frames_published - published  # type: ignore[union-attr]
        cpu_ms = (node.cpu_seconds - cpu_s) * 1e3 / measured
    steady = recorder.windows[WARM_UP_FRAMES:]
    stages = {
        f"{stage}_ms_median": float(np.median([dict(zip(s.stages, s.stage_ms, strict=True))[stage] for s in steady]))
        for stage in steady[0].stages
    }
    received = {topic.removeprefix("camera/"): count for topic, count in sorted(recorder.counts.items())}
    resizing_ms = _resizing_ms()
    return {
        "cpu_ms_per_image": cpu_ms,
        "cpu_ms_of_resizing": resizing_ms,
        "cpu_ms_without_resizing": cpu_ms - resizing_ms,
        "images": int(measured),
        **stages,
        "received": received,
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


def _write_images(folder: Path) -> None:
    """Forty images with some structure: they are decoded from PNG by the player, not by the node."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for index in range(40):
        coarse = generator.integers(0, 256, (SIZE[0] // 16, SIZE[1] // 16, 3), dtype=np.uint8)
        image = cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_LINEAR)
        cv2.imwrite(str(folder / f"{index:03d}.png"), image)


def _wait_for(recorder: Any, frames: int, node: Any, player: Any, timeout_s: float = 120.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while recorder.status is None or recorder.status.frames_published < frames:
        recorder.wait_for_change(0.5)
        node.check()
        player.check()
        if time.monotonic() > deadline_s:
            raise CommandError(f"only {recorder.counts} came within {timeout_s:.0f} s: is the machine overloaded?")
