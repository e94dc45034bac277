# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""One call of the network, ours beside the published package's."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from da3_ros.cli.bench_rays import measure_rays
from da3_ros.cli.bench_table import BenchResult, BenchTable, Cell, Column
from da3_ros.cli.interleaved import interleaved, time_figures
from da3_ros.cli.main import CommandError
from da3_ros.cli.network_calls import (
    NetworkCall,
    NetworkOptions,
    Outputs,
    Precision,
    differences,
    make_images,
    our_call,
    processed,
    published_call,
    resolved,
    same_weights,
)
from da3_ros.cli.network_peak import measure_peaks
from da3_ros.cli.published_package import PublishedPackageError, check_installed
from da3_ros.inference.preprocess import ProcessedViews

PUBLISHED = "published, fp32"
COLUMNS = (
    Column("what", "network"),
    Column("ms_median", "ms", "{:.0f}"),
    Column("ms_fastest", "fastest", "{:.0f}"),
    Column("speedup", "speed-up", "{:.2f}"),
    Column("speedup_of_rounds", "by round", "{:.2f}"),
    Column("depth_error", "depth max", "{:.1e}"),
    Column("depth_difference", "depth median", "{:.1e}"),
    Column("pose_error", "pose max", "{:.1e}"),
)


@dataclass(frozen=True, slots=True)
class ModelBench:
    """What is measured.

    Attributes:
        network: which one.
        views: V of the call.
        size: (H, W) of every view.
        rounds: of the call that are timed; 0 leaves the call out.
        precisions: of ours.
        compiled: also ours through torch.compile, in the first of the precisions.
        onnx: a file for ONNX Runtime, None without.
        rays: also the cameras of ray maps.
        memory: also peak memory.
        published: compare with the published package if it is installed.
    """

    network: NetworkOptions
    views: int = 4
    size: tuple[int, int] = (280, 504)
    rounds: int = 5
    precisions: tuple[Precision, ...] = (Precision("fp32", "fp32"), Precision("bf16", "bf16"))
    compiled: bool = False
    onnx: Path | None = None
    rays: bool = False
    memory: bool = False
    published: bool = True


def measure(arguments: argparse.Namespace) -> BenchResult:
    """As the command line asks."""
    network = NetworkOptions(
        arguments.model, device=arguments.device, threads=arguments.threads or torch.get_num_threads()
    )
    try:
        bench = ModelBench(
            network,
            views=arguments.views,
            size=arguments.size,
            rounds=arguments.rounds,
            precisions=resolved(arguments.precisions, arguments.device),
            compiled=arguments.compile,
            onnx=arguments.onnx,
            rays=arguments.rays,
            memory=arguments.memory,
            published=not arguments.only_ours,
        )
        return measure_model(bench)
    except (ValueError, PublishedPackageError) as error:
        raise CommandError(str(error)) from error


def measure_model(bench: ModelBench) -> BenchResult:
    """Times, then rays and memory where they are asked for."""
    missing = missing_note() if bench.published else "The published package was left out."
    tables = []
    if bench.rounds:
        tables.append(_times(bench, missing))
    if bench.rays:
        torch.set_num_threads(bench.network.threads)
        tables.append(measure_rays(bench.size, bench.views, missing))
    if bench.memory:
        tables.append(measure_peaks(bench.network, bench.views, bench.size, bench.precisions, missing))
    return BenchResult(tuple(tables), threads=bench.network.threads)


def missing_note() -> str:
    """Why the published package takes no part; empty when it does."""
    try:
        check_installed()
    except PublishedPackageError as error:
        return f"ONLY OURS: {error}."
    return ""


def _times(bench: ModelBench, missing: str) -> BenchTable:
    calls = _calls(bench, published=not missing)
    reference = next(iter(calls)) if missing else PUBLISHED
    views = processed(make_images(bench.views, bench.size))
    found: dict[str, dict[str, float]] = {}

    def look(number: int, answers: Mapping[str, Outputs]) -> None:
        if number == 0:
            found.update({name: differences(answer, answers[reference]) for name, answer in answers.items()})

    times_ms = interleaved({name: _on(views, call) for name, call in calls.items()}, bench.rounds, look=look)
    rows = tuple(_row(name, times_ms, found[name], reference) for name in calls)
    height, width = bench.size
    return BenchTable(
        name="model",
        title=f"One call of {bench.network.model}, V = {bench.views}, {height}x{width}, {bench.rounds} rounds",
        columns=COLUMNS,
        rows=rows,
        notes=_notes(reference, missing),
        details={"times_ms": times_ms, "views": bench.views, "size": bench.size, "reference": reference},
    )


def _calls(bench: ModelBench, published: bool) -> dict[str, NetworkCall]:
    """Every network that takes part, by the name of its row; theirs last."""
    copies = len(bench.precisions) + bench.compiled
    networks, theirs = same_weights(bench.network, copies, published)
    calls = {
        f"da3_ros, {precision}": our_call(network, bench.network, precision, bench.size)
        for precision, network in zip(bench.precisions, networks, strict=False)
    }
    if bench.compiled:
        first = bench.precisions[0]
        calls[f"da3_ros, {first}, compiled"] = our_call(networks[-1], bench.network, first, bench.size, compile=True)
    if bench.onnx:
        from da3_ros.cli.onnx_call import onnx_call

        calls["da3_ros, ONNX Runtime"] = onnx_call(bench.onnx, bench.network, (bench.views, *bench.size))
    if published:
        calls[PUBLISHED] = published_call(theirs, bench.network)
        calls["published, bf16 autocast"] = published_call(theirs, bench.network, bf16=True)
    return calls


def _on(views: ProcessedViews, call: NetworkCall) -> Callable[[int], Outputs]:
    return lambda _round: call(views)


def _row(name: str, times_ms: Mapping[str, list[float]], found: Mapping[str, float], reference: str) -> dict[str, Any]:
    row: dict[str, Cell] = {"what": name, **time_figures(times_ms, name, reference)}
    return row if name == reference else {**row, **found}


def _notes(reference: str, missing: str) -> tuple[str, ...]:
    notes = (
        f"Speed-up against `{reference}`: ratio of the medians, and the median of the ratios of the rounds. All take "
        "turns in one process.",
        f"Differences from `{reference}`: largest of depth over the largest depth; median of each pixel's over its "
        "depth; largest of poses and intrinsics over their largest.",
        "From normalised images to depth, confidence and cameras on the host; resizing the images is no part of it. "
        "Random weights.",
    )
    return (*notes, missing) if missing else notes
