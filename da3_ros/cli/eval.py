# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Prove trajectory, scale and 3D Gaussians on scenes whose truth is known; no ROS.

`scenarios`: standing, turning, driving, one camera or many, garbage, gaps: what comes out of the stream when the oracle
answers each window in a random gauge with noise, beside two usual ways to chain windows.
`consistency`: whether the published covariances are neither too small nor too large, over many runs.
`rendering`: how well 3D Gaussians show new views: of a network with --weights, and of exact depth.
`accuracy`: poses, depth and clouds of a network with --weights against the truth of --data or of simulated rooms.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from da3_ros.cli import accuracy_table
from da3_ros.cli.accuracy_options import add_accuracy_options
from da3_ros.cli.eval_accuracy import accuracy_figures
from da3_ros.cli.eval_options import check_options
from da3_ros.cli.eval_rendering import COLUMNS, add_rendering_options, rendering_figures
from da3_ros.cli.figures_file import write_figures
from da3_ros.cli.main import CommandError
from da3_ros.cli.numbers import positive_int

if TYPE_CHECKING:
    from da3_ros.evaluation.consistency import NormalisedError
    from da3_ros.evaluation.scenario_runner import Run
    from da3_ros.evaluation.scenario_verdict import Verdict
    from da3_ros.evaluation.scenarios import Scenario

SEEDS = {"scenarios": 3, "consistency": 100}
PRINTED_WIDTH = 250  # of a table that goes to a file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `da3_ros eval`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", choices=(*SEEDS, "rendering", "accuracy"), help="what to prove")
    parser.add_argument("--only", action="append", metavar="NAME", help="this scenario; may be given again")
    parser.add_argument(
        "--data", action="append", default=[], type=Path, metavar="PATH",
        help="scenarios: also a recorded sequence, a folder with meta.json and depth images; accuracy: this sequence "
        "instead of rooms, a folder (meta.json, TUM RGB-D, 7-Scenes, ETH3D) or a rosbag2; may be given again",
    )  # fmt: skip
    parser.add_argument("--seeds", type=positive_int, metavar="N", help="runs of each (default: 3; consistency: 100)")
    parser.add_argument(
        "--full-position-noise", action="store_true",
        help="camera centres err by 1 cm in every scene, not by 1 cm at 3 m depth and less in nearer ones",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the same figures as JSON")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the trajectories that have a baseline")
    add_rendering_options(parser)
    add_accuracy_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run, print, and write; status 1 when something does not hold."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    check_options(arguments, parser.parse_args([arguments.what]))
    if arguments.what == "rendering":
        return _show_rendering(arguments)
    if arguments.what == "accuracy":
        return _show_accuracy(arguments)
    seeds = arguments.seeds or SEEDS[arguments.what]
    full = arguments.full_position_noise
    if arguments.what == "consistency":
        scenarios = _with_noise(_chosen_consistency(arguments.only), full)
        return _prove_consistency(scenarios, seeds, arguments.json)
    scenarios = _with_noise(_chosen(arguments.only, arguments.data), full)
    if arguments.picture and not any(map(_has_baseline, scenarios)):
        raise CommandError("--picture draws scenarios that have a baseline, and none of these has: add one, as curve")
    return _prove_scenarios(scenarios, seeds, arguments.json, arguments.picture)


def _show_rendering(arguments: argparse.Namespace) -> int:
    figures = rendering_figures(arguments)
    table = _table(COLUMNS)
    for row in figures.rows:
        table.add_row(*row)
    console = _console()
    console.print(table)
    console.print(figures.sentence, highlight=False)
    _write(arguments.json, figures.content)
    return 0 if figures.holds else 1


def _show_accuracy(arguments: argparse.Namespace) -> int:
    figures = accuracy_figures(arguments)
    console = _console()
    for columns, rows in (
        (accuracy_table.COLUMNS, figures.rows),
        (accuracy_table.TRAJECTORY_COLUMNS, figures.trajectories),
    ):
        table = _table(columns)
        for row in rows:
            table.add_row(*row)
        if rows:
            console.print(table)
    for sentence in figures.sentences:
        console.print(sentence, highlight=False)
    _write(arguments.json, figures.content)
    if arguments.html:
        from da3_ros.cli.accuracy_page import write_page

        write_page(arguments.html, figures)
    if figures.failure:
        raise CommandError(figures.failure)
    return 0


def _with_noise(scenarios: Sequence[Scenario], full: bool) -> list[Scenario]:
    return [replace(scenario, noise=replace(scenario.noise, position_by_depth=not full)) for scenario in scenarios]


def _caption(scenarios: Sequence[Scenario], seeds: int) -> str:
    by_depth = all(scenario.noise.position_by_depth for scenario in scenarios)
    noise = "1 cm at 3 m scene depth, in proportion elsewhere" if by_depth else "1 cm in every scene"
    return f"{seeds} seeds; camera centres err by {noise}"


def _chosen(only: Sequence[str] | None, folders: Sequence[Path]) -> list[Scenario]:
    from da3_ros.evaluation.scenarios import SCENARIOS, recorded_scenario
    from da3_ros.evaluation.sequences import named

    return _named([*SCENARIOS, *(recorded_scenario(named(folder)) for folder in folders)], only)


def _chosen_consistency(only: Sequence[str] | None) -> list[Scenario]:
    from da3_ros.evaluation.scenarios import CONSISTENCY

    return _named(list(CONSISTENCY), only)


