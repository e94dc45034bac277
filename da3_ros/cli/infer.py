# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Depth, confidence, clouds and camera poses of a folder of images, a video or a rosbag2, without ROS.

Writes, below --output: one .npz per image (depth, confidence, K, world_from_camera, and from networks that know it the
sky, where depth is NaN), the trajectory of every camera in TUM form (seconds tx ty tz qx qy qz qw), the coloured cloud
as PLY, and two pictures. A network that sees images one by one gives neither poses nor a cloud. Lengths are metres
when the network knows metres, else in the unit of the first window. Such files of an earlier run are removed first.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from da3_ros.cli.camera_option import add_camera_option, chosen, counted
from da3_ros.cli.infer_gaussians import add_gaussian_options, write_gaussians
from da3_ros.cli.main import CommandError
from da3_ros.cli.network_options import RESOLUTIONS, add_network_options, engine_name, settle_model
from da3_ros.cli.numbers import positive_float, positive_int
from da3_ros.sources.source import Source, SourceError, open_source

if TYPE_CHECKING:
    from da3_ros.cli.result_files import ResultFiles
    from da3_ros.streaming.ledger import Counters
    from da3_ros.streaming.pipeline import Pipeline


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `da3_ros infer`."""
    parser.add_argument("input", type=Path, help="folder of images, video or rosbag2")
    add_camera_option(parser)
    add_network_options(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:<number> (default: auto)")
    parser.add_argument(
        "--resolution", type=int, default=0, help=f"longest side the network sees (default: {RESOLUTIONS})"
    )
    parser.add_argument(
        "--window-size",
        type=positive_int,
        default=0,
        help="frame sets per window (default: 4, or 1 for a network that sees images one by one)",
    )
    parser.add_argument("--window-stride", type=int, default=0, help="new sets per window (default: 2, or 1)")
    parser.add_argument("--rate", type=positive_float, default=10.0, help="images per second of a folder (default: 10)")
    parser.add_argument("--output", type=Path, default=Path("infer_out"), help="folder for the results")
    add_gaussian_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Every frame set through the pipeline, none dropped for time."""
    from da3_ros.cli.result_files import ResultFiles
    from da3_ros.inference.engine import EngineError

    try:
        source = chosen(open_source(arguments.input, arguments.rate), arguments.cameras)
        settle_model(arguments)
        if arguments.gaussians:
            return write_gaussians(arguments, counted(source) if arguments.cameras else source)
        pipeline = _pipeline(arguments, source.cameras)
        files = ResultFiles(arguments.output, source.cameras, engine_name(arguments))
    except (SourceError, ValueError, EngineError) as error:
        raise CommandError(str(error)) from error
    try:
        _process(source, pipeline, files)
    except (ValueError, EngineError) as error:  # of the source, of an image that no network can see, of the engine
        taken = f"ended early after {pipeline.counters().frames_in} images"
        raise CommandError(f"{taken}: {error} (what was finished is in {arguments.output}/)") from error
    finally:
        files.finish()
    account = pipeline.counters()
    if not account.frames_published:
        raise CommandError(f"nothing was written: {_in_words(account)}")
    print(_in_words(account))
    print(f"Results are in {arguments.output}/")
    return 0


def _in_words(account: Counters) -> str:
    """How many images came in and what became of them."""
    if not account.frames_in:
        return "no image of the input could be read"
    dropped = ", ".join(f"{frames} {cause}" for cause, frames in account.dropped.items()) or "none"
    words = f"{account.frames_in} images in, {account.frames_published} written, dropped: {dropped}"
    if "missing_camera" in account.dropped:
        words += " (not every camera had an image at that instant: --cameras takes some of them)"
    return words


def _pipeline(arguments: argparse.Namespace, cameras: tuple[str, ...]) -> Pipeline:
    from da3_ros.inference.load_options import LoadOptions
    from da3_ros.inference.loading import load_estimator
    from da3_ros.model.config import MonocularConfig, architecture
    from da3_ros.streaming.pipeline import Pipeline
    from da3_ros.streaming.stream_config import StreamConfig

    is_monocular = isinstance(architecture(arguments.model), MonocularConfig)
    window_size = arguments.window_size or (1 if is_monocular else 4)
    if is_monocular and window_size > 1:
        raise ValueError(f"{arguments.model} sees images one by one: give --window-size 1, or leave it out")
    options = LoadOptions(
        device=arguments.device,
        process_resolution=arguments.resolution,
        allow_download=arguments.allow_download,
        accept_noncommercial_license=arguments.accept_noncommercial_license,
    )
    engine = load_estimator(arguments.model, arguments.weights, options)
    stride = arguments.window_stride or min(2, max(window_size - 1, 1))
    config = StreamConfig(
        cameras=cameras,
        window_size=window_size,
        window_stride=stride,
        overlap=max(window_size - stride, 1),
        scale_mode="model",
    )
    return Pipeline(config, engine, time.monotonic_ns)


def _process(source: Source, pipeline: Pipeline, files: ResultFiles) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task("images", total=source.frame_count or None)
        for frame in source.play(None):
            for result in pipeline.feed(frame):
                files.add(result)
            account = pipeline.counters()
            progress.update(bar, completed=account.frames_in - account.in_flight)
        for result in pipeline.finish():
            files.add(result)
        progress.update(bar, completed=pipeline.counters().frames_in)
