# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The option that takes some of a source's cameras, alike in every command that plays one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from da3_ros.sources.source import Source, only


def add_camera_option(parser: argparse.ArgumentParser, default: str = "all") -> None:
    """--cameras; `default` says in words what is taken without it."""
    parser.add_argument(
        "--cameras", type=_names, default=(), metavar="NAMES",
        help=f"take only these cameras, as in front,left, the reference camera first (default: {default})",
    )  # fmt: skip


def chosen(source: Source, cameras: Sequence[str]) -> Source:
    """The source with these cameras only; as it is when none is named.

    Raises:
        SourceError: when it has no camera of such a name.
    """
    return only(source, cameras) if cameras else source


def counted(source: Source) -> Source:
    """The source with its number of frames; one that does not know it is played once, and must end."""
    return source if source.frame_count else replace(source, frame_count=sum(1 for _ in source.play(None)))


def _names(text: str) -> tuple[str, ...]:
    """Names from `front,left`, for argparse."""
    names = tuple(name.strip() for name in text.split(","))
    if "" in names or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of different names, as in front,left")
    return names
