# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Inputs on which ours and theirs are compared, and the comparison."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from da3_ros.model.camera_token import normalise_cameras
from da3_ros.model.network import Da3Network
from test.closeness import max_relative_error
from test.parity.reference import OUTPUTS


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


def run_ours(network: Da3Network, case: Case) -> dict[str, Tensor]:
    """All six outputs of our network, cameras as (B, V, 3, 4) like theirs."""
    with torch.inference_mode():
        out = network(images(case), **cameras(case), want_rays=True, reference_view=case.strategy)
    ours = {name: getattr(out, name) for name in OUTPUTS}
    ours["camera_from_world"] = ours["camera_from_world"][..., :3, :]
    return ours


def errors(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> dict[str, float]:
    """Largest relative error of each output."""
    return {name: max_relative_error(ours[name], theirs[name]) for name in OUTPUTS}
