# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The head for Gaussians at full width against the published package; what follows it has recorded answers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from da3_ros.model.config import PATCH_SIZE, architecture
from da3_ros.model.gaussians import CHANNELS, GaussianHead
from da3_ros.model.upstream_keys import OPTIONAL_HEAD, PREFIX, our_name
from da3_ros.model.weights import fill_with_noise
from test.closeness import assert_close

GRID = (3, 5)
VIEWS = 2


def _copy(theirs: nn.Module, ours: nn.Module) -> None:
    renamed = {our_name(f"{PREFIX}gs_head.{name}"): value for name, value in theirs.state_dict().items()}
    ours.load_state_dict({str(name).removeprefix(OPTIONAL_HEAD): value for name, value in renamed.items()})


def test_gaussian_head_agrees_with_the_published_one() -> None:
    gsdpt = pytest.importorskip("depth_anything_3.model.gsdpt", reason="NOT RUN: depth-anything-3 is not installed")
    config = architecture("da3-giant")
    theirs = gsdpt.GSDPT(2 * config.dim, output_dim=CHANNELS, out_channels=config.head_channels).eval()
    fill_with_noise(theirs, seed=0)
    ours = GaussianHead(config).eval()
    _copy(theirs, ours)
    generator = torch.Generator().manual_seed(1)
    H, W = (PATCH_SIZE * side for side in GRID)
    taps = [torch.randn(1, VIEWS, GRID[0] * GRID[1], 2 * config.dim, generator=generator) for _ in range(4)]
    images = torch.randn(1, VIEWS, 3, H, W, generator=generator)

    with torch.inference_mode():
        expected = theirs([[tap] for tap in taps], H, W, patch_start_idx=0, images=images)
        raw = ours([ours.project(stage, tap, (H, W)) for stage, tap in enumerate(taps)], images)

    assert_close(raw[..., :-1], expected["raw_gs"])
    assert_close(raw[..., -1].sigmoid(), expected["raw_gs_conf"])
