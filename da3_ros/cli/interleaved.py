# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Times of several ways to do the same thing, taken in turns: a machine that drifts drifts for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Answer = TypeVar("Answer")


def bench_progress() -> Progress:
    """A bar on standard error, so that the table on standard output can go to a file."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def interleaved(
    calls: Mapping[str, Callable[[int], Answer]],
    rounds: int,
    warm_up: int = 1,
    look: Callable[[int, Mapping[str, Answer]], None] = lambda _round, _answers: None,
) -> dict[str, list[float]]:
    """Call each in every round, in turns.

    Args:
        calls: by name; each is given the number of the round, warm-up included, and returns when its work is done.
        rounds: that are timed.
        warm_up: rounds before them.
        look: is shown the number and the answers of each round, warm-up included.

    Returns:
        By name the milliseconds of each timed round.
    """
    times_ms: dict[str, list[float]] = {name: [] for name in calls}
    with bench_progress() as progress:
        task = progress.add_task("", total=(warm_up + rounds) * len(calls))
        for number in range(warm_up + rounds):
            answers = {}
            for name, call in calls.items():
                progress.update(task, description=name if number >= warm_up else f"{name} (warm-up)")
                begin_ns = time.perf_counter_ns()
                answers[name] = call(number)
                if number >= warm_up:
                    times_ms[name].append((time.perf_counter_ns() - begin_ns) * 1e-6)
                progress.advance(task)
            look(number, answers)
    return times_ms


def time_figures(times_ms: Mapping[str, list[float]], name: str, against: str = "") -> dict[str, Any]:
    """Median and fastest of one way, and how many times faster it is than another, in two ways.

    `speedup` is the ratio of the medians, `speedup_of_rounds` the median of the ratios of the rounds: they differ when
    the machine's pace changed between rounds.
    """
    ours = np.array(times_ms[name])
    figures: dict[str, Any] = {"ms_median": float(np.median(ours)), "ms_fastest": float(ours.min())}
    if against:
        theirs = np.array(times_ms[against])
        figures["speedup"] = float(np.median(theirs) / np.median(ours))
        figures["speedup_of_rounds"] = float(np.median(theirs / ours))
    return figures
