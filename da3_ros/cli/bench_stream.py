# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows of a stream, ours with and without the feature cache beside the published package, which knows no stream."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from da3_ros.cli.bench_model import PUBLISHED, missing_note
from da3_ros.cli.bench_table import BenchResult, BenchTable, Cell, Column
from da3_ros.cli.interleaved import interleaved, time_figures
from da3_ros.cli.main import CommandError
from da3_ros.cli.network_calls import (
    Images,
    NetworkCall,
    NetworkOptions,
    Precision,
    make_estimator,
    make_images,
    processed,
    published_call,
    resolved,
    same_weights,
)
from da3_ros.cli.published_package import PublishedPackageError
from da3_ros.geometry.prediction import ViewKey
from da3_ros.inference.estimator import DepthEstimator

PERIOD_NS = 100_000_000
COLUMNS = (
    Column("what", "window after window"),
    Column("ms_median", "ms", "{:.0f}"),
    Column("speedup", "speed-up", "{:.2f}"),
    Column("speedup_of_rounds", "by window", "{:.2f}"),
    Column("speedup_of_cache", "of cache", "{:.2f}"),
    Column("error_of_cache", "error of cache", "{:.1e}"),
    Column("depth_difference", "depth median", "{:.1e}"),
)


@dataclass(frozen=True, slots=True)
class StreamBench:
    """What is measured.

    Attributes:
        network: which one.
        window_size: frame sets of a window.
        stride: new frame sets of each.
        cameras: frames of a set.
        size: (H, W) of every view.
        windows: that are timed.
        warm_up: windows before them; from the second on the cache holds what the window shares.
        precisions: of ours.
        cache_mb: bound of the feature cache.
        published: compare with the published package if it is installed.
    """

    network: NetworkOptions
    window_size: int = 8
    stride: int = 2
    cameras: int = 1
    size: tuple[int, int] = (280, 504)
    windows: int = 6
    warm_up: int = 2
    precisions: tuple[Precision, ...] = (Precision("fp32", "fp32"), Precision("bf16", "bf16"))
    cache_mb: int = 512
    published: bool = True

    @property
    def sets(self) -> int:
        """Frame sets of all windows together."""
        return self.window_size + self.stride * (self.warm_up + self.windows - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Depth (V, H, W) of a window, and window from camera (V, 4, 4), None for theirs."""

    depth: npt.NDArray[np.floating]
    poses: npt.NDArray[np.floating] | None = None


def measure(arguments: argparse.Namespace) -> BenchResult:
    """As the command line asks."""
    network = NetworkOptions(
        arguments.model, device=arguments.device, threads=arguments.threads or torch.get_num_threads()
    )
    try:
        bench = StreamBench(
            network,
            window_size=arguments.window_size,
            stride=arguments.stride,
            cameras=arguments.cameras,
            size=arguments.size,
            windows=arguments.windows,
            warm_up=arguments.warm_up,
            precisions=resolved(arguments.precisions, arguments.device),
            cache_mb=arguments.cache_mb,
            published=not arguments.only_ours,
        )
        return measure_stream(bench)
    except (ValueError, PublishedPackageError) as error:
        raise CommandError(str(error)) from error


def measure_stream(bench: StreamBench) -> BenchResult:
    """Times of each window in turns, and how far cached answers are from uncached ones."""
    missing = missing_note() if bench.published else "The published package was left out."
    calls = _calls(bench, published=not missing)
    compared = _Compared()
    times_ms = interleaved(calls, bench.windows, bench.warm_up, compared.look)
    reference = "" if missing else PUBLISHED
    rows = tuple(_row(name, times_ms, compared, reference) for name in calls)
    height, width = bench.size
    views = bench.window_size * bench.cameras
    table = BenchTable(
        name="stream",
        title=f"Windows of {bench.window_size} sets by {bench.stride}, {bench.cameras} camera(s), {height}x{width}, "
        f"{bench.network.model}, {bench.windows} windows after {bench.warm_up}",
        columns=COLUMNS,
        rows=rows,
        notes=(
            f"V = {views}. From images that need no resizing, ours to the Prediction, which is more than is counted "
            "for the published package: to the outputs of its network. All take turns, window by window.",
            "Speed-up against `published, fp32`, which computes every window anew; `of cache`: against ours without.",
            "Error of cache: largest difference of depth or poses between cached and uncached, over the largest "
            "number, in any window, warm-up included. Depth median: of each pixel's difference from `published, fp32`.",
            *((missing,) if missing else ()),
        ),
        details={"times_ms": times_ms, "views": views, "size": bench.size},
    )
    return BenchResult((table,), threads=bench.network.threads)


def _calls(bench: StreamBench, published: bool) -> dict[str, Callable[[int], Answer]]:
    """By the name of its row, what answers the window of a number; theirs last."""
    images = make_images(bench.sets * bench.cameras, bench.size)
    networks, theirs = same_weights(bench.network, 2 * len(bench.precisions), published)
    calls: dict[str, Callable[[int], Answer]] = {}
    for precision in bench.precisions:
        for suffix, cache_mb in ((", cached", bench.cache_mb), ("", 0)):
            estimator = make_estimator(networks.pop(), bench.network, precision, max(bench.size), cache_mb=cache_mb)
            calls[f"da3_ros, {precision}{suffix}"] = partial(_ours, estimator, bench, images)
    if published:
        for name, bf16 in ((PUBLISHED, False), ("published, bf16 autocast", True)):
            calls[name] = partial(_theirs, published_call(theirs, bench.network, bf16), bench, images)
    return calls


def _views(bench: StreamBench, number: int) -> range:
    """Indices of the images of a window, set by set."""
    first = number * bench.stride * bench.cameras
    return range(first, first + bench.window_size * bench.cameras)


def _ours(estimator: DepthEstimator, bench: StreamBench, images: Images, number: int) -> Answer:
    chosen = _views(bench, number)
    keys = [ViewKey(f"camera_{i % bench.cameras}", i // bench.cameras * PERIOD_NS) for i in chosen]
    prediction = estimator.estimate([images[i] for i in chosen], keys=keys)
    return Answer(prediction.depth, prediction.window_from_camera)


def _theirs(call: NetworkCall, bench: StreamBench, images: Images, number: int) -> Answer:
    chosen = _views(bench, number)
    return Answer(call(processed(images[chosen.start : chosen.stop])).depth.numpy())


class _Compared:
    """Largest differences over all windows: of cached from uncached answers, and of ours from theirs."""

    def __init__(self) -> None:
        self.of_cache: dict[str, float] = {}
        self.depth: dict[str, list[float]] = {}

    def look(self, _number: int, answers: Mapping[str, Answer]) -> None:
        """At the answers to one window."""
        for name, answer in answers.items():
            uncached = answers.get(name.removesuffix(", cached"))
            if name.endswith(", cached") and uncached is not None:
                error = _largest_error(answer, uncached)
                self.of_cache[name] = max(self.of_cache.get(name, 0.0), error)
            if PUBLISHED in answers and name != PUBLISHED:
                theirs = answers[PUBLISHED].depth
                self.depth.setdefault(name, []).append(float(np.median(np.abs(answer.depth / theirs - 1))))


def _largest_error(answer: Answer, reference: Answer) -> float:
    errors = [np.abs(answer.depth - reference.depth).max() / np.abs(reference.depth).max()]
    if answer.poses is not None and reference.poses is not None:
        errors.append(np.abs(answer.poses - reference.poses).max() / np.abs(reference.poses).max())
    return float(max(errors))


def _row(name: str, times_ms: Mapping[str, list[float]], compared: _Compared, reference: str) -> dict[str, Any]:
    row: dict[str, Cell] = {"what": name, **time_figures(times_ms, name, reference)}
    uncached = name.removesuffix(", cached")
    if name.endswith(", cached"):
        row["speedup_of_cache"] = time_figures(times_ms, name, uncached)["speedup"]
        row["error_of_cache"] = compared.of_cache[name]
    if name in compared.depth:
        row["depth_difference"] = float(np.median(compared.depth[name]))
    return row
