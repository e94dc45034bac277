# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""`da3_ros infer --gaussians`: images to one file of 3D Gaussians.

All views go through the network in one call: Gaussians of different windows would each lie in a frame of their own.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from da3_ros.cli.main import CommandError
from da3_ros.cli.numbers import positive_int

if TYPE_CHECKING:
    from da3_ros.sources.source import Source
    from da3_ros.streaming.frame import Frame


def add_gaussian_options(parser: argparse.ArgumentParser) -> None:
    """What is only about Gaussians."""
    group = parser.add_argument_group("3D Gaussians")
    group.add_argument(
        "--gaussians", type=Path, metavar="FILE", help="write only this: the scene as a PLY of 3D Gaussians (da3-giant)"
    )
    group.add_argument(
        "--gaussian-views", type=positive_int, default=8, metavar="N",
        help="images that go into the one call, spread evenly over the input (default: 8)",
    )  # fmt: skip
    group.add_argument(
        "--keep-all", action="store_true",
        help="keep the Gaussians of a view's border (1/32 of each side) and of its farthest tenth",
    )  # fmt: skip


def write_gaussians(arguments: argparse.Namespace, source: Source) -> int:
    """One call, one file.

    Raises:
        ValueError: when an option is out of its range, or the weights cannot be used.
        EngineError: when the network fails.
    """
    from da3_ros.geometry.gaussian_ply import write_gaussian_ply
    from da3_ros.geometry.gaussians import certain_pixels
    from da3_ros.inference.gaussian_estimator import load_gaussian_estimator

    frames = _spread(source, arguments.gaussian_views)
    estimator = load_gaussian_estimator(
        arguments.model,
        arguments.weights,
        device=arguments.device,
        process_resolution=arguments.resolution,
        accept_noncommercial_license=arguments.accept_noncommercial_license,
        allow_download=arguments.allow_download,
    )
    with Console(stderr=True).status(f"{len(frames)} views through {arguments.model}"):
        scene = estimator.estimate([frame.image for frame in frames], [frame.calibration for frame in frames])
    found = scene.gaussians
    kept = found if arguments.keep_all else found.chosen(certain_pixels(scene.prediction.depth).ravel())
    arguments.gaussians.parent.mkdir(parents=True, exist_ok=True)
    write_gaussian_ply(arguments.gaussians, kept)
    print(f"{len(frames)} views, {len(kept)} of {len(found)} Gaussians kept, written to {arguments.gaussians}")
    return 0


def _spread(source: Source, views: int) -> list[Frame]:
    """At most so many of the source's frames, from the first to the last."""
    if not source.frame_count:
        raise CommandError("this input does not say how many images it has: give a folder or a video")
    last = source.frame_count - 1
    wanted = {round(index * last / max(views - 1, 1)) for index in range(views)}
    frames = [frame for index, frame in enumerate(source.play(None)) if index in wanted]
    if not frames:
        raise CommandError("this input holds no image that can be read")
    return frames
