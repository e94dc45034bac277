# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Peak memory of a network: each in a process of its own, which runs this module and does nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from da3_ros.cli.bench_table import BenchTable, Cell, Column
from da3_ros.cli.interleaved import bench_progress
from da3_ros.cli.main import CommandError
from da3_ros.cli.network_calls import (
    NetworkCall,
    NetworkOptions,
    Precision,
    make_images,
    our_call,
    processed,
    published_call,
    same_weights,
)
from da3_ros.cli.published_package import build_published

CALLS = 2  # the second allocates what lazy set-up of the first has moved
STATUS = Path("/proc/self/status")
COLUMNS = (
    Column("what", "peak memory"),
    Column("peak_rss_mb", "RSS, MB", "{:.0f}"),
    Column("rss_ratio", "of published", "{:.2f}"),
    Column("peak_gpu_mb", "GPU, MB", "{:.0f}"),
)


def measure_peaks(
    network: NetworkOptions, views: int, size: tuple[int, int], precisions: Sequence[Precision], missing: str
) -> BenchTable:
    """Peak resident memory of the whole process, in every precision and of theirs.

    Raises:
        CommandError: when a process ends in any other way than well.
    """
    if not STATUS.is_file():
        raise CommandError(f"peak memory is read from {STATUS}, which only Linux has: leave --memory out")
    task = {**_as_words(network), "views": views, "size": list(size)}
    tasks = {f"da3_ros, {one}": {**task, "precision": [one.backbone, one.head]} for one in precisions}
    if not missing:
        tasks["published, fp32"] = {**task, "precision": []}
    rows: list[dict[str, Cell]] = []
    with bench_progress() as progress:
        bar = progress.add_task("", total=len(tasks))
        for name, words in tasks.items():
            progress.update(bar, description=f"memory of {name}")
            rows.append({"what": name, **_run_in_child(words)})
            progress.advance(bar)
    if not missing:
        theirs = rows[-1]["peak_rss_mb"]
        rows = [{**row, "rss_ratio": row["peak_rss_mb"] / theirs} for row in rows]  # type: ignore[operator]
    return BenchTable(
        name="memory",
        title=f"Peak memory of {network.model}, V = {views}, {size[0]}x{size[1]}, {CALLS} calls",
        columns=COLUMNS if any("peak_gpu_mb" in row for row in rows) else COLUMNS[:-1],
        rows=tuple(rows),
        notes=("Of the whole process, Python, torch and weights included; each in a new one. MB are 2^20 bytes.",)
        + ((missing,) if missing else ()),
    )


def _as_words(network: NetworkOptions) -> dict[str, Any]:
    return {
        "model": network.model,
        "overrides": dict(network.overrides),
        "device": network.device,
        "threads": network.threads,
    }


def _run_in_child(words: dict[str, Any]) -> dict[str, float]:
    command = [sys.executable, "-m", "da3_ros.cli.network_peak", json.dumps(words)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        last = (ended.stderr.strip().splitlines() or [f"status {ended.returncode}"])[-1]
        raise CommandError(f"the process whose memory was measured failed: {last}")
    figures: dict[str, float] = json.loads(ended.stdout.strip().splitlines()[-1])
    return figures


def _peak_rss_mb() -> float:
    """VmHWM: unlike `getrusage`, it knows nothing of the parent that this process was forked from."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _call(network: NetworkOptions, size: tuple[int, int], precision: Sequence[str]) -> NetworkCall:
    if not precision:
        return published_call(build_published(network.config), network)
    return our_call(same_weights(network, ours=1, published=False)[0][0], network, Precision(*precision), size)


def main() -> None:
    """Run the call that the first argument describes, and print what it took."""
    words = json.loads(sys.argv[1])
    overrides = {name: tuple(value) if isinstance(value, list) else value for name, value in words["overrides"].items()}
    network = NetworkOptions(words["model"], overrides, words["device"], words["threads"])
    size = (int(words["size"][0]), int(words["size"][1]))
    call = _call(network, size, words["precision"])
    views = processed(make_images(words["views"], size))
    for _ in range(CALLS):
        call(views)
    figures = {"peak_rss_mb": _peak_rss_mb()}
    if torch.cuda.is_available():
        figures["peak_gpu_mb"] = torch.cuda.max_memory_allocated() / 2**20
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
