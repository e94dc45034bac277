# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Train a network on rendered rooms, as a config file says.

Everything lies in one folder: the rooms (rendered when they are missing), the state of the training, a log, curves as a
picture, and the averaged weights as a checkpoint. The same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import os
import socket
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from da3_ros.cli.main import CommandError
from da3_ros.cli.numbers import positive_int

if TYPE_CHECKING:
    import torch

    from da3_ros.training.config import TrainingConfig
    from da3_ros.training.labels import Labeller
    from da3_ros.training.loop import StepReport
    from da3_ros.training.state import TrainingState

ROOM_SIZE = (126, 168)
PATIENCE = timedelta(days=7)  # of one process with another: a laptop that sleeps must not end a training
LOGGED_EVERY = 20
TEACHER = "da3mono-large"
WEIGHTS_NAME, CURVES_NAME = "model.safetensors", "curves.png"


@dataclass(frozen=True, slots=True)
class Job:
    """One training as every process of it is told.

    Attributes:
        config: what to do.
        rooms: folder of shards.
        out: folder of everything else.
        deadline: seconds since the epoch at which to stop; infinite for never.
        device: torch's name of it.
        threads: of one process.
        port: at which processes meet.
        processes: how many.
    """

    config: TrainingConfig
    rooms: Path
    out: Path
    deadline: float
    device: str
    threads: int
    port: int
    processes: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `da3_ros train`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("config", type=Path, help="YAML file; config/training/ has some")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where everything goes")
    parser.add_argument("--rooms", type=Path, metavar="DIR", help="rendered rooms (default: OUT/rooms)")
    parser.add_argument("--room-count", type=positive_int, metavar="N", help="random rooms, instead of the config's")
    parser.add_argument("--render-only", action="store_true", help="stop when the rooms are there")
    parser.add_argument("--no-render", action="store_true", help="take the rooms that are there")
    parser.add_argument("--minutes", type=float, metavar="M", help="stop after so long; the next call goes on")
    parser.add_argument("--processes", type=positive_int, default=1, metavar="N", help="that share each step's windows")
    parser.add_argument("--threads", type=positive_int, default=1, metavar="N", help="of each process (default: 1)")
    parser.add_argument("--device", default="cpu", help="where to train, say cuda (default: cpu)")


def run(arguments: argparse.Namespace) -> int:
    """Render, train, export."""
    config, counts = _read(arguments.config)
    rooms = arguments.rooms or arguments.out / "rooms"
    arguments.out.mkdir(parents=True, exist_ok=True)
    if not arguments.no_render:
        counts = replace(counts, random=arguments.room_count or counts.random)
        _render(rooms, counts, arguments.processes)
    if arguments.render_only:
        return 0
    deadline = time.time() + 60 * arguments.minutes if arguments.minutes else float("inf")
    job = Job(
        config, rooms, arguments.out, deadline, arguments.device, arguments.threads, _free_port(), arguments.processes
    )
    if job.processes == 1:
        _train(0, job)
        return 0
    os.environ.setdefault("OMP_NUM_THREADS", str(job.threads))
    import torch.multiprocessing as processes

    try:
        processes.spawn(_train, (job,), nprocs=job.processes)
    except processes.ProcessRaisedException as error:
        *_, said = str(error).strip().splitlines()  # a traceback; its last line is the exception's name and text
        raise CommandError(said.partition(": ")[2] or said) from error
    return 0


@dataclass(frozen=True, slots=True)
class RoomCounts:
    """How many random rooms a training wants, and how many sequences of the demo's room."""

    random: int
    demo: int = 0


def _read(path: Path) -> tuple[TrainingConfig, RoomCounts]:
    """The training, and the rooms it wants."""
    from da3_ros.training.config import config_from

    try:
        content = yaml.safe_load(path.read_text())
        if not isinstance(content, dict):
            raise ValueError("a mapping is needed")
        counted = {key: content.pop(key, 0) for key in ("rooms", "demo_rooms")}
        config = config_from(content)
        if not counted["rooms"]:
            raise ValueError("rooms: say how many random rooms to train on")
        return config, RoomCounts(int(counted["rooms"]), int(counted["demo_rooms"]))
    except (yaml.YAMLError, ValueError, TypeError, KeyError) as error:
        raise CommandError(f"{path}: {error}") from error


