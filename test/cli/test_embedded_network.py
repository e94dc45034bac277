# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The weights that come with the package: strict, small, and worth more than answers that need no network."""

from __future__ import annotations

import pytest
import torch
from safetensors import safe_open

from da3_ros.cli.training_validation import Validation
from da3_ros.model.build import build_network
from da3_ros.model.checkpoint import load_weights
from da3_ros.model.config import usual_resolution
from da3_ros.model.network import Da3Network
from da3_ros.model.weights import EMBEDDED, EMBEDDED_FOLDER

ROOMS = 12


@pytest.fixture(scope="module")
def network() -> Da3Network:
    network = build_network("da3-nano")
    assert isinstance(network, Da3Network)
    load_weights(network, EMBEDDED_FOLDER / EMBEDDED["da3-nano"])
    return network.eval()


def test_file_holds_half_precision_and_nothing_that_is_not_finite(network: Da3Network) -> None:
    with safe_open(EMBEDDED_FOLDER / EMBEDDED["da3-nano"], "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    assert sum(tensor.numel() for tensor in tensors.values()) >= sum(p.numel() for p in network.parameters())
    assert all(tensor.dtype == torch.float16 for tensor in tensors.values() if tensor.is_floating_point())
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())


def test_rooms_it_has_never_seen_have_depth_and_motion(network: Da3Network) -> None:
    figures = Validation(ROOMS).figures(network, resolution=usual_resolution("da3-nano"))

    # Constant depth errs by a third with one pixel of two within 1.25; no motion by twenty degrees.
    assert figures["AbsRel"] < 0.165
    assert figures["delta1"] > 0.83
    assert figures["rotation, deg"] < 9.0
    assert figures["direction, deg"] < 29.0
