# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether memory stays flat while a stream runs for long, with frames that get lost and resets on the way."""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from da3_ros.cli.bench_table import BenchResult, BenchTable, Cell, Column
from da3_ros.cli.interleaved import bench_progress
from da3_ros.cli.main import CommandError
from da3_ros.cli.memory_curve import MemoryCurve, Sample

FLAT = 0.01  # largest spread that counts as flat, as a share of the mean
COLUMNS = (Column("figure", "resident memory"), Column("value", "", "{:.3f}"))

Step = Callable[[], tuple[int, int]]  # moves the stream on and waits; returns its bytes and the windows so far


def measure(arguments: argparse.Namespace) -> BenchResult:
    """As the command line asks."""
    if not sys.platform.startswith("linux"):
        raise CommandError("resident memory is read from /proc, which only Linux has")
    minutes, warm_up = arguments.minutes, arguments.warm_up
    if warm_up >= minutes:
        raise CommandError(f"--warm-up of {warm_up:g} min must be shorter than --minutes {minutes:g}")
    with _stream(arguments) as (step, what):
        curve = _watch(step, minutes * 60, arguments.period)
    if arguments.csv:
        _write_csv(arguments.csv, curve)
    if arguments.picture:
        from da3_ros.cli.memory_picture import draw_memory

        draw_memory(arguments.picture, curve, warm_up * 60, FLAT)
    steady = curve.after(warm_up * 60)
    if len(steady.samples) < 2:
        raise CommandError(f"only {len(steady.samples)} samples after the warm-up: take a shorter --period")
    is_flat = steady.spread <= FLAT
    rows: dict[str, Cell] = {
        "mean, MB": steady.mean_mb,
        "smallest, MB": steady.smallest_mb,
        "largest, MB": steady.largest_mb,
        "largest less smallest, % of the mean": 100 * steady.spread,
        "slope, % of the mean per hour": 100 * steady.slope_per_hour,
        f"flat within {FLAT:.0%}": "yes" if is_flat else "NO",
    }
    table = BenchTable(
        name="soak",
        title=f"{what}, {minutes:g} min, the first {warm_up:g} left out, {steady.windows} windows",
        columns=COLUMNS,
        rows=tuple({"figure": name, "value": value} for name, value in rows.items()),
        details={"samples": [[s.seconds, s.megabytes, s.windows] for s in curve.samples], "is_flat": is_flat},
    )
    failure = "" if is_flat else f"memory is not flat: it moved by {steady.spread:.1%}, allowed are {FLAT:.0%}"
    return BenchResult((table,), threads=arguments.threads, failure=failure)


@contextmanager
def _stream(arguments: argparse.Namespace) -> Iterator[tuple[Step, str]]:
    """What is watched, running while the context is open, and what it is."""
    if arguments.graph:
        from da3_ros.cli.soak_nodes import node_step

        with node_step(arguments.rate, arguments.threads) as step:
            yield step, f"da3_node at {arguments.rate:g} Hz"
    else:
        from da3_ros.cli.soak_pipeline import pipeline_step

        yield pipeline_step(arguments.rate, arguments.threads), f"Pipeline with a tiny network at {arguments.rate:g} Hz"


def _watch(step: Step, duration_s: float, period_s: float) -> MemoryCurve:
    """Sample memory every period while the stream moves on."""
    samples: list[Sample] = []
    begin_s = time.monotonic()
    with bench_progress() as progress:
        bar = progress.add_task("soaking, s", total=round(duration_s))
        while (elapsed_s := time.monotonic() - begin_s) < duration_s:
            resident, windows = step()
            if elapsed_s >= len(samples) * period_s:
                samples.append(Sample(elapsed_s, resident / 2**20, windows))
                progress.update(bar, completed=round(elapsed_s), description=f"soaking, {windows} windows, s")
    return MemoryCurve(tuple(samples))


def _write_csv(file: Path, curve: MemoryCurve) -> None:
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(("seconds", "resident_mb", "windows"))
        writer.writerows((f"{s.seconds:.1f}", f"{s.megabytes:.3f}", s.windows) for s in curve.samples)
