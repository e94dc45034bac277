# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmarks there are and their options; what they measure with is imported when one runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from da3_ros.cli.network_options import add_network_options
from da3_ros.cli.numbers import image_size, not_negative_float, not_negative_int, positive_float, positive_int

PRECISIONS = ("fp32", "bf16", "fp16", "auto")


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark of the command line.

    Attributes:
        summary: one line.
        description: what is measured, in full.
        add_options: its own options.
    """

    summary: str
    description: str
    add_options: Callable[[argparse.ArgumentParser], None]


def add_benchmarks(parser: argparse.ArgumentParser) -> None:
    """One sub-command for each benchmark."""
    commands = parser.add_subparsers(dest="what", required=True, metavar="BENCHMARK")
    for name, benchmark in BENCHMARKS.items():
        one = commands.add_parser(name, help=benchmark.summary, description=benchmark.description)
        benchmark.add_options(one)
        one.add_argument("--json", type=Path, metavar="FILE", help="write the same figures as JSON")


def _network_options(parser: argparse.ArgumentParser) -> None:
    """Of `model` and `stream`."""
    parser.add_argument("--model", default="da3-small", help="architecture (default: da3-small)")
    parser.add_argument(
        "--size", type=image_size, default=(280, 504), metavar="HxW", help="of every view (default: 280x504)"
    )
    parser.add_argument(
        "--precisions", nargs="+", type=_precision, default=["fp32", "bf16"], metavar="P",
        help="of ours: fp32, bf16, fp16 or auto; bf16/fp32 for backbone and head (default: fp32 bf16)",
    )  # fmt: skip
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:<number> (default: auto)")
    parser.add_argument("--only-ours", action="store_true", help="leave the published package out")
    _threads_option(parser, "torch's own choice")


def _threads_option(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--threads", type=not_negative_int, default=0, metavar="N", help=f"on the CPU (default: {default})"
    )


def _model_options(parser: argparse.ArgumentParser) -> None:
    _network_options(parser)
    parser.add_argument("--views", type=positive_int, default=4, metavar="V", help="of one call (default: 4)")
    parser.add_argument(
        "--rounds",
        type=not_negative_int,
        default=5,
        metavar="N",
        help="timed; 0 for --rays or --memory alone (default: 5)",
    )
    parser.add_argument("--compile", action="store_true", help="also ours through torch.compile")
    parser.add_argument("--onnx", type=Path, metavar="FILE", help="also this export of ours in ONNX Runtime")
    parser.add_argument("--rays", action="store_true", help="also the cameras of ray maps")
    parser.add_argument("--memory", action="store_true", help="also peak memory, each network in its own process")


def _stream_options(parser: argparse.ArgumentParser) -> None:
    _network_options(parser)
    parser.add_argument("--window-size", type=positive_int, default=8, metavar="N", help="frame sets (default: 8)")
    parser.add_argument("--stride", type=positive_int, default=2, metavar="N", help="new sets per window (default: 2)")
    parser.add_argument("--cameras", type=positive_int, default=1, metavar="N", help="frames of a set (default: 1)")
    parser.add_argument("--windows", type=positive_int, default=6, metavar="N", help="timed (default: 6)")
    parser.add_argument("--warm-up", type=positive_int, default=2, metavar="N", help="windows before (default: 2)")
    parser.add_argument(
        "--cache-mb", type=positive_int, default=512, metavar="MB", help="bound of the feature cache (default: 512)"
    )


def _ros_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--frames", type=positive_int, default=200, metavar="N", help="images (default: 200)")
    _rate_option(parser, 15.0, "images per second")


def _geometry_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=positive_int, default=10, metavar="N", help="over the walk (default: 10)")


def _end_to_end_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine", choices=("network", "oracle"), default="network",
        help="what answers; the oracle comes with three simulated cameras (default: network)",
    )  # fmt: skip
    add_network_options(parser, default_weights="random")
    parser.add_argument("--input", default="", help="folder, video or rosbag2, looped, instead of made images")
    parser.add_argument(
        "--resolution", type=positive_int, default=252, metavar="PX", help="longest side seen (default: 252)"
    )
    parser.add_argument("--window-size", type=positive_int, default=4, metavar="N", help="frame sets (default: 4)")
    parser.add_argument("--stride", type=positive_int, default=1, metavar="N", help="new sets per window (default: 1)")
    _rate_option(parser, 10.0, "images per second of each camera")
    parser.add_argument("--frames", type=positive_int, default=200, metavar="N", help="images (default: 200)")
    parser.add_argument("--warm-up", type=positive_int, default=5, metavar="N", help="windows before (default: 5)")
    _threads_option(parser, "the nodes' own choice")


def _soak_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=positive_float, default=30.0, metavar="M", help="in all (default: 30)")
    parser.add_argument(
        "--warm-up", type=not_negative_float, default=2.0, metavar="M", help="minutes left out (default: 2)"
    )
    parser.add_argument("--graph", action="store_true", help="a real da3_node with da3-small instead")
    _rate_option(parser, 20.0, "frame sets per second")
    parser.add_argument("--period", type=positive_float, default=5.0, metavar="S", help="of samples (default: 5)")
    _threads_option(parser, "1; --graph: the nodes' own choice")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the samples")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the curve (PNG)")


def _rate_option(parser: argparse.ArgumentParser, default: float, what: str) -> None:
    parser.add_argument(
        "--rate", type=positive_float, default=default, metavar="HZ", help=f"{what} (default: {default:g})"
    )


def _precision(text: str) -> str:
    """`P` or `P/P`, as `network_calls.resolved` takes it."""
    parts = text.split("/")
    if len(parts) > 2 or not set(parts) <= set(PRECISIONS):
        raise argparse.ArgumentTypeError(f"'{text}' is none of {', '.join(PRECISIONS)}, nor two of them with a '/'")
    return text


BENCHMARKS = {
    "model": Benchmark(
        "one call of the network, beside the published package",
        "One call of the network from normalised images to depth and cameras: ours in several precisions beside the "
        "published package `depth-anything-3` where it is installed, with the same random weights and images, taking "
        "turns in one process.",
        _model_options,
    ),
    "stream": Benchmark(
        "windows of a stream, with and without the feature cache",
        "Overlapping windows one after the other: ours with and without the feature cache, beside the published "
        "package, which computes every window anew. All take turns, window by window.",
        _stream_options,
    ),
    "ros": Benchmark(
        "what the node costs without the network",
        "Processor time of da3_node per camera image with the null engine: raw 640x480 in; depth, its camera_info, "
        "confidence, rectified colour and cloud out at 378x504, all subscribed to by another process.",
        _ros_options,
    ),
    "geometry": Benchmark(
        "what follows the network in each window",
        "Time of what follows the network in each window: alignment, focal length, cameras from rays. No ROS.",
        _geometry_options,
    ),
    "end-to-end": Benchmark(
        "from the stamp of an image to its publication",
        "From the stamp of an image to its publication: image_source_node and da3_node as processes of their own, with "
        "every output subscribed to; median and 95th percentile of each stage, and what became of every image.",
        _end_to_end_options,
    ),
    "soak": Benchmark(
        "whether memory stays flat for long",
        "Resident memory while a stream runs for long, with lost frames, overtaken windows and resets: through the "
        "Pipeline with a tiny network in this process, or through a real node. Fails when it is not flat within 1 %.",
        _soak_options,
    ),
}
