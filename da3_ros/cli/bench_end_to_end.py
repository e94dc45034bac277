# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From the stamp of an image to its publication, through both nodes as they run on a robot."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from da3_ros.cli.bench_nodes import SIZE, RunningNodes, running_nodes
from da3_ros.cli.bench_table import BenchResult, BenchTable, Cell, Column
from da3_ros.cli.demo_plan import ORACLE, ORACLE_NAME
from da3_ros.cli.interleaved import bench_progress
from da3_ros.cli.main import CommandError
from da3_ros.cli.network_options import engine_name, settle_model
from da3_ros.sources.source import SourceError, open_source

STAGE_NAMES = {"queue": "waiting for the engine", "publish": "publishing"}
LATENCY = (
    Column("stage", "per window"),
    Column("p50_ms", "p50, ms", "{:.1f}"),
    Column("p95_ms", "p95, ms", "{:.1f}"),
)
ACCOUNT = (Column("figure", "in all"), Column("value", "", "{:.4g}"))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the two nodes are asked to do."""

    cameras: tuple[str, ...]
    node: dict[str, Any]
    source: dict[str, Any]
    engine: str
    images: str


def measure(arguments: argparse.Namespace) -> BenchResult:
    """As the command line asks."""
    plan = _plan(arguments)
    # The oracle renders, and so does its source: two processes must not fight for the cores.
    threads = arguments.threads or (1 if arguments.engine == "oracle" else 0)
    with running_nodes(plan.cameras, (), plan.node, plan.source, threads) as nodes:
        nodes.wait_until(lambda: len(nodes.recorder.windows) >= arguments.warm_up, "the first windows")
        first, before = len(nodes.recorder.windows), _account(nodes)
        begin_s, cpu_s = time.monotonic(), nodes.node.cpu_seconds
        _follow(nodes, arguments.frames)
        elapsed_s, cpu_s = time.monotonic() - begin_s, nodes.node.cpu_seconds - cpu_s
        after, windows = _account(nodes), nodes.recorder.windows[first:]
        resident_mb = nodes.node.resident_bytes / 2**20
    if not windows:
        raise CommandError(f"all {arguments.frames} images went by without a window: ask for more --frames")
    counted = {name: after[name] - before.get(name, 0) for name in after}
    account: dict[str, Cell] = {
        **counted,
        "windows": len(windows),
        "windows per second": len(windows) / elapsed_s,
        "processor cores used by da3_node": cpu_s / elapsed_s,
        "resident memory of da3_node, MB": resident_mb,
    }
    title = f"{plan.engine}; {plan.images}, windows of {arguments.window_size} by {arguments.stride}"
    notes = (
        "Stamp to publication is that of the newest images of a window, by the node's clock; the stages do not include "
        "the way from the source. A window that waits when a newer one comes is dropped; its images are published "
        "with the newer one as far as that holds them.",
    )
    return BenchResult(
        (
            BenchTable("latency", title, LATENCY, _latencies(windows), notes),
            BenchTable(
                "account", f"In {elapsed_s:.0f} s", ACCOUNT,
                tuple({"figure": name, "value": value} for name, value in account.items()),
            ),
        ),
        threads=threads,
    )  # fmt: skip


def _plan(arguments: argparse.Namespace) -> _Plan:
    node = {
        "process_resolution": arguments.resolution,
        "window_size": arguments.window_size,
        "window_stride": arguments.stride,
        "window_overlap": max(min(2, arguments.window_size - arguments.stride), 1),
        "diagnostics_period_s": 1.0,
    }
    rate = f"at {arguments.rate:g} Hz"
    if arguments.engine == "oracle":
        cameras = ("front", "left", "right")
        source = {"source": "simulation", "rate_hz": arguments.rate, "static_tf": False}
        return _Plan(cameras, {**node, **ORACLE, "cameras": list(cameras)}, source, ORACLE_NAME, f"3 cameras {rate}")
    try:
        settle_model(arguments)
    except ValueError as error:
        raise CommandError(str(error)) from error
    node |= {
        "model": arguments.model,
        "weights": arguments.weights,
        "allow_download": arguments.allow_download,
        "accept_noncommercial_license": arguments.accept_noncommercial_license,
        "cpu_threads": arguments.threads,
    }
    engine = f"{engine_name(arguments)}, longest side {arguments.resolution}"
    if not arguments.input:
        source = {"rate_hz": arguments.rate}
        return _Plan(("camera",), node, source, engine, f"made images {SIZE[0]}x{SIZE[1]} {rate}")
    try:
        opened = open_source(Path(arguments.input), arguments.rate)
    except SourceError as error:
        raise CommandError(str(error)) from error
    source = {"source": arguments.input, "rate_hz": arguments.rate, "loop": True}
    return _Plan(opened.cameras, {**node, "cameras": list(opened.cameras)}, source, engine, f"{arguments.input} {rate}")


def _follow(nodes: RunningNodes, frames: int) -> None:
    """Until so many more images are published or dropped."""
    begin = nodes.accounted
    with bench_progress() as progress:
        bar = progress.add_task("images", total=frames)
        while (done := nodes.accounted - begin) < frames:
            nodes.wait_until(lambda done=done: nodes.accounted - begin > done, "an image")  # type: ignore[misc]
            progress.update(bar, completed=min(nodes.accounted - begin, frames))


def _account(nodes: RunningNodes) -> dict[str, int]:
    status = nodes.recorder.status
    if status is None:
        return {}
    dropped = zip(status.drop_causes, status.drop_counts, strict=True)
    return {
        "images in": int(status.frames_in),
        "images published": int(status.frames_published),
        **{f"images dropped: {cause}": int(count) for cause, count in dropped},
    }


def _latencies(statuses: list[Any]) -> tuple[dict[str, Cell], ...]:
    times: dict[str, list[float]] = {"from stamp to publication": [status.latency_ms for status in statuses]}
    for status in statuses:
        for stage, ms in zip(status.stages, status.stage_ms, strict=True):
            times.setdefault(STAGE_NAMES.get(stage, stage.replace("_", " ")), []).append(ms)
    rows: list[dict[str, Cell]] = []
    for stage, values in times.items():
        p50, p95 = np.percentile(values, (50, 95))
        rows.append({"stage": stage, "p50_ms": float(p50), "p95_ms": float(p95)})
    return tuple(rows)
