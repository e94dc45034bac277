# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Train a network on rendered rooms, as a config file says.

Everything lies in one folder: the rooms (rendered when they are missing), the state of the training, a log, curves as a
picture, and the averaged weights as a checkpoint. The same command goes on where it was stopped; Ctrl-C stops it after
the step that it is at.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from rich.progress import TaskID

from da3_ros.cli.main import CommandError
from da3_ros.cli.numbers import positive_float, positive_int

if TYPE_CHECKING:
    from da3_ros.cli.training_process import Job
    from da3_ros.training.config import TrainingConfig

ROOM_SIZE = (126, 168)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `da3_ros train`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("config", type=Path, help="YAML file; config/training/ has some")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where everything goes")
    parser.add_argument("--rooms", type=Path, metavar="DIR", help="rendered rooms (default: OUT/rooms)")
    parser.add_argument("--room-count", type=positive_int, metavar="N", help="random rooms, instead of the config's")
    parser.add_argument("--render-only", action="store_true", help="stop when the rooms are there")
    parser.add_argument("--no-render", action="store_true", help="take the rooms that are there")
    parser.add_argument("--minutes", type=positive_float, metavar="M", help="stop after so long; the next call goes on")
    parser.add_argument("--processes", type=positive_int, default=1, metavar="N", help="that share each step's windows")
    parser.add_argument("--threads", type=positive_int, default=1, metavar="N", help="of each process (default: 1)")
    parser.add_argument("--device", default="cpu", help="where to train, say cuda (default: cpu)")


def run(arguments: argparse.Namespace) -> int:
    """Render, train, export."""
    config = _read(arguments.config)
    config = replace(config, rooms=arguments.room_count or config.rooms)
    try:
        _check(config, arguments.device, arguments.processes)  # before minutes of rendering
    except ValueError as error:
        raise CommandError(f"{arguments.config}: {error}") from error
    rooms = arguments.rooms or arguments.out / "rooms"
    arguments.out.mkdir(parents=True, exist_ok=True)
    if not arguments.no_render:
        _render(rooms, config, arguments.processes)
    if arguments.render_only:
        return 0
    from da3_ros.cli.training_process import Job, run_process

    deadline = time.time() + 60 * arguments.minutes if arguments.minutes else float("inf")
    job = Job(
        config, rooms, arguments.out, deadline, arguments.device, arguments.threads, _free_port(), arguments.processes
    )
    if job.processes == 1:
        run_process(0, job)
    else:
        _spawn(job)
    return 0


def _spawn(job: Job) -> None:
    """Train in processes of their own."""
    import torch.multiprocessing as processes

    from da3_ros.cli.training_process import run_process

    os.environ.setdefault("OMP_NUM_THREADS", str(job.threads))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # they stop by themselves, after their step
    try:
        processes.spawn(run_process, (job,), nprocs=job.processes)
    except processes.ProcessRaisedException as error:
        *_, said = str(error).strip().splitlines()  # a traceback; its last line is the exception's name and text
        raise CommandError(said.partition(": ")[2] or said) from error
    except processes.ProcessExitedException as error:
        raise CommandError(f"{error}: the same command goes on from the last saved step") from error
    finally:
        signal.signal(signal.SIGINT, before)


def _read(path: Path) -> TrainingConfig:
    from da3_ros.training.config import config_from

    try:
        content = yaml.safe_load(path.read_text())
        if not isinstance(content, dict):
            raise ValueError("a mapping is needed")
        config = config_from(content)
        if not config.rooms:
            raise ValueError("rooms: say how many random rooms to train on")
    except (yaml.YAMLError, ValueError, TypeError, KeyError) as error:
        raise CommandError(f"{path}: {error}") from error
    return config


def _check(config: TrainingConfig, device: str, processes: int) -> None:
    """Refuse at once what would fail minutes or hours later.

    Raises:
        ValueError: in one sentence.
    """
    import torch

    from da3_ros.inference.device import resolve_device
    from da3_ros.model.checkpoint import load_weights
    from da3_ros.simulation.room_views import VALIDATION_SEEDS
    from da3_ros.training.loop import Share, network_of

    target = resolve_device(device)
    if target.type == "cuda" and processes > torch.cuda.device_count():
        raise ValueError(f"{processes} processes want a CUDA device each, and there are {torch.cuda.device_count()}")
    for stage in config.stages:
        Share(0, processes).of(stage.fewest_windows)
    if config.validate_every and config.validation_rooms > len(VALIDATION_SEEDS):
        raise ValueError(f"validation_rooms: there are {len(VALIDATION_SEEDS)}")
    if config.teacher and not Path(config.teacher).is_file():
        raise ValueError(f"teacher: {config.teacher} is not there: train it first, or correct the path")
    with torch.device("meta"):
        module = network_of(config)
    if config.begin_with:
        load_weights(module.network, config.begin_with)  # names and shapes only


def _render(folder: Path, config: TrainingConfig, workers: int) -> None:
    from da3_ros.cli.training_process import progress_bars
    from da3_ros.training.shards import render_shards

    of_demo = len(config.seeds) - config.demo_rooms
    with progress_bars() as progress:
        for what, seeds in (
            ("random rooms", config.seeds[:of_demo]),
            ("the demo's room", config.seeds[of_demo:]),
        ):
            if not seeds:
                continue
            bar = progress.add_task(f"rendering {what}, shards", total=None)

            def show(done: int, total: int, bar: TaskID = bar) -> None:
                progress.update(bar, completed=done, total=total)

            try:
                render_shards(folder, seeds, workers=workers, size=ROOM_SIZE, progress=show)
            except ValueError as error:
                raise CommandError(str(error)) from error


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
