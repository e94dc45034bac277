# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""`da3_ros eval rendering`: new views of a simulated room from 3D Gaussians, beside what is known to be exact."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from da3_ros.cli.accuracy_options import ROOM_RESOLUTION
from da3_ros.cli.main import CommandError
from da3_ros.cli.network_options import RESOLUTIONS, add_network_options, engine_name
from da3_ros.cli.numbers import positive_int

if TYPE_CHECKING:
    from da3_ros.evaluation.rendering import RenderedView, RoomViews
    from da3_ros.geometry.gaussians import Gaussians
    from da3_ros.geometry.sim3 import Sim3

GAUSSIAN_MODEL = "da3-giant"
RESOLUTION = 280
EXACT, CONSTANT = "exact depth and colours", "one colour"
EXACT_AT_LEAST_DB = 20.0
COLUMNS = ("Gaussians from", "Gaussians", "PSNR", "worst view", "covered")


def add_rendering_options(parser: argparse.ArgumentParser) -> None:
    """What is only about rendering."""
    group = parser.add_argument_group("rendering")
    add_network_options(parser, default_weights="")
    parser.set_defaults(model="")  # each proof has its own
    group.add_argument("--views", type=int, default=4, help="images the Gaussians are made from (default: 4)")
    group.add_argument("--room", type=int, default=1, metavar="SEED", help="which simulated room (default: 1)")
    group.add_argument(
        "--resolution", type=positive_int,
        help=f"width of all images (default: {RESOLUTION}; accuracy: what the network sees, {RESOLUTIONS}, others in "
        f"rooms {ROOM_RESOLUTION})",
    )  # fmt: skip
    group.add_argument("--device", default="auto", help="of the network: auto, cpu, cuda or cuda:<number>")
    group.add_argument(
        "--output", type=Path, default=Path("eval_rendering_out"), help="folder for the picture (eval_rendering_out)"
    )


@dataclass(frozen=True, slots=True)
class RenderingFigures:
    """What was found.

    Attributes:
        rows: of the table.
        sentence: what they are about.
        content: the same figures for a file.
        holds: whether Gaussians of exact depth show new views as well as they must.
    """

    rows: Sequence[Sequence[str]]
    sentence: str
    content: Mapping[str, Any]
    holds: bool


def rendering_figures(arguments: argparse.Namespace) -> RenderingFigures:
    """Render all rows; draws the picture on the way."""
    from da3_ros.cli.rendering_picture import draw_renderings
    from da3_ros.evaluation.exact_gaussians import exact_gaussians
    from da3_ros.evaluation.rendering import constant_colour_views, room_views

    if arguments.views < 2:
        raise CommandError("--views must be 2 or more: the views to render lie between those that are given")
    arguments.model = arguments.model or GAUSSIAN_MODEL
    room = room_views(arguments.room, arguments.views, arguments.resolution or RESOLUTION)
    made: dict[str, tuple[Gaussians, Sim3 | None]] = {EXACT: (exact_gaussians(room.given), None)}
    if arguments.weights:
        made[engine_name(arguments)] = _from_network(arguments, room)
    rendered = _rendered(made, room)
    arguments.output.mkdir(parents=True, exist_ok=True)
    picture = arguments.output / "rendering.png"
    draw_renderings(picture, room.held_out, rendered)
    rows = {name: (len(made[name][0]), views) for name, views in rendered.items()}
    rows[CONSTANT] = (0, constant_colour_views(room.given, room.held_out))
    figures = {name: _figures(count, views) for name, (count, views) in rows.items()}
    return RenderingFigures(
        rows=[_cells(name, row) for name, row in figures.items()],
        sentence=f"{_meaning(arguments, room)} Picture: {picture}",
        content=figures,
        holds=figures[EXACT]["psnr_db"] >= EXACT_AT_LEAST_DB,
    )


def _rendered(made: Mapping[str, tuple[Gaussians, Sim3 | None]], room: RoomViews) -> dict[str, list[RenderedView]]:
    from da3_ros.evaluation.rendering import rendered_views

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    rendered: dict[str, list[RenderedView]] = {}
    with Progress(*columns, transient=True) as progress:
        bar = progress.add_task("images", total=len(made) * len(room.held_out))
        for name, (gaussians, frame_from_world) in made.items():
            rendered[name] = []
            for view in rendered_views(gaussians, room.held_out, frame_from_world):
                rendered[name].append(view)
                progress.advance(bar)
    return rendered


def _from_network(arguments: argparse.Namespace, room: RoomViews) -> tuple[Gaussians, Sim3]:
    from da3_ros.evaluation.rendering import window_from_world
    from da3_ros.geometry.errors import DegenerateGeometryError
    from da3_ros.inference.engine import EngineError
    from da3_ros.inference.gaussian_estimator import load_gaussian_estimator

    try:
        estimator = load_gaussian_estimator(
            arguments.model,
            arguments.weights,
            device=arguments.device,
            process_resolution=max(room.given[0].camera.size),
            accept_noncommercial_license=arguments.accept_noncommercial_license,
            allow_download=arguments.allow_download,
        )
        scene = estimator.estimate([view.image for view in room.given])
        return scene.gaussians, window_from_world(scene.prediction, room.given)
    except (ValueError, EngineError, DegenerateGeometryError) as error:
        raise CommandError(str(error)) from error


def _figures(count: int, views: Sequence[RenderedView]) -> dict[str, Any]:
    psnr = [view.psnr_db for view in views]
    return {
        "gaussians": count,
        "psnr_db": sum(psnr) / len(psnr),
        "worst_psnr_db": min(psnr),
        "coverage": sum(view.coverage for view in views) / len(views),
        "psnr_db_by_view": psnr,
    }


def _cells(name: str, row: Mapping[str, Any]) -> Sequence[str]:
    psnr = [f"{row[key]:.1f} dB" if math.isfinite(row[key]) else "equal" for key in ("psnr_db", "worst_psnr_db")]
    return [name, str(row["gaussians"]), *psnr, f"{row['coverage']:.1%}"]


def _meaning(arguments: argparse.Namespace, room: RoomViews) -> str:
    H, W = room.given[0].camera.size
    sentence = f"Means of {len(room.held_out)} views between {len(room.given)} given ones, {H}x{W}."
    if arguments.weights == "random":
        sentence += " RANDOM weights: the network's row proves that the path works and nothing else."
    if not arguments.weights:
        sentence += " No network: give --weights for its row."
    return sentence