def _named(scenarios: list[Scenario], only: Sequence[str] | None) -> list[Scenario]:
    unknown = set(only or ()) - {scenario.name for scenario in scenarios}
    if unknown:
        known = ", ".join(scenario.name for scenario in scenarios)
        raise CommandError(f"no scenario is called {', '.join(sorted(unknown))}: there are {known}")
    return [scenario for scenario in scenarios if not only or scenario.name in only]


def _prove_scenarios(scenarios: Sequence[Scenario], seeds: int, json_file: Path | None, picture: Path | None) -> int:
    from da3_ros.evaluation.datasets import DatasetError
    from da3_ros.evaluation.scenario_figures import figures_of
    from da3_ros.evaluation.scenario_runner import play
    from da3_ros.evaluation.scenario_verdict import Verdict

    verdicts: list[Verdict] = []
    drawn: list[Run] = []
    with Progress(transient=True) as progress:
        task = progress.add_task("", total=len(scenarios) * seeds)
        for scenario in scenarios:
            progress.update(task, description=scenario.name)
            try:
                scene = scenario.scene()
            except DatasetError as error:
                raise CommandError(str(error)) from error
            figures = []
            for seed in range(seeds):
                played = play(scenario, scene, seed)
                figures.append(figures_of(played))
                progress.advance(task)
                if seed == 0 and _has_baseline(scenario):
                    drawn.append(played)
            verdicts.append(Verdict(scenario, tuple(figures)))
    _show_scenarios(verdicts, seeds)
    _write(json_file, {verdict.scenario.name: verdict.as_json() for verdict in verdicts})
    if picture:
        from da3_ros.cli.trajectory_picture import draw_trajectories

        draw_trajectories(picture, drawn)
    return 1 if any(verdict.broken for verdict in verdicts) else 0


def _has_baseline(scenario: Scenario) -> bool:
    return scenario.limits.of_points is not None


def _show_scenarios(verdicts: Sequence[Verdict], seeds: int) -> None:
    table = _table(_COLUMNS)
    for verdict in verdicts:
        table.add_row(verdict.scenario.title, "no" if verdict.broken else "yes", *_cells(verdict.median))
    console = _console()
    console.print(table)
    console.print(f"Medians of {_caption([verdict.scenario for verdict in verdicts], seeds)}.", highlight=False)
    for verdict in verdicts:
        for line in verdict.broken:
            console.print(f"{verdict.scenario.name} does not hold: {line}", highlight=False)


_COLUMNS = (
    "scenario", "holds", "ATE", "of centre chain", "of point chain", "worst step", "metre p50 / p95", "metric",
    "drift / most", "rejected", "garbage out", "segments", "ms per window",
)  # fmt: skip


def _cells(median: Mapping[str, float]) -> list[str]:
    percent = median["ate_percent"]
    return [
        f"{1000 * median['ate_m']:.0f} mm" if math.isnan(percent) else f"{percent:.2f} %",
        _number(percent / median["centres_percent"], "{:.2f}"),
        _number(percent / median["points_percent"], "{:.2f}"),
        f"{1000 * median['step_m']:.0f} mm",
        _number(median["scale_p50"], "{:.1%} / ") + _number(median["scale_p95"], "{:.1%}"),
        f"{median['metric_share']:.0%}",
        "" if math.isnan(median["drift"]) else f"{median['drift']:.1%} / {median['swing']:.1%}",
        f"{median['rejected']:.0f} of {median['windows']:.0f}",
        f"{median['garbage_published']:.0f}",
        f"{median['segments']:.0f}",
        f"{median['alignment_ms_p50']:.0f}",
    ]


def _prove_consistency(scenarios: Sequence[Scenario], seeds: int, json_file: Path | None) -> int:
    from da3_ros.evaluation.consistency import normalised_errors
    from da3_ros.evaluation.scenario_runner import play

    found: dict[str, tuple[NormalisedError, ...]] = {}
    with Progress(transient=True) as progress:
        task = progress.add_task("", total=len(scenarios) * seeds)
        for scenario in scenarios:
            progress.update(task, description=scenario.name)
            scene, runs = scenario.scene(), []
            for seed in range(seeds):
                runs.append(play(scenario, scene, seed))
                progress.advance(task)
            found[scenario.name] = normalised_errors(runs)
    table = _table(("scenario", "error", "holds", "mean square", "should be", "95 % band"))
    for scenario in scenarios:
        for error in found[scenario.name]:
            band = f"{error.band[0]:.2f} .. {error.band[1]:.2f}"
            holds = "yes" if error.holds else "no"
            table.add_row(scenario.title, error.name, holds, f"{error.mean:.2f}", str(error.degrees), band)
    console = _console()
    console.print(table)
    console.print(f"{_caption(scenarios, seeds)}.", highlight=False)
    plain = {name: [{**asdict(error), "holds": error.holds} for error in errors] for name, errors in found.items()}
    _write(json_file, plain)
    return 0 if all(error.holds for errors in found.values() for error in errors) else 1


def _table(columns: Sequence[str]) -> Table:
    table = Table(box=box.MARKDOWN)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    return table


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=PRINTED_WIDTH)


def _write(file: Path | None, content: Mapping[str, object]) -> None:
    if file:
        write_figures(file, content)


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else form.format(value)
