# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Positions are resampled once for each grid, and anew whenever the weights are others."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from da3_ros.model.patch_embed import PatchEmbed

GRID = (2, 3)


@pytest.fixture
def embed() -> PatchEmbed:
    torch.manual_seed(0)
    return PatchEmbed(8).eval()


@contextmanager
def resamplings(embed: PatchEmbed, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """The grids that are resampled meanwhile."""
    seen: list[tuple[int, int]] = []
    resample = embed._resample

    def watch(h: int, w: int) -> Tensor:
        seen.append((h, w))
        return resample(h, w)

    with monkeypatch.context() as patch:
        patch.setattr(embed, "_resample", watch)
        yield seen


def test_grid_is_resampled_once_and_few_are_kept(embed: PatchEmbed, monkeypatch: pytest.MonkeyPatch) -> None:
    with resamplings(embed, monkeypatch) as seen, torch.inference_mode():
        first, again = embed.positions_for(*GRID), embed.positions_for(*GRID)
        for side in range(4, 10):
            embed.positions_for(side, side)
        embed.positions_for(*GRID)

    assert torch.equal(first, again)
    assert seen.count(GRID) == 2
    assert len(embed._resampled) == 4


def test_other_weights_are_resampled_anew(embed: PatchEmbed) -> None:
    with torch.no_grad():
        before = embed.positions_for(*GRID).clone()
        copied = copy.deepcopy(embed)
        for changed in (embed, copied):
            changed.positions.mul_(2)
            torch.testing.assert_close(changed.positions_for(*GRID), 2 * before)
        embed.load_state_dict({name: torch.zeros_like(value) for name, value in embed.state_dict().items()})
        assert not embed.positions_for(*GRID).any()


def test_gradients_flow_to_the_positions_after_a_prediction(embed: PatchEmbed) -> None:
    with torch.inference_mode():
        predicted = embed.positions_for(*GRID)

    positions = embed.positions_for(*GRID)
    positions.sum().backward()

    assert torch.equal(positions, predicted)
    assert embed.positions.grad is not None
    assert embed.positions.grad.any()


def test_what_is_remembered_is_no_part_of_the_weights(embed: PatchEmbed) -> None:
    names = set(embed.state_dict())
    with torch.inference_mode():
        embed.positions_for(*GRID)

    assert set(embed.state_dict()) == names
