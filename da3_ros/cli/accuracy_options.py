# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The options of `da3_ros eval accuracy`."""

from __future__ import annotations

import argparse
from pathlib import Path

from da3_ros.cli.numbers import not_negative_int, positive_float, positive_int

ROOM_RESOLUTION = 168  # longest side of simulated rooms, pixels


def add_accuracy_options(parser: argparse.ArgumentParser) -> None:
    """What is only about accuracy."""
    group = parser.add_argument_group("accuracy")
    group.add_argument(
        "--window-size", type=positive_int, nargs="+", default=[2], metavar="V",
        help="views of a window; several are evaluated one after the other (default: 2)",
    )  # fmt: skip
    group.add_argument("--windows", type=positive_int, metavar="N", help="of each sequence (default: 12; of a room: 1)")
    group.add_argument(
        "--rooms", type=positive_int, default=200, metavar="N", help="simulated rooms, without --data (default: 200)"
    )
    group.add_argument(
        "--first-room", type=not_negative_int, metavar="N",
        help="rooms for training from this one on, instead of those for validation; da3-nano was trained on 0 to 7999",
    )  # fmt: skip
    group.add_argument(
        "--demo-room", action="store_true",
        help="the demo's room, on the demo's paths, instead of random rooms; weights may have been trained in it",
    )  # fmt: skip
    group.add_argument(
        "--stream", action="store_true",
        help="also run each whole sequence through the stream: its trajectory; cameras of --demo-room also together",
    )  # fmt: skip
    group.add_argument(
        "--known-poses", action="store_true",
        help="also a row of the network when it is given the true poses, with the clouds that these make of its depth",
    )  # fmt: skip
    group.add_argument(
        "--protocol", choices=("windows", "paper"), default="windows",
        help="paper: all frames of a scene at once, 100 at most, as the DA3 benchmark does",
    )  # fmt: skip
    group.add_argument(
        "--intrinsics", type=_intrinsics, metavar="FX,FY,CX,CY", help="of TUM RGB-D and 7-Scenes, instead of theirs"
    )
    group.add_argument(
        "--threshold", type=positive_float, metavar="M", help="of the F-score (default: 0.05 m; ETH3D: 0.25 m)"
    )
    group.add_argument("--html", type=Path, metavar="FILE", help="write a page with table, pictures and curves")


def _intrinsics(text: str) -> tuple[float, float, float, float]:
    """Four numbers, for argparse."""
    numbers = tuple(float(word) for word in text.split(","))
    if len(numbers) != 4:
        raise argparse.ArgumentTypeError(f"'{text}' is not FX,FY,CX,CY")
    return numbers[0], numbers[1], numbers[2], numbers[3]
