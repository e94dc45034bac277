# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo asks of its two nodes: the simulated rig or the user's own images, a network or the oracle."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from da3_ros.cli.main import CommandError
from da3_ros.cli.network_options import AUTO, engine_name, settle_model, usual_resolution
from da3_ros.sources.source import Source, SourceError, open_source

if TYPE_CHECKING:
    from da3_ros.cli.report import Truth

RATE_HZ = 10.0
WINDOW_SETS = 4
# A network needs a baseline between the frame sets of a window, and a window of many views takes a CPU seconds.
NETWORK_RATE_HZ, NETWORK_WINDOW_SETS = 2.5, 2
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
    if arguments.engine == "oracle":
        if arguments.input or (arguments.weights, arguments.model) != (AUTO, AUTO):
            raise CommandError("--engine oracle knows the simulation only and has no weights: give it alone")
        return _oracle_plan(arguments)
    try:
        settle_model(arguments)
        return _own_images_plan(arguments) if arguments.input else _network_plan(arguments)
    except (SourceError, ValueError) as error:
        raise CommandError(str(error)) from error


def _oracle_plan(arguments: argparse.Namespace, note: str = "") -> Plan:
    source, frames, truth = _simulated(arguments, RATE_HZ)
    player = {"source": "simulation", "rate_hz": RATE_HZ, "duration_s": arguments.seconds, "static_tf": False}
    node = {**_common(arguments, source, ORACLE_RESOLUTION, WINDOW_SETS), **ORACLE, "tf_mode": "cameras"}
    return Plan(source, frames, player, node, truth, ORACLE_NAME, note)


def _network_plan(arguments: argparse.Namespace) -> Plan:
    """The simulated rig as a robot has it: places of the cameras in TF, which give metres, and camera_info."""
    try:
        _check_embedded(arguments)
    except ValueError as error:
        return _oracle_plan(arguments, f"The oracle answers instead of a network: {error}")
    source, frames, truth = _simulated(arguments, NETWORK_RATE_HZ)
    player = {"source": "simulation", "rate_hz": NETWORK_RATE_HZ, "duration_s": arguments.seconds, "static_tf": True}
    common = _common(arguments, source, usual_resolution(arguments.model), NETWORK_WINDOW_SETS)
    node = {**common, **_network(arguments), "tf_mode": "base"}
    return Plan(source, frames, player | PACED, node, truth, engine_name(arguments))


def _own_images_plan(arguments: argparse.Namespace) -> Plan:
    source = open_source(Path(arguments.input), RATE_HZ)
    _check_embedded(arguments)
    player = {"source": arguments.input, "rate_hz": RATE_HZ}
    common = _common(arguments, source, usual_resolution(arguments.model), WINDOW_SETS)
    node = {**common, **_network(arguments), "tf_mode": "cameras"}
    return Plan(source, source.frame_count, player | PACED, node, None, engine_name(arguments))


def _check_embedded(arguments: argparse.Namespace) -> None:
    """Raise `ValueError` when the embedded weights are wanted and missing."""
    from da3_ros.model.weights import EMBEDDED, embedded_file

    if arguments.weights == AUTO and arguments.model in EMBEDDED:
        embedded_file(arguments.model)


def _simulated(arguments: argparse.Namespace, rate_hz: float) -> tuple[Source, int, Truth]:
    """The rig of seed 0, how many images it sends, and its truth."""
    from da3_ros.sources.simulated import open_simulation, simulation

    source = open_simulation(0, rate_hz)
    sets = int(arguments.seconds * rate_hz) + 1
    return source, sets * len(source.cameras), simulation(0).truth


def _common(arguments: argparse.Namespace, source: Source, resolution: int, window_sets: int) -> dict[str, Any]:
    window_size = arguments.window_size or window_sets
    return {
        "cameras": list(source.cameras),
        "process_resolution": arguments.resolution or resolution,
        "window_size": window_size,
        "window_overlap": min(2, max(window_size - 1, 1)),
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
