# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo asks of its two nodes: the simulated rig or the user's own images, a network or the oracle."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from da3_ros.cli.camera_option import chosen, counted
from da3_ros.cli.main import CommandError
from da3_ros.cli.network_options import AUTO, engine_name, settle_model
from da3_ros.model.config import usual_resolution
from da3_ros.sources.source import Source, SourceError, open_source

if TYPE_CHECKING:
    from da3_ros.cli.report import Truth

RATE_HZ = 10.0
# One camera, and a baseline between its images: so small a network loses slow motion among the baselines of a rig.
NETWORK_CAMERAS, NETWORK_RATE_HZ = ("front",), 2.5
ORACLE_RESOLUTION = 336
ORACLE_NAME = "oracle (simulated truth with noise)"
ORACLE = {
    "engine": "oracle",
    "oracle_depth_noise": 0.01,
    "oracle_position_noise": 0.005,
    "oracle_rotation_noise_deg": 0.2,
    "min_confidence": 1.0,
}
# The machine's own pace: the next images come when the window of the last ones is done.
PACED = {"pace_topic": "/da3_node/status", "pace_timeout_s": 600.0}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the two nodes are asked to do.

    Attributes:
        source: that is played.
        frames: that it sends; 0 when unknown.
        player: parameters of image_source_node.
        node: parameters of da3_node.
        truth: of any view; None for real input.
        engine: what answers, in words.
        note: what the user should know beforehand; empty for nothing.
    """

    source: Source
    frames: int
    player: dict[str, Any]
    node: dict[str, Any]
    truth: Truth | None
    engine: str
    note: str = ""

    @property
    def is_paced(self) -> bool:
        """Whether images wait for the windows before them, however long ago they were due."""
        return "pace_topic" in self.player


def make_plan(arguments: argparse.Namespace) -> Plan:
    """As the command line asks.

    Raises:
        CommandError: when options contradict each other, or input or weights cannot be used.
    """
    is_oracle = arguments.engine == "oracle"
    if is_oracle and (arguments.input or (arguments.weights, arguments.model) != (AUTO, AUTO)):
        raise CommandError("--engine oracle knows the simulation only and has no weights: give it alone")
    try:
        if is_oracle:
            return _oracle_plan(arguments)
        settle_model(arguments)
        return _own_images_plan(arguments) if arguments.input else _network_plan(arguments)
    except (SourceError, ValueError) as error:
        raise CommandError(str(error)) from error


def _oracle_plan(arguments: argparse.Namespace, note: str = "") -> Plan:
    source, frames, truth = _simulated(arguments, RATE_HZ, arguments.cameras)
    player = {"source": "simulation", "cameras": list(source.cameras), "rate_hz": RATE_HZ}
    player |= {"duration_s": arguments.seconds, "static_tf": False}
    node = {**_common(arguments, source, ORACLE_RESOLUTION), **ORACLE, "tf_mode": "cameras"}
    return Plan(source, frames, player, node, truth, ORACLE_NAME, note)


def _network_plan(arguments: argparse.Namespace) -> Plan:
    """A camera of the simulated rig as a robot has it: its place in TF, and camera_info."""
    try:
        _check_embedded(arguments)
    except ValueError as error:
        return _oracle_plan(arguments, f"The oracle answers instead of a network: {error}")
    source, frames, truth = _simulated(arguments, NETWORK_RATE_HZ, arguments.cameras or NETWORK_CAMERAS)
    player = {"source": "simulation", "cameras": list(source.cameras), "rate_hz": NETWORK_RATE_HZ, **PACED}
    # The simulation's own stamps: the same way, and the same answers, in every run.
    player |= {"duration_s": arguments.seconds, "static_tf": True, "stamps": "source"}
    node = {**_common(arguments, source, usual_resolution(arguments.model)), **_network(arguments), "tf_mode": "base"}
    return Plan(source, frames, player, node, truth, engine_name(arguments))


def _own_images_plan(arguments: argparse.Namespace) -> Plan:
    source = open_source(Path(arguments.input), RATE_HZ)
    if arguments.cameras:  # the demo ends when all are accounted for
        source = counted(chosen(source, arguments.cameras))
    _check_embedded(arguments)
    player = {"source": arguments.input, "cameras": list(source.cameras), "rate_hz": RATE_HZ, **PACED}
    resolution = usual_resolution(arguments.model)
    node = {**_common(arguments, source, resolution), **_network(arguments), "tf_mode": "cameras"}
    return Plan(source, source.frame_count, player, node, None, engine_name(arguments))


def _check_embedded(arguments: argparse.Namespace) -> None:
    """Raise `ValueError` when the embedded weights are wanted and missing."""
    from da3_ros.model.weights import EMBEDDED, embedded_file

    if arguments.weights == AUTO and arguments.model in EMBEDDED:
        embedded_file(arguments.model)


def _simulated(arguments: argparse.Namespace, rate_hz: float, cameras: Sequence[str] = ()) -> tuple[Source, int, Truth]:
    """Cameras of the rig of seed 0, how many images they send, and their truth."""
    from da3_ros.sources.simulated import open_simulation, simulation

    source = open_simulation(0, rate_hz, cameras)
    sets = int(arguments.seconds * rate_hz) + 1
    return source, sets * len(source.cameras), simulation(0).truth


def _common(arguments: argparse.Namespace, source: Source, resolution: int) -> dict[str, Any]:
    return {
        "cameras": list(source.cameras),
        "process_resolution": arguments.resolution or resolution,
        "window_size": arguments.window_size,
        "window_overlap": min(2, max(arguments.window_size - 1, 1)),
        "autostart": True,
        "sync_slop_ms": 20.0,
        "diagnostics_period_s": 1.0,
    }


def _network(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "model": arguments.model,
        "weights": arguments.weights,
        "allow_download": arguments.allow_download,
        "accept_noncommercial_license": arguments.accept_noncommercial_license,
    }
