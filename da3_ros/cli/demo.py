# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Run image_source_node and da3_node as on a robot, record what they publish, and report it in a table and pictures.

Without --input: a simulated rig of three cameras, answered by the oracle engine (truth with noise). With --input: your
own folder of images, video or rosbag2, answered by the network.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from da3_ros.cli.main import CommandError
from da3_ros.cli.network_options import add_network_options, engine_name
from da3_ros.cli.numbers import positive_float, positive_int
from da3_ros.sources.source import Source, SourceError, open_source

if TYPE_CHECKING:
    from da3_ros.cli.node_process import NodeProcess
    from da3_ros.cli.recorder import Recorder
    from da3_ros.cli.report import Truth

RATE_HZ = 10.0
REST_S, SETTLE_S = 3.0, 20.0
ORACLE_NAME = "oracle (simulated truth with noise)"
ORACLE = {
    "engine": "oracle",
    "oracle_depth_noise": 0.01,
    "oracle_position_noise": 0.005,
    "oracle_rotation_noise_deg": 0.2,
    "min_confidence": 1.0,
}


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the two nodes are asked to do."""

    source: Source
    frames: int
    source_parameters: dict[str, Any]
    node_parameters: dict[str, Any]
    truth: Truth | None
    engine: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `da3_ros demo`."""
    parser.add_argument("--input", default="", help="folder of images, video or rosbag2 instead of the simulation")
    add_network_options(parser, weights_required=False)
    parser.add_argument(
        "--resolution", type=int, default=0, help="longest side that the engine sees (default: 504; simulation: 336)"
    )
    parser.add_argument("--window-size", type=positive_int, default=4, help="frame sets per window (default: 4)")
    parser.add_argument("--seconds", type=positive_float, default=12.0, help="length of the simulation (default: 12)")
    parser.add_argument("--output", type=Path, default=Path("demo_out"), help="folder for the results")


def run(arguments: argparse.Namespace) -> int:
    """Play, record, report."""
    from da3_ros.cli.node_process import NodeProcess, isolate
    from da3_ros.cli.recorder import Recorder
    from da3_ros.cli.report import Report

    plan = _plan(arguments)
    folder: Path = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    isolate()
    with ExitStack() as stack:
        recorder = Recorder(plan.source.cameras)
        stack.callback(recorder.close)
        # Two processes that render must not fight for the cores.
        threads = 1 if plan.truth else 0
        node = NodeProcess("da3_ros.nodes.da3_node", plan.node_parameters, folder, threads)
        player = NodeProcess("da3_ros.nodes.image_source_node", plan.source_parameters, folder, threads)
        stack.enter_context(node)
        _wait_for_outputs(recorder, node)
        stack.enter_context(player)
        begin_s = time.monotonic()
        _follow(plan, recorder, node, player)
        elapsed_s = time.monotonic() - begin_s
    report = Report(recorder, plan.engine, plan.frames, elapsed_s, plan.truth)
    report.write(folder)
    report.show(Console())
    if not report.summary["frames_published"]:
        raise CommandError(f"nothing was published: see da3_node.log and image_source_node.log in {folder}/")
    return 0


def _plan(arguments: argparse.Namespace) -> _Plan:
    common = {
        "process_resolution": arguments.resolution or (504 if arguments.input else 336),
        "window_size": arguments.window_size,
        "window_overlap": min(2, max(arguments.window_size - 1, 1)),
        "tf_mode": "cameras",
        "autostart": True,
        "sync_slop_ms": 20.0,
        "diagnostics_period_s": 1.0,
    }
    if not arguments.input and arguments.weights:
        raise CommandError("--weights needs --input: the simulated demo is answered by the oracle, not by a network")
    if not arguments.input:
        return _simulation_plan(arguments, common)
    try:
        source = open_source(Path(arguments.input), RATE_HZ)
    except SourceError as error:
        raise CommandError(str(error)) from error
    if not arguments.weights:
        raise CommandError(
            "--input needs --weights: a safetensors path, a Hugging Face id such as depth-anything/DA3-SMALL, "
            "or 'random' to try the pipeline without weights (its depth means nothing)"
        )
    network = {
        "model": arguments.model,
        "weights": arguments.weights,
        "allow_download": arguments.allow_download,
        "accept_noncommercial_license": arguments.accept_noncommercial_license,
    }
    # The machine's own pace: the next images come when the window of the last ones is done.
    player = {"source": arguments.input, "rate_hz": RATE_HZ, "pace_topic": "/da3_node/status", "pace_timeout_s": 600.0}
    node = {**common, **network, "cameras": list(source.cameras)}
    return _Plan(source, source.frame_count, player, node, truth=None, engine=engine_name(arguments))


def _simulation_plan(arguments: argparse.Namespace, common: dict[str, Any]) -> _Plan:
    from da3_ros.sources.simulated import open_simulation, simulation

    source = open_simulation(0, RATE_HZ)
    sets = int(arguments.seconds * RATE_HZ) + 1
    player = {"source": "simulation", "rate_hz": RATE_HZ, "duration_s": arguments.seconds, "static_tf": False}
    node = {**common, **ORACLE, "cameras": list(source.cameras)}
    return _Plan(source, sets * len(source.cameras), player, node, simulation(0).truth, ORACLE_NAME)


def _wait_for_outputs(recorder: Recorder, node: NodeProcess) -> None:
    """Until the node is configured and the recorder hears it: no result may come before."""
    with Console().status("loading"):
        while not recorder.is_connected:
            recorder.wait_for_change(0.2)
            node.check()


def _follow(plan: _Plan, recorder: Recorder, node: NodeProcess, player: NodeProcess) -> None:
    """Show progress until all frames are accounted for, or a node fails."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task("loading", total=plan.frames or None)
        quiet_since_s = time.monotonic()
        before = -1
        while True:
            recorder.wait_for_change(0.5)
            node.check()
            player.check()
            status = recorder.status
            done = 0 if status is None else status.frames_published + sum(status.drop_counts)
            progress.update(bar, completed=done, description="processing" if done else "loading")
            if done != before:
                before, quiet_since_s = done, time.monotonic()
            if not player.is_running:
                quiet_s = time.monotonic() - quiet_since_s
                all_done = status is not None and done >= max(plan.frames, status.frames_in)
                at_rest = status is not None and not status.frames_in_flight and quiet_s > REST_S
                if all_done or at_rest or quiet_s > SETTLE_S:
                    return
            else:
                quiet_since_s = time.monotonic()
