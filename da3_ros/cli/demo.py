# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Run image_source_node and da3_node as on a robot, record what they publish, and report it in a table and pictures.

Without --input: the front camera of a simulated rig, so that the answers can be compared with truth. With --input: your
own folder of images, video or rosbag2. A network answers, the embedded da3-nano unless you name another; with --engine
oracle it is the simulation's own truth with noise, for the three cameras of the rig.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from da3_ros.cli.camera_option import add_camera_option
from da3_ros.cli.demo_plan import ORACLE_RESOLUTION, Plan, make_plan
from da3_ros.cli.main import CommandError
from da3_ros.cli.network_options import RESOLUTIONS, add_network_options
from da3_ros.cli.numbers import positive_float, positive_int

if TYPE_CHECKING:
    from da3_ros.cli.node_process import NodeProcess
    from da3_ros.cli.recorder import Recorder

REST_S, SETTLE_S = 3.0, 20.0
WITH_ROS = (
    "in a checkout of da3_ros run `make environment && source underlay/activate.sh`, or source ROS 2, "
    "`colcon build` and source install/setup.bash"
)
STALL_S = 900.0  # longer than a player waits for one window


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `da3_ros demo`."""
    parser.add_argument("--input", default="", help="folder of images, video or rosbag2 instead of the simulation")
    parser.add_argument("--engine", choices=("network", "oracle"), default="network", help="what answers")
    add_camera_option(parser, "all; of the simulation front, with the oracle all")
    add_network_options(parser)
    parser.add_argument(
        "--resolution", type=int, default=0,
        help=f"longest side that the engine sees (default: {RESOLUTIONS}, oracle {ORACLE_RESOLUTION})",
    )  # fmt: skip
    parser.add_argument("--window-size", type=positive_int, default=4, help="frame sets per window (default: 4)")
    parser.add_argument("--seconds", type=positive_float, default=12.0, help="length of the simulation (default: 12)")
    parser.add_argument("--output", type=Path, default=Path("demo_out"), help="folder for the results")


def run(arguments: argparse.Namespace) -> int:
    """Play, record, report."""
    try:
        from da3_ros.cli.node_process import NodeProcess, isolate
        from da3_ros.cli.recorder import Recorder
        from da3_ros.cli.report import Report, remove_earlier
    except ImportError as error:
        lack = f"the Python module '{error.name or 'rclpy'}' cannot be imported"
        raise CommandError(f"the demo runs ROS 2 nodes, and {lack}: {WITH_ROS}") from error

    plan = make_plan(arguments)
    if plan.note:
        Console(stderr=True).print(plan.note, soft_wrap=True)
    folder: Path = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    remove_earlier(folder)
    isolate()
    with ExitStack() as stack:
        recorder = Recorder(plan.source.cameras)
        stack.callback(recorder.close)
        # Two processes that render must not fight for the cores.
        threads = 0 if plan.is_paced else 1
        node = NodeProcess("da3_ros.nodes.da3_node", plan.node, folder, threads)
        player = NodeProcess("da3_ros.nodes.image_source_node", plan.player, folder, threads)
        stack.enter_context(node)
        _wait_for_outputs(recorder, node)
        stack.enter_context(player)
        begin_s = time.monotonic()
        _follow(plan, recorder, node, player)
        elapsed_s = time.monotonic() - begin_s
    report = Report(recorder, plan.engine, plan.frames, elapsed_s, plan.truth, is_paced=plan.is_paced)
    report.write(folder)
    report.show(Console())
    if not report.summary["frames_published"]:
        raise CommandError(f"nothing was published: see da3_node.log and image_source_node.log in {folder}/")
    return 0


def _wait_for_outputs(recorder: Recorder, node: NodeProcess) -> None:
    """Until the node is configured and the recorder hears it: no result may come before."""
    with Console().status("loading"):
        while not recorder.is_connected:
            recorder.wait_for_change(0.2)
            node.check()


def _follow(plan: Plan, recorder: Recorder, node: NodeProcess, player: NodeProcess) -> None:
    """Show progress until all frames are accounted for, or a node fails."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task("loading", total=plan.frames or None)
        quiet_since_s = ran_s = time.monotonic()
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
            if player.is_running:
                ran_s = time.monotonic()
                if ran_s - quiet_since_s > STALL_S:
                    raise CommandError(
                        f"no image was answered for {STALL_S / 60:.0f} min: see da3_node.log and image_source_node.log"
                    )
                continue
            quiet_s = time.monotonic() - max(quiet_since_s, ran_s)
            all_done = status is not None and done >= max(plan.frames, status.frames_in)
            at_rest = status is not None and not status.frames_in_flight and quiet_s > REST_S
            if all_done or at_rest or quiet_s > SETTLE_S:
                return
