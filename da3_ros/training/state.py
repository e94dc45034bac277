# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""All that a training is at one step: weights, their running average, and the optimiser's moments; on disk and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from da3_ros.training.config import TrainingConfig
from da3_ros.training.network import TrainedNetwork
from da3_ros.training.teacher import TrainedTeacher

Trained: TypeAlias = TrainedNetwork | TrainedTeacher

HEADS = ("network.head.", "network.camera_decoder.")  # they read what the backbone says
EARLY = 20  # steps after which the average begins to look back as far as it is meant to
AVERAGE = "average."
KIND = ("model", "overrides", "variant", "seed")  # fields of a config that do not change on the way
MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # what AdamW knows of a parameter; its own steps among them


@dataclass(slots=True)
class TrainingState:
    """What changes while a network is trained.

    Attributes:
        module: the network with its probe; float32 weights.
        optimiser: AdamW over its parameters.
        average: running average of every parameter, by name.
        kind: what is trained, by the names of the config; a state of another kind is not to be gone on from.
        step: how many have been made.
    """

    module: Trained
    optimiser: torch.optim.AdamW
    average: dict[str, Tensor]
    kind: dict[str, Any]
    step: int = 0

    @staticmethod
    def begin(module: Trained, config: TrainingConfig) -> TrainingState:
        """The state before the first step."""
        groups: dict[tuple[float, float], list[Tensor]] = {}
        for name, parameter in module.named_parameters():
            share = config.head_rate if name.startswith(HEADS) else 1.0
            decay = config.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((share, decay), []).append(parameter)
        optimiser = torch.optim.AdamW(
            [{"params": of, "share": share, "weight_decay": decay} for (share, decay), of in groups.items()],
            lr=0.0,
            betas=(0.9, 0.95),
            fused=True,
        )
        average = {name: p.detach().clone() for name, p in module.named_parameters()}
        return TrainingState(module, optimiser, average, _plain({name: getattr(config, name) for name in KIND}))

    @torch.no_grad()
    def advance(self, rate: float, averaging: float) -> None:
        """One step of the optimiser along the gradients that are there."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.step += 1
        keep = min(averaging, (self.step + 1) / (self.step + EARLY))
        current = [parameter.detach() for parameter in self.module.parameters()]
        torch._foreach_lerp_(list(self.average.values()), current, 1 - keep)

    def averaged(self) -> dict[str, Tensor]:
        """State dict of the module with averaged weights."""
        return {**self.module.state_dict(), **self.average}

    def save(self, path: Path) -> None:
        """Write all of it under a temporary name, then under its own."""
        tensors = {f"weight.{name}": p.detach() for name, p in self.module.named_parameters()}
        tensors |= {f"{AVERAGE}{name}": value for name, value in self.average.items()}
        for name, parameter in self.module.named_parameters():
            moments = self.optimiser.state.get(parameter, {})
            tensors |= {f"{kind}.{name}": moments[kind] for kind in MOMENTS if kind in moments}
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        contiguous = {name: value.contiguous() for name, value in tensors.items()}
        save_file(contiguous, temporary, {"training": json.dumps({"step": self.step, **self.kind})})
        temporary.replace(path)

    @torch.no_grad()
    def load(self, path: Path) -> None:
        """Go on from a file that `save` wrote.

        Raises:
            ValueError: when it is no such file, or of another training.
        """
        step, tensors = _read(path, self.kind)
        wanted = dict(self.module.named_parameters())
        for name, parameter in wanted.items():
            found = tensors.get(f"weight.{name}")
            if found is None or found.shape != parameter.shape:
                raise ValueError(f"{path} is of another network: {name} is not {tuple(parameter.shape)} there")
            parameter.copy_(found)
            self.average[name].copy_(tensors[f"{AVERAGE}{name}"])
            if f"{MOMENTS[0]}.{name}" in tensors:
                moments = {kind: tensors[f"{kind}.{name}"].to(parameter.device) for kind in MOMENTS}
                self.optimiser.state[parameter] = moments
        self.step = step


def averaged_weights(path: Path, kind: Mapping[str, Any]) -> dict[str, Tensor]:
    """The running average in a file that `TrainingState.save` wrote.

    Args:
        path: of the file.
        kind: what must have been trained: some of the names of KIND, with their values.

    Raises:
        ValueError: when it is no such file, or of another training.
    """
    _, tensors = _read(path, _plain(kind))
    return {name.removeprefix(AVERAGE): value for name, value in tensors.items() if name.startswith(AVERAGE)}


def _read(path: Path, kind: Mapping[str, Any]) -> tuple[int, dict[str, Tensor]]:
    """Step and tensors of a file."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["training"])
            step = int(about["step"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is no state of a training ({error})") from error
    for name, value in kind.items():
        if about.get(name) != value:
            raise ValueError(f"{path} is of a training whose {name} is {about.get(name)!r}, not {value!r}")
    return step, tensors


def _plain(kind: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON gives it back, without tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(kind), default=dict))
    return plain
