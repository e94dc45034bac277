# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Inputs on which ours and theirs are compared, and the comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from da3_ros.model.build import Network
from da3_ros.model.camera_token import normalise_cameras
from da3_ros.model.monocular import MonocularNetwork
from da3_ros.model.nested import NestedNetwork, NestedOutput
from da3_ros.model.network import NetworkOutput
from test.closeness import max_relative_error

_ANY_VIEW_OUTPUTS = ("depth", "confidence", "camera_from_world", "intrinsics", "ray", "ray_confidence")


@dataclass(frozen=True, slots=True)
class Case:
    """One call of a network."""

    views: int
    size: tuple[int, int] = (42, 70)
    batch: int = 1
    posed: bool = False
    strategy: str = "saddle_balanced"

    def __str__(self) -> str:
        H, W = self.size
        return f"V{self.views}-{H}x{W}-B{self.batch}{'-posed' if self.posed else ''}-{self.strategy}"


def images(case: Case) -> Tensor:
    """(B, V, 3, H, W) noise; every view has its own brightness and contrast, so that views differ as a whole."""
    generator = torch.Generator().manual_seed(case.views)
    shape = (case.batch, case.views, 3)
    noise = torch.randn(*shape, *case.size, generator=generator)
    contrast, brightness = torch.rand(*shape, 1, 1, generator=generator), torch.randn(*shape, 1, 1, generator=generator)
    return (0.5 + contrast) * noise + brightness


def cameras(case: Case) -> dict[str, Tensor]:
    """Known cameras in the network's gauge, any rotation among them; empty unless the case is posed."""
    if not case.posed:
        return {}
    generator = torch.Generator().manual_seed(100 + case.views)
    rotation, _ = torch.linalg.qr(torch.randn(case.batch, case.views, 3, 3, generator=generator))
    rotation = rotation * torch.linalg.det(rotation)[..., None, None]  # det +1
    camera_from_world = torch.eye(4).repeat(case.batch, case.views, 1, 1)
    camera_from_world[..., :3, :3] = rotation
    camera_from_world[..., :3, 3] = torch.randn(case.batch, case.views, 3, generator=generator)
    H, W = case.size
    intrinsics = torch.tensor([[0.8 * W, 0.0, 0.45 * W], [0.0, 0.9 * W, 0.55 * H], [0.0, 0.0, 1.0]])
    return {
        "camera_from_world": normalise_cameras(camera_from_world),
        "intrinsics": intrinsics.repeat(case.batch, case.views, 1, 1),
    }


def run_ours(network: Network, case: Case) -> dict[str, Tensor]:
    """All outputs of our network, under the names and in the shapes that `reference.run` gives theirs."""
    arguments: dict[str, Any] = {**cameras(case), "want_rays": True, "reference_view": case.strategy}
    with torch.inference_mode():
        if isinstance(network, MonocularNetwork):
            alone = network(images(case))
            return {"depth": alone.depth, "sky": alone.sky}
        if isinstance(network, NestedNetwork):
            out, metric = network(images(case), **arguments), network.metric(images(case))
            extra = {"scale": out.scale, "metric depth": metric.depth, "metric sky": metric.sky}
            return {**_any_view_outputs(out), **extra}
        return _any_view_outputs(network(images(case), **arguments))


def _any_view_outputs(out: NetworkOutput | NestedOutput) -> dict[str, Tensor]:
    named = {name: getattr(out, name) for name in _ANY_VIEW_OUTPUTS}
    return {**named, "camera_from_world": out.camera_from_world[..., :3, :]}  # (B, V, 3, 4) like theirs


def errors(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> dict[str, float]:
    """Largest relative error of each output."""
    assert ours.keys() == theirs.keys(), f"{sorted(ours)} != {sorted(theirs)}"
    return {name: max_relative_error(ours[name], theirs[name]) for name in theirs}
