# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The training itself: draw windows, go forward and back, average gradients over processes, step.

One process or many, on CPU or GPU: a process takes its share of a step's windows, and gradients are averaged.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from da3_ros.model.build import build_network
from da3_ros.model.checkpoint import load_weights
from da3_ros.model.monocular import MonocularNetwork
from da3_ros.model.nested import NestedNetwork
from da3_ros.training.config import TrainingConfig
from da3_ros.training.initial import initialise_for_training
from da3_ros.training.network import TrainedNetwork
from da3_ros.training.shards import ShardReader
from da3_ros.training.state import Trained, TrainingState
from da3_ros.training.targets import Windows
from da3_ros.training.teacher import TrainedTeacher
from da3_ros.training.variants import variant
from da3_ros.training.windows import draw_windows, plan_step

Label = Callable[[Windows, int, Sequence[int]], Windows]

STATE_NAME, LOG_NAME = "state.safetensors", "log.jsonl"


@dataclass(frozen=True, slots=True)
class Share:
    """Which process this is, and of how many."""

    rank: int = 0
    processes: int = 1

    def of(self, windows: int) -> range:
        """Numbers of this process's windows.

        Raises:
            ValueError: when there are fewer windows than processes.
        """
        if windows < self.processes:
            raise ValueError(f"a step of {windows} windows cannot be shared by {self.processes} processes: use fewer")
        return range(self.rank, windows, self.processes)

    def weight(self, windows: int) -> float:
        """What this process's mean counts, so that the mean over processes is that over all windows of a step."""
        return len(self.of(windows)) * self.processes / windows

    @staticmethod
    def of_this_process() -> Share:
        """As torch.distributed says, when it was initialised."""
        return Share(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else Share()


@dataclass(frozen=True, slots=True)
class StepReport:
    """What became of one step.

    Attributes:
        step: its number, from 1 on.
        rate: learning rate.
        views: in all windows together.
        seconds: it took.
        gradient: norm before it was clipped.
        terms: of the loss, by name, of this process's windows.
    """

    step: int
    rate: float
    views: int
    seconds: float
    gradient: float
    terms: dict[str, float]


def begin(config: TrainingConfig, device: torch.device) -> TrainingState:
    """A state with first weights, of an any-view network or of a teacher, whichever the model is.

    Raises:
        ValueError: when the model cannot be trained this way, or the weights to begin with do not fit it.
    """
    module = network_of(config)
    if config.begin_with:
        load_weights(module.network, config.begin_with)
    else:
        initialise_for_training(module.network, config.seed)
    return TrainingState.begin(module.to(device).train(), config)


def network_of(config: TrainingConfig) -> Trained:
    """What a config trains, without values.

    Raises:
        ValueError: when the model cannot be trained this way.
    """
    try:
        network = build_network(config.model, **config.overrides)
    except TypeError as error:
        raise ValueError(f"overrides of {config.model}: {error}") from error
    if isinstance(network, NestedNetwork):
        raise ValueError(f"{config.model} is two networks in one: train its parts")
    if isinstance(network, MonocularNetwork):
        if config.variant:
            raise ValueError(f"{config.model} has no variants: they are of networks that look across views")
        if config.begin_share:
            raise ValueError(f"{config.model} is not exported: begin_share is of networks that look across views")
        return TrainedTeacher(network)
    if config.variant:
        variant(config.variant)(network)
    return TrainedNetwork(network, config.matched_blocks)


def train(
    state: TrainingState,
    config: TrainingConfig,
    rooms: ShardReader,
    device: torch.device,
    *,
    label: Label = lambda windows, step, numbers: windows,
    until: int | None = None,
) -> Iterator[StepReport]:
    """Make the steps that are left, one report for each; the state may be saved between them.

    Args:
        state: is changed.
        config: what to do.
        rooms: to learn from.
        device: where the module is.
        label: what is known of windows, step, numbers of the windows in it -> what to learn from.
        until: stop after this step; None goes to the end of the last stage.

    Raises:
        FloatingPointError: when the loss is not finite.
    """
    share = Share.of_this_process()
    last = config.steps if until is None else min(until, config.steps)
    while state.step < last:
        began = time.perf_counter()
        stage, at = config.stage_at(state.step)
        plan = plan_step(config, stage, state.step)
        numbers = share.of(plan.windows)
        drawn = label(draw_windows(rooms, config, stage, state.step, numbers), state.step, numbers)
        terms = state.module.terms(drawn.to(device), plan.knows_cameras, stage.fine, stage.weights)
        (terms["total"] * share.weight(plan.windows)).backward()
        if share.processes > 1:
            average_gradients(state.module)
        norm = nn.utils.clip_grad_norm_(state.module.parameters(), config.clip)
        if not torch.isfinite(norm):
            raise FloatingPointError(f"step {state.step + 1}: the gradient is not finite; the loss: {_plain(terms)}")
        rate = stage.rate_at(at)
        state.advance(rate, stage.averaging)
        seconds = time.perf_counter() - began
        yield StepReport(state.step, rate, plan.windows * plan.views, seconds, float(norm), _plain(terms))


def _plain(terms: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: float(term.detach()) for name, term in terms.items()}


def average_gradients(module: nn.Module) -> None:
    """Mean over all processes, in one message; what had no part in the step of any of them stays without a gradient.

    The optimiser leaves alone what has none, and would go on moving what has one of zeros.
    """
    parameters = list(module.parameters())
    gradients: list[Tensor] = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    parts = gradients[0].new_tensor([p.grad is not None for p in parameters])
    flat = torch.cat([*(gradient.flatten() for gradient in gradients), parts])
    dist.all_reduce(flat)
    *sums, parts = flat.split([*(p.numel() for p in parameters), len(parameters)])
    for parameter, added, part in zip(parameters, sums, parts.tolist(), strict=True):
        parameter.grad = (added / dist.get_world_size()).view_as(parameter) if part else None


def agreed(wish: bool, device: torch.device) -> bool:
    """Whether any process wishes it; processes talk through a device of theirs."""
    if not dist.is_initialized():
        return wish
    flag = torch.tensor(float(wish), device=device)
    dist.all_reduce(flag)
    return bool(flag > 0)


class Log:
    """One line of JSON for every some steps: means of what the steps reported.

    Args:
        path: of the file; what it says of later steps than `step` is dropped, as they are made again.
        step: from which the training goes on.
        every: steps in one line.
    """

    def __init__(self, path: Path, step: int, every: int = 20) -> None:
        self._path, self._every = path, every
        self._reports: list[StepReport] = []
        if path.exists():
            kept = [line for line in path.read_text().splitlines() if _step_of(line) <= step]
            path.write_text("".join(f"{line}\n" for line in kept))

    def add(self, report: StepReport) -> None:
        """Note a step."""
        self._reports.append(report)
        if len(self._reports) >= self._every:
            self.flush()

    def add_validation(self, step: int, figures: dict[str, float]) -> None:
        """Note a validation."""
        self._append({"step": step, "validation": figures})

    def flush(self) -> None:
        """Write what is left, however few steps it is of."""
        if not self._reports:
            return
        last, count = self._reports[-1], len(self._reports)
        names = {name for report in self._reports for name in report.terms}
        terms = {name: [r.terms[name] for r in self._reports if name in r.terms] for name in sorted(names)}
        seconds = sum(report.seconds for report in self._reports)
        content = {
            "step": last.step,
            "rate": last.rate,
            "views_per_s": sum(report.views for report in self._reports) / seconds,
            "gradient": sum(report.gradient for report in self._reports) / count,
            "terms": {name: sum(values) / len(values) for name, values in terms.items()},
        }
        self._reports = []
        self._append(content)

    def _append(self, content: dict[str, object]) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(content) + "\n")


def _step_of(line: str) -> float:
    """Step of a line; infinite where it was cut off."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
