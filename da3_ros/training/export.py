# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From the state of a training to a checkpoint that loads like an official one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from da3_ros.model.checkpoint import load_weights, save_weights
from da3_ros.model.network import Da3Network
from da3_ros.training.config import TrainingConfig
from da3_ros.training.loop import network_of

NETWORK = "network."  # under which a `TrainedNetwork` keeps it; the probe beside it is left out


def averaged_network(config: TrainingConfig, averaged: Mapping[str, Any]) -> Da3Network:
    """The network of a training, of its variant, with the averaged weights.

    With `begin_share` a it is a times the weights that the training began with and 1 - a times the averaged ones, often
    better than either (Wortsman et al. 2022, Robust fine-tuning of zero-shot models, equation 1).

    Args:
        config: of the training.
        averaged: as `TrainingState.averaged` returns it.
    """
    network = _without_values(config)
    network.load_state_dict(
        {name.removeprefix(NETWORK): value for name, value in averaged.items() if name.startswith(NETWORK)}
    )
    if config.begin_share:
        first = _without_values(config)
        load_weights(first, config.begin_with)
        with torch.no_grad():
            for value, begun in zip(network.parameters(), first.parameters(), strict=True):
                value.lerp_(begun, config.begin_share)
    return network.eval()


def _without_values(config: TrainingConfig) -> Da3Network:
    network = network_of(config).network
    assert isinstance(network, Da3Network)
    return network


def export_weights(config: TrainingConfig, averaged: Mapping[str, Any], path: Path, step: int) -> None:
    """Write the averaged weights of the network in float16; those of a variant would load into nothing.

    Args:
        config: of the training.
        averaged: as `TrainingState.averaged` returns it.
        path: of the safetensors file.
        step: at which they were taken.
    """
    about = {"model": config.model, "steps": str(step), "seed": str(config.seed)}
    save_weights(averaged_network(config, averaged), path, dtype=torch.float16, about=about)
