# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What `da3_ros eval accuracy` evaluates on: recorded sequences, the demo's room, or simulated rooms."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from da3_ros.cli.main import CommandError

if TYPE_CHECKING:
    from da3_ros.evaluation.known_frames import KnownSequence
    from da3_ros.evaluation.true_windows import Overlap

WINDOWS_OF_ROOM, WINDOWS_OF_SEQUENCE = 1, 12


@dataclass(frozen=True, slots=True, eq=False)
class AccuracyData:
    """Sequences to evaluate on.

    Attributes:
        title: what they are, for people.
        count: how many.
        windows: of each, unless another number is asked for.
        sequences: goes through them from the start, each with the overlap of its frames where it need not be measured.
    """

    title: str
    count: int
    windows: int
    sequences: Callable[[], Iterator[tuple[KnownSequence, Overlap | None]]]


def open_data(arguments: argparse.Namespace) -> AccuracyData:
    """Open all that is named before anything is evaluated; without --data what is simulated.

    Raises:
        DatasetError: when one of --data is not there, or malformed.
        CommandError: when two of --data are the same.
    """
    if arguments.data:
        return _recorded(arguments)
    if arguments.demo_room:
        from da3_ros.evaluation import demo_sequences

        def of_demo() -> Iterator[tuple[KnownSequence, Overlap | None]]:
            return ((sequence, None) for sequence in demo_sequences.demo_sequences())

        return AccuracyData("the demo's room", demo_sequences.DEMO_SEQUENCES, WINDOWS_OF_SEQUENCE, of_demo)
    from da3_ros.evaluation.room_sequences import room_sequences

    first, count = arguments.first_room, arguments.rooms
    title = "simulated rooms" if first is None else f"simulated rooms for training, {first} to {first + count - 1}"
    return AccuracyData(title, count, WINDOWS_OF_ROOM, lambda: iter(room_sequences(count, first)))


def _recorded(arguments: argparse.Namespace) -> AccuracyData:
    from da3_ros.evaluation.sequences import named
    from da3_ros.sources.truth import open_truth

    given = [named(path) for path in arguments.data]
    paths = [path.parent.resolve() / path.name for path in given]  # a file may be named by its folder
    found = [(path, sequence) for path in paths for sequence in open_truth(path, arguments.intrinsics)]
    names = unlike_names([(path, sequence.name) for path, sequence in found])
    sequences = [replace(sequence, name=name) for name, (_, sequence) in zip(names, found, strict=True)]
    title = ", ".join(unlike_names([(path, path.name) for path in paths]))
    return AccuracyData(
        title, len(sequences), WINDOWS_OF_SEQUENCE, lambda: ((sequence, None) for sequence in sequences)
    )


def unlike_names(found: Sequence[tuple[Path, str]]) -> list[str]:
    """Names of what was found at absolute paths; those that are alike start with the folders that tell them apart.

    Raises:
        CommandError: when two are the same.
    """
    names = [name for _, name in found]
    return [
        name if names.count(name) == 1 else _told_apart(path, name, [other for other, same in found if same == name])
        for path, name in found
    ]


def _told_apart(path: Path, name: str, alike: Sequence[Path]) -> str:
    above = [_above(other, name) for other in alike]
    if len(set(above)) < len(above):
        raise CommandError(f"--data names {name} twice: leave one of them out")
    depth = 1
    while len({parts[-depth:] for parts in above}) < len(above):
        depth += 1
    return "/".join((*_above(path, name)[-depth:], name))


def _above(path: Path, name: str) -> tuple[str, ...]:
    """The folders above the one that a name starts with."""
    parts, first = path.parts, name.split("/")[0]
    return parts[: len(parts) - 1 - parts[::-1].index(first)] if first in parts else parts[:-1]
