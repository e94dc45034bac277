# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""All that a training is at one step: weights, their running average, and the optimiser's moments; on disk and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

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
MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # what AdamW knows of a parameter; its own steps among them


@dataclass(slots=True)
class TrainingState:
    """What changes while a network is trained.

    Attributes:
        module: the network with its probe; float32 weights.
        optimiser: AdamW over its parameters.
        average: running average of every parameter, by name.
        step: how many have been made.
    """

    module: Trained
    optimiser: torch.optim.AdamW
    average: dict[str, Tensor]
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
        return TrainingState(module, optimiser, {name: p.detach().clone() for name, p in module.named_parameters()})

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
        tensors |= {f"average.{name}": value for name, value in self.average.items()}
        for name, parameter in self.module.named_parameters():
            moments = self.optimiser.state.get(parameter, {})
            tensors |= {f"{kind}.{name}": moments[kind] for kind in MOMENTS if kind in moments}
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        contiguous = {name: value.contiguous() for name, value in tensors.items()}
        save_file(contiguous, temporary, {"training": json.dumps({"step": self.step})})
        temporary.replace(path)

    @torch.no_grad()
    def load(self, path: Path) -> None:
        """Go on from a file that `save` wrote.

        Raises:
            ValueError: when it is no such file, or of another network.
        """
        try:
            with safe_open(path, framework="pt") as file:
                step = int(json.loads((file.metadata() or {})["training"])["step"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise ValueError(f"{path} is no state of a training ({error}): delete it to begin anew") from error
        wanted = dict(self.module.named_parameters())
        for name, parameter in wanted.items():
            found = tensors.get(f"weight.{name}")
            if found is None or found.shape != parameter.shape:
                raise ValueError(f"{path} is of another network: {name} is not {tuple(parameter.shape)} there")
            parameter.copy_(found)
            self.average[name].copy_(tensors[f"average.{name}"])
            if f"{MOMENTS[0]}.{name}" in tensors:
                moments = {kind: tensors[f"{kind}.{name}"].to(parameter.device) for kind in MOMENTS}
                self.optimiser.state[parameter] = moments
        self.step = step
