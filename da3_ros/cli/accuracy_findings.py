# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Goes through what `da3_ros eval accuracy` evaluates on; what fails on the way does not take what came before."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from da3_ros.cli.accuracy_data import AccuracyData
from da3_ros.cli.accuracy_table import Evaluation
from da3_ros.cli.main import CommandError
from da3_ros.evaluation import demo_sequences
from da3_ros.evaluation.accuracy import AccuracyRules, Predict
from da3_ros.evaluation.accuracy_run import AccuracyRun, EvaluatedWindow
from da3_ros.evaluation.accuracy_summary import summarised
from da3_ros.evaluation.known_frames import KnownRig, KnownSequence
from da3_ros.evaluation.pose_accuracy import MIN_BASELINE_M
from da3_ros.evaluation.streamed import StreamedTrajectory, streamed
from da3_ros.evaluation.true_windows import DrawnWindows, Overlap, draw_windows, paper_window
from da3_ros.inference.engine import EngineError

_FAILURES = (EngineError, ValueError, OSError)


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What was found.

    Attributes:
        evaluations: one for each size of windows, at least one.
        trajectories: of streams, if they are asked for.
        failure: why something is missing; empty when all was evaluated. Of a sequence that failed there is no window.
    """

    evaluations: Sequence[Evaluation]
    trajectories: Sequence[StreamedTrajectory]
    failure: str


def find(
    arguments: argparse.Namespace, data: AccuracyData, blind: Predict, network: tuple[str, Predict] | None
) -> Findings:
    """Evaluate all windows, then all streams.

    Args:
        arguments: of the command.
        data: to evaluate on.
        blind: see `AccuracyRun`.
        network: its name in the table, and what answers.

    Raises:
        CommandError: when nothing was found.
        ValueError: when there are not so many sequences.
    """
    evaluations, failure = _evaluations(arguments, data, blind, network)
    if not evaluations:
        raise CommandError(failure)
    trajectories: list[StreamedTrajectory] = []
    if arguments.stream and network and not failure:
        try:
            for found in _trajectories(arguments, data, network[1]):
                trajectories.append(found)  # one by one: those before a failure stay
        except _FAILURES as error:
            failure = str(error)
    return Findings(evaluations, trajectories, failure)


def _evaluations(
    arguments: argparse.Namespace, data: AccuracyData, blind: Predict, network: tuple[str, Predict] | None
) -> tuple[list[Evaluation], str]:
    """All windows, for each size, and what failed; a size of 0 is all frames of a scene."""
    is_paper = arguments.protocol == "paper"
    rules = AccuracyRules(0.0 if is_paper else MIN_BASELINE_M, arguments.threshold, benchmark_poses=is_paper)
    sizes = [0] if is_paper else list(dict.fromkeys(arguments.window_size))
    runs = {size: AccuracyRun(blind, network, rules, arguments.known_poses) for size in sizes}
    left_out, failure = dict.fromkeys(sizes, 0), ""
    with _progress() as progress:
        bar = progress.add_task("sequences", total=data.count)
        for sequence, overlap in data.sequences():
            drawn: dict[int, DrawnWindows] = {}
            try:
                for size, run in runs.items():
                    drawn[size] = _drawn(arguments, data, sequence, overlap, size)
                    for window in drawn[size].windows:
                        progress.update(bar, description=window.name)
                        run.add(window)
            except _FAILURES as error:
                failure = str(error)
                for run in runs.values():
                    run.forget(sequence.name)
                break
            left_out = {size: count + drawn[size].left_out for size, count in left_out.items()}
            progress.advance(bar)
    found = {size: run.finish() for size, run in runs.items()}
    for size in (size for size, windows in found.items() if not windows):
        failure = failure or f"there is no window of {size} views that overlap: give a smaller --window-size"
    return [_summed(windows, left_out[size]) for size, windows in found.items() if windows], failure


def _drawn(
    arguments: argparse.Namespace, data: AccuracyData, sequence: KnownSequence, overlap: Overlap | None, size: int
) -> DrawnWindows:
    if not size:
        return DrawnWindows((paper_window(sequence),), 0)
    return draw_windows(sequence, size, arguments.windows or data.windows, overlap)


def _summed(found: Sequence[EvaluatedWindow], left_out: int) -> Evaluation:
    rows = {
        name: summarised([(one.window.sequence, one.rows[name]) for one in found if name in one.rows])
        for name in dict.fromkeys(name for one in found for name in one.rows)
    }
    lengths = sorted({len(one.window.frames) for one in found})
    views = str(lengths[0]) if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
    return Evaluation(views, found, rows, left_out)


def _trajectories(arguments: argparse.Namespace, data: AccuracyData, predict: Predict) -> Iterator[StreamedTrajectory]:
    """Of every camera, one after the other; of the demo's rig then as a whole."""
    alone = (KnownRig(sequence.name, (sequence,)) for sequence, _ in data.sequences())
    with _progress() as progress:
        for rig in chain(alone, demo_sequences.demo_rigs() if arguments.demo_room else ()):
            bar = progress.add_task(f"stream of {rig.name}", total=len(rig.cameras[0].frames))
            yield streamed(rig, predict, partial(_show, progress, bar))
            progress.update(bar, visible=False)


def _show(progress: Progress, bar: TaskID, done: int) -> None:
    progress.update(bar, completed=done)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, transient=True)
