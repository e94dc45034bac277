# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""`da3_ros eval accuracy`: poses, depth and reconstruction of a network against the truth, beside simple answers."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from da3_ros.cli.accuracy_data import AccuracyData, open_data
from da3_ros.cli.accuracy_options import ROOM_RESOLUTION
from da3_ros.cli.accuracy_table import (
    EXPLAINED,
    TRAJECTORIES_EXPLAINED,
    AccuracyFigures,
    as_json,
    cells,
    trajectory_cells,
)
from da3_ros.cli.main import CommandError
from da3_ros.cli.network_options import AUTO, engine_name, settle_model
from da3_ros.model.config import RESOLUTION, usual_resolution

if TYPE_CHECKING:
    from da3_ros.cli.accuracy_findings import Findings
    from da3_ros.evaluation.accuracy import Predict

MODEL = "da3-small"


def accuracy_figures(arguments: argparse.Namespace) -> AccuracyFigures:
    """Evaluate all windows.

    Raises:
        CommandError: when the request cannot be fulfilled, or nothing was found.
    """
    from da3_ros.cli.accuracy_findings import find
    from da3_ros.evaluation.accuracy_baselines import blind_predict
    from da3_ros.inference.engine import EngineError

    is_paper = arguments.protocol == "paper"
    arguments.model = arguments.model or (AUTO if arguments.weights and not is_paper else MODEL)
    _check(arguments)
    try:
        if arguments.weights:
            settle_model(arguments)
        data = open_data(arguments)
        network = (_row_name(arguments), _network(arguments)) if arguments.weights else None
        findings = find(arguments, data, blind_predict(_resolution(arguments)), network)
    except (EngineError, ValueError) as error:
        raise CommandError(str(error)) from error
    return AccuracyFigures(
        answering=_answering(arguments),
        network=network[0] if network else "",
        rows=[cells(name, one.views, row) for one in findings.evaluations for name, row in one.rows.items()],
        trajectories=[trajectory_cells(found) for found in findings.trajectories],
        sentences=_sentences(arguments, data, findings),
        content=_content(arguments, findings),
        evaluations=findings.evaluations,
        failure=findings.failure,
    )


def _check(arguments: argparse.Namespace) -> None:
    if arguments.protocol == "paper":
        _check_paper(arguments)
    if arguments.known_poses and not arguments.weights:
        raise CommandError("--known-poses needs a network to give them to: give --weights")
    if arguments.stream and not (arguments.weights and (arguments.data or arguments.demo_room)):
        raise CommandError("--stream needs a network and sequences: give --weights, and --data or --demo-room")


def _content(arguments: argparse.Namespace, findings: Findings) -> dict[str, Any]:
    return {
        "model": arguments.model,
        "weights": arguments.weights,
        "protocol": arguments.protocol,
        "failure": findings.failure or None,
        "evaluations": [as_json(evaluation) for evaluation in findings.evaluations],
        "trajectories": [{**asdict(found), "ate_share": found.ate_share} for found in findings.trajectories],
    }


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


def _sentences(arguments: argparse.Namespace, data: AccuracyData, findings: Findings) -> list[str]:
    from da3_ros.evaluation.accuracy_run import POSED

    evaluations = findings.evaluations
    lines = [f"On {data.title}, longest side {_resolution(arguments)} px. {EXPLAINED}"]
    if arguments.protocol == "paper":
        lines.append(
            "Poses are compared as the DA3 benchmark's code does it: hold AUC, turn and direction against its own."
        )
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
    if findings.trajectories:
        lines.append(TRAJECTORIES_EXPLAINED)
    if findings.failure:
        lines.append(f"NOT ALL was evaluated, only what came before this: {findings.failure}.")
    return lines
