# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""One process of a training: steps, what is saved and drawn on the way, and how it ends."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FrameType

import torch
import torch.distributed as dist
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from da3_ros.cli.main import CommandError
from da3_ros.cli.training_picture import draw_curves
from da3_ros.cli.training_validation import Validation
from da3_ros.model.build import build_network
from da3_ros.model.monocular import MonocularNetwork
from da3_ros.training.config import TrainingConfig
from da3_ros.training.export import averaged_network, export_weights
from da3_ros.training.labels import Labeller
from da3_ros.training.loop import LOG_NAME, STATE_NAME, Label, Log, StepReport, agreed, begin, train
from da3_ros.training.shards import ShardReader
from da3_ros.training.state import TrainingState, averaged_weights
from da3_ros.training.teacher import TrainedTeacher

PATIENCE = timedelta(days=7)  # of one process with another: a laptop that sleeps must not end a training
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
        device: torch's name of it; of several processes on `cuda` each has one of its own.
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


def run_process(rank: int, job: Job) -> None:
    """Train as process number `rank` of a job.

    Raises:
        CommandError: in one sentence, when a file cannot be used or the loss is not finite.
    """
    torch.set_num_threads(job.threads)
    device = torch.device(job.device)
    if job.processes > 1:
        if device.type == "cuda":
            device = torch.device("cuda", rank)
            torch.cuda.set_device(device)
        backend = "nccl" if device.type == "cuda" else "gloo"
        address = f"tcp://127.0.0.1:{job.port}"
        dist.init_process_group(
            backend, init_method=address, rank=rank, world_size=job.processes, timeout=PATIENCE
        )  # fmt: skip
    try:
        with _asked_to_stop() as asked:
            _run_steps(job, device, asked, is_first=rank == 0)
    except (ValueError, FloatingPointError) as error:
        raise CommandError(str(error)) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


@contextmanager
def _asked_to_stop() -> Iterator[list[bool]]:
    """A list that is no longer empty once Ctrl-C was pressed; a second one ends at once."""
    asked: list[bool] = []

    def ask(number: int, frame: FrameType | None) -> None:
        del number, frame
        asked.append(True)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _run_steps(job: Job, device: torch.device, asked: list[bool], is_first: bool) -> None:
    config, state_file = job.config, job.out / STATE_NAME
    state, rooms = begin(config, device), ShardReader(job.rooms, config.seeds)
    if state_file.exists():
        state.load(state_file)
    label = _labels(config, device)
    kept = _Kept(job, state) if is_first else None
    with progress_bars(disable=not is_first) as progress:
        bar = progress.add_task("training", total=config.steps, completed=state.step)
        for report in train(state, config, rooms, device, label=label):
            progress.update(bar, completed=report.step, description=_in_words(report))
            if kept:
                kept.note(report)
            if agreed(bool(asked) or time.time() > job.deadline, device):
                break
    if kept:
        kept.save()


def _labels(config: TrainingConfig, device: torch.device) -> Label:
    """What the config makes of poor truth."""
    if not config.teacher:
        return lambda windows, step, numbers: windows
    network = build_network(TEACHER, **config.teacher_overrides)
    assert isinstance(network, MonocularNetwork)
    teacher = TrainedTeacher(network)
    weights = averaged_weights(Path(config.teacher), {"model": TEACHER, "overrides": config.teacher_overrides})
    teacher.load_state_dict({**teacher.state_dict(), **weights})
    return Labeller(config, teacher.to(device).eval())


class _Kept:
    """What a training leaves in its folder: state, log, checkpoint, curves."""

    def __init__(self, job: Job, state: TrainingState) -> None:
        self._config, self._out, self._state = job.config, job.out, state
        self._log = Log(job.out / LOG_NAME, state.step)
        self._validation = Validation(job.config.validation_rooms)

    def note(self, report: StepReport) -> None:
        """Log a step, and do what is to be done after it."""
        config = self._config
        self._log.add(report)
        if report.step % config.save_every == 0:
            self.save()
        if config.validate_every and report.step % config.validate_every == 0:
            self._validate()

    def save(self) -> None:
        """Write the state, the curves so far, and the checkpoint of an any-view network; a variant has none."""
        config, out, state = self._config, self._out, self._state
        self._log.flush()
        state.save(out / STATE_NAME)
        if not (isinstance(state.module, TrainedTeacher) or config.variant):
            export_weights(config, state.averaged(), out / WEIGHTS_NAME, state.step)
        draw_curves(out / CURVES_NAME, out / LOG_NAME)

    def _validate(self) -> None:
        """Figures of the averaged weights; none of a teacher, whose depth has no scale."""
        config, state = self._config, self._state
        if isinstance(state.module, TrainedTeacher):
            return
        self._log.flush()
        stage, _ = config.stage_at(state.step - 1)
        figures = self._validation.figures(averaged_network(config, state.averaged()), max(stage.sizes[0]))
        self._log.add_validation(state.step, figures)


def _in_words(report: StepReport) -> str:
    return f"training, loss {report.terms['total']:.3f}, {report.views / report.seconds:.0f} views/s"


def progress_bars(disable: bool = False) -> Progress:
    """Bars of training and rendering."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, disable=disable)
