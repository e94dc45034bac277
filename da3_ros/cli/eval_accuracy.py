# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""`da3_ros eval accuracy`: poses, depth and reconstruction of a network against the truth, beside simple answers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from da3_ros.cli.accuracy_options import ROOM_RESOLUTION
from da3_ros.cli.accuracy_table import (
    EXPLAINED,
    TRAJECTORIES_EXPLAINED,
    AccuracyFigures,
    Evaluation,
    as_json,
    cells,
    trajectory_cells,
)
from da3_ros.cli.main import CommandError
from da3_ros.cli.network_options import AUTO, engine_name, settle_model
from da3_ros.model.config import RESOLUTION, usual_resolution

if TYPE_CHECKING:
    from da3_ros.evaluation.accuracy import Predict
    from da3_ros.evaluation.accuracy_run import EvaluatedWindow
    from da3_ros.evaluation.known_frames import KnownSequence
    from da3_ros.evaluation.streamed import StreamedTrajectory
    from da3_ros.evaluation.true_windows import Overlap, TrueWindow

MODEL = "da3-small"
WINDOWS_OF_ROOM, WINDOWS_OF_SEQUENCE = 1, 12


def accuracy_figures(arguments: argparse.Namespace) -> AccuracyFigures:
    """Evaluate all windows, and write the page if one is wanted."""
    from da3_ros.evaluation.datasets import DatasetError
    from da3_ros.inference.engine import EngineError

    is_paper = arguments.protocol == "paper"
    arguments.model = arguments.model or (AUTO if arguments.weights and not is_paper else MODEL)
    if is_paper:
        _check_paper(arguments)
    if arguments.known_poses and not arguments.weights:
        raise CommandError("--known-poses needs a network to give them to: give --weights")
    if arguments.stream and not (arguments.weights and (arguments.data or arguments.demo_room)):
        raise CommandError("--stream needs a network and sequences: give --weights, and --data or --demo-room")
    try:
        if arguments.weights:
            settle_model(arguments)
        predict = _network(arguments) if arguments.weights else None
        evaluations = _evaluations(arguments, predict)
        trajectories = _streamed(arguments, predict) if arguments.stream and predict else []
    except (DatasetError, EngineError, ValueError) as error:
        raise CommandError(str(error)) from error
    rows = [
        cells(name, evaluation.views, row) for evaluation in evaluations for name, row in evaluation.rows.items()
    ]  # fmt: skip
    streams = [trajectory_cells(found) for found in trajectories]
    figures = AccuracyFigures(
        _row_name(arguments) if arguments.weights else "",
        rows,
        streams,
        _sentences(arguments, evaluations),
        _content(arguments, evaluations, trajectories),
    )
    if arguments.html:
        from da3_ros.cli.accuracy_page import write_page

        write_page(arguments.html, _answering(arguments), evaluations, figures)
    return figures


def _content(
    arguments: argparse.Namespace, evaluations: Sequence[Evaluation], trajectories: Sequence[StreamedTrajectory]
) -> dict[str, Any]:
    return {
        "model": arguments.model,
        "weights": arguments.weights,
        "protocol": arguments.protocol,
        "evaluations": [as_json(evaluation) for evaluation in evaluations],
        "trajectories": [{**asdict(found), "ate_share": found.ate_share} for found in trajectories],
    }


def _evaluations(arguments: argparse.Namespace, predict: Predict | None) -> list[Evaluation]:
    """All windows, for each size; a size of 0 is all frames of a scene."""
    from da3_ros.evaluation.accuracy import AccuracyRules
    from da3_ros.evaluation.accuracy_baselines import blind_predict
    from da3_ros.evaluation.accuracy_run import AccuracyRun
    from da3_ros.evaluation.pose_accuracy import MIN_BASELINE_M

    is_paper = arguments.protocol == "paper"
    network = (_row_name(arguments), predict) if predict else None
    rules = AccuracyRules(0.0 if is_paper else MIN_BASELINE_M, arguments.threshold)
    sizes = [0] if is_paper else list(dict.fromkeys(arguments.window_size))
    blind = blind_predict(_resolution(arguments))
    runs = {size: AccuracyRun(blind, network, rules, arguments.known_poses) for size in sizes}
    left_out = dict.fromkeys(sizes, 0)
    with _progress() as progress:
        bar = progress.add_task("sequences", total=None if arguments.data else _simulated_count(arguments))
        for sequence, overlap in _sequences(arguments):
            for size, run in runs.items():
                windows, missed = _drawn(arguments, sequence, overlap, size)
                left_out[size] += missed
                for window in windows:
                    progress.update(bar, description=window.name)
                    run.add(window)
            progress.advance(bar)
    return [_summed(size, run.finish(), left_out[size]) for size, run in runs.items()]


def _streamed(arguments: argparse.Namespace, predict: Predict) -> list[StreamedTrajectory]:
    """The trajectory of every camera, one after the other; of the demo's rig then as a whole."""
    from da3_ros.evaluation.demo_sequences import demo_rigs
    from da3_ros.evaluation.known_frames import KnownRig
    from da3_ros.evaluation.streamed import streamed

    alone = (KnownRig(sequence.name, (sequence,)) for sequence, _ in _sequences(arguments))
    found = []
    with _progress() as progress:
        for rig in chain(alone, demo_rigs() if arguments.demo_room else ()):
            bar = progress.add_task(f"stream of {rig.name}", total=len(rig.cameras[0].frames))
            found.append(streamed(rig, predict, partial(_show, progress, bar)))
            progress.update(bar, visible=False)
    return found