def _render(folder: Path, counts: RoomCounts, workers: int) -> None:
    from da3_ros.simulation.demo_views import DEMO_SEEDS
    from da3_ros.simulation.room_views import TRAINING_SEEDS
    from da3_ros.training.shards import render_shards

    with _progress() as progress:
        for what, seeds in (
            ("random rooms", TRAINING_SEEDS[: counts.random]),
            ("the demo's room", DEMO_SEEDS[: counts.demo]),
        ):
            bar = progress.add_task(f"rendering {what}, shards", total=None, visible=bool(seeds))

            def show(done: int, total: int, bar: TaskID = bar) -> None:
                progress.update(bar, completed=done, total=total)

            try:
                if seeds:
                    render_shards(folder, seeds, workers=workers, size=ROOM_SIZE, progress=show)
            except ValueError as error:
                raise CommandError(str(error)) from error


def _train(rank: int, job: Job) -> None:
    """One process of the training."""
    import torch
    import torch.distributed as dist

    torch.set_num_threads(job.threads)
    if job.processes > 1:
        backend = "nccl" if job.device.startswith("cuda") else "gloo"
        address = f"tcp://127.0.0.1:{job.port}"
        dist.init_process_group(
            backend, init_method=address, rank=rank, world_size=job.processes, timeout=PATIENCE
        )  # fmt: skip
    try:
        _run_steps(job, is_first=rank == 0)
    except (ValueError, FloatingPointError) as error:
        raise CommandError(str(error)) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _run_steps(job: Job, is_first: bool) -> None:
    import torch

    from da3_ros.training.loop import LOG_NAME, STATE_NAME, Log, agreed, begin, train
    from da3_ros.training.shards import ShardReader

    device, state_file = torch.device(job.device), job.out / STATE_NAME
    state, rooms = begin(job.config, device), ShardReader(job.rooms)
    if state_file.exists():
        state.load(state_file)
    label = _labeller(job, device)
    log, examined = Log(job.out / LOG_NAME, LOGGED_EVERY), _Examined(job)
    with _progress(disable=not is_first) as progress:
        bar = progress.add_task("training", total=job.config.steps, completed=state.step)
        for report in train(state, job.config, rooms, device, label=label):
            if is_first:
                progress.update(bar, completed=report.step, description=_in_words(report))
                log.add(report)
                if report.step % job.config.save_every == 0:
                    state.save(state_file)
                if job.config.validate_every and report.step % job.config.validate_every == 0:
                    log.add_validation(report.step, examined.look(state))
            if agreed(time.time() > job.deadline):
                break
    if is_first:
        state.save(state_file)
        examined.export(state)


def _labeller(job: Job, device: torch.device) -> Labeller:
    """What the config makes of truth."""
    from da3_ros.training.labels import Labeller
    from da3_ros.training.loop import begin
    from da3_ros.training.teacher import TrainedTeacher

    config = job.config
    if not config.teacher:
        return Labeller(config, None)
    teacher = begin(replace(config, model=TEACHER, overrides=config.teacher_overrides), device)
    teacher.load(Path(config.teacher))
    teacher.module.load_state_dict(teacher.averaged())
    assert isinstance(teacher.module, TrainedTeacher)
    return Labeller(config, teacher.module.eval())


class _Examined:
    """The averaged weights as what can be looked at: a checkpoint, its figures, and curves."""

    def __init__(self, job: Job) -> None:
        from da3_ros.cli.training_validation import Validation

        self._job, self._validation = job, Validation(job.config.validation_rooms)

    def export(self, state: TrainingState) -> None:
        """Draw the curves so far, and write the checkpoint of an any-view network; a variant has none."""
        from da3_ros.cli.training_picture import draw_curves
        from da3_ros.training.export import export_weights
        from da3_ros.training.loop import LOG_NAME
        from da3_ros.training.teacher import TrainedTeacher

        config, out = self._job.config, self._job.out
        if not (isinstance(state.module, TrainedTeacher) or config.variant):
            export_weights(config, state.averaged(), out / WEIGHTS_NAME, state.step)
        draw_curves(out / CURVES_NAME, out / LOG_NAME)

    def look(self, state: TrainingState) -> dict[str, float]:
        """Export, and figures of the averaged weights; none of a teacher, whose depth has no scale."""
        from da3_ros.training.export import averaged_network
        from da3_ros.training.teacher import TrainedTeacher

        self.export(state)
        if isinstance(state.module, TrainedTeacher):
            return {}
        config = self._job.config
        stage, _ = config.stage_at(state.step - 1)
        return self._validation.figures(averaged_network(config, state.averaged()), max(stage.sizes[0]))


def _in_words(report: StepReport) -> str:
    return f"training, loss {report.terms['total']:.3f}, {report.views / report.seconds:.0f} views/s"


def _progress(disable: bool = False) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, disable=disable)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