def _show(progress: Progress, bar: TaskID, done: int) -> None:
    progress.update(bar, completed=done)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, transient=True)


def _summed(size: int, found: Sequence[EvaluatedWindow], left_out: int) -> Evaluation:
    from da3_ros.evaluation.accuracy_summary import summarised

    if not found:
        raise CommandError(f"there is no window of {size} views that overlap: give a smaller --window-size")
    rows = {
        name: summarised([(one.window.sequence, one.rows[name]) for one in found if name in one.rows])
        for name in dict.fromkeys(name for one in found for name in one.rows)
    }
    lengths = sorted({len(one.window.frames) for one in found})
    views = str(lengths[0]) if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
    return Evaluation(views, found, rows, left_out)


def _drawn(
    arguments: argparse.Namespace, sequence: KnownSequence, overlap: Overlap | None, size: int
) -> tuple[Sequence[TrueWindow], int]:
    """Windows of a sequence, and how many places gave none."""
    from da3_ros.evaluation.true_windows import draw_windows, paper_window

    if not size:
        return (paper_window(sequence),), 0
    has_sequences = bool(arguments.data) or arguments.demo_room
    count = arguments.windows or (WINDOWS_OF_SEQUENCE if has_sequences else WINDOWS_OF_ROOM)
    drawn = draw_windows(sequence, size, count, overlap)
    return drawn.windows, drawn.left_out


def _sequences(arguments: argparse.Namespace) -> Iterator[tuple[KnownSequence, Overlap | None]]:
    if arguments.data:
        from da3_ros.sources.truth import open_truth

        for path in arguments.data:
            yield from ((sequence, None) for sequence in open_truth(path, arguments.intrinsics))
        return
    if arguments.demo_room:
        from da3_ros.evaluation.demo_sequences import demo_sequences

        yield from ((sequence, None) for sequence in demo_sequences())
        return
    from da3_ros.evaluation.room_sequences import room_sequences

    yield from room_sequences(arguments.rooms)


def _simulated_count(arguments: argparse.Namespace) -> int:
    from da3_ros.evaluation.demo_sequences import DEMO_SEQUENCES

    return DEMO_SEQUENCES if arguments.demo_room else int(arguments.rooms)


def _network(arguments: argparse.Namespace) -> Predict:
    from da3_ros.inference.load_options import LoadOptions
    from da3_ros.inference.loading import load_estimator

    options = LoadOptions(
        device=arguments.device,
        process_resolution=_resolution(arguments),
        reference_view="first" if arguments.protocol == "paper" else "saddle_balanced",
        allow_download=arguments.allow_download,
        accept_noncommercial_license=arguments.accept_noncommercial_license,
    )
    return load_estimator(arguments.model, arguments.weights, options).estimate


def _resolution(arguments: argparse.Namespace) -> int:
    """Longest side; networks for large images see rooms as small as they are."""
    usual = usual_resolution(arguments.model)
    is_large = usual == RESOLUTION and not arguments.data
    return int(arguments.resolution or (ROOM_RESOLUTION if is_large else usual))


def _check_paper(arguments: argparse.Namespace) -> None:
    from da3_ros.model.weights import CHECKPOINT_NAME, OFFICIAL

    if not arguments.data:
        raise CommandError("--protocol paper needs --data: scenes of a benchmark, such as 7-Scenes or ETH3D")
    if not arguments.weights or arguments.weights == "random":
        official = [name for name, model in OFFICIAL.items() if model == arguments.model]
        if not official:
            raise CommandError(f"there are no official weights of {arguments.model}: --protocol paper needs some")
        raise CommandError(
            f"--protocol paper needs official weights: `hf download {official[-1]} {CHECKPOINT_NAME}`, "
            f"then --model {arguments.model} --weights auto"
        )


def _row_name(arguments: argparse.Namespace) -> str:
    """What the network is called in the table: short."""
    return f"{arguments.model}, embedded" if _is_embedded(arguments) else engine_name(arguments)


def _is_embedded(arguments: argparse.Namespace) -> bool:
    from da3_ros.model.weights import EMBEDDED

    return bool(arguments.weights == AUTO and arguments.model in EMBEDDED)


def _answering(arguments: argparse.Namespace) -> str:
    return engine_name(arguments) if arguments.weights else "no network"


def _sentences(arguments: argparse.Namespace, evaluations: Sequence[Evaluation]) -> list[str]:
    from da3_ros.evaluation.accuracy_run import POSED

    simulated = "the demo's room" if arguments.demo_room else "simulated rooms"
    on = ", ".join(path.name for path in arguments.data) or simulated
    lines = [f"On {on}, longest side {_resolution(arguments)} px. {EXPLAINED}"]
    undirected = {one.views: max(row.undirected_pairs for row in one.rows.values()) for one in evaluations}
    if any(undirected.values()):
        told = ", ".join(f"{count} (windows of {views})" for views, count in undirected.items())
        lines.append(f"Pairs of cameras at one place, which count by their turn alone: {told}.")
    left_out = sum(one.left_out for one in evaluations)
    if left_out:
        lines.append(f"Places that gave no window, as too few frames near them see the same: {left_out}.")
    if arguments.known_poses and not any(POSED in one.rows for one in evaluations):
        lines.append("No row with known poses: the network sees images one by one, or windows have one view.")
    if _is_embedded(arguments):
        lines.append(f"{_answering(arguments)}.")
    if arguments.weights == "random":
        lines.append("RANDOM weights: the network's rows prove that the path works and nothing else.")
    if not arguments.weights:
        lines.append("No network: give --weights for its rows.")
    if arguments.stream:
        lines.append(TRAJECTORIES_EXPLAINED)
    return lines
