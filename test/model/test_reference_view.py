# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Choosing the reference view, and the order of views."""

from __future__ import annotations

import pytest
import torch

from da3_ros.model.reference_view import STRATEGIES, reference_first, select_reference


def _tokens(*, batch: int = 1, views: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, views, 32, generator=torch.Generator().manual_seed(seed))


def test_order_puts_the_reference_first_and_keeps_the_others_in_order() -> None:
    order = reference_first(torch.tensor([2, 0, 4]), 5)

    assert order.forward.tolist() == [[2, 0, 1, 3, 4], [0, 1, 2, 3, 4], [4, 0, 1, 2, 3]]


@pytest.mark.parametrize("views", [1, 2, 3, 7])
def test_undo_restores_the_order_for_every_reference(views: int) -> None:
    order = reference_first(torch.arange(views), views)
    x = torch.arange(views * views * 2).reshape(views, views, 2)

    assert torch.equal(order.undo(order.apply(x)), x)


def test_fixed_strategies_ignore_the_content() -> None:
    assert select_reference(_tokens(batch=2), "first").tolist() == [0, 0]
    assert select_reference(_tokens(batch=2, views=5), "middle").tolist() == [2, 2]
    assert select_reference(_tokens(views=4), "middle").tolist() == [2]


@pytest.mark.parametrize("strategy", ["saddle_balanced", "saddle_sim_range"])
def test_saddle_strategies_follow_the_views_when_they_are_permuted(strategy: str) -> None:
    tokens = _tokens(views=6, seed=3)
    permutation = torch.tensor([4, 2, 0, 5, 1, 3])

    chosen = select_reference(tokens, strategy)
    chosen_of_permuted = select_reference(tokens[:, permutation], strategy)

    assert permutation[chosen_of_permuted].tolist() == chosen.tolist()


def test_saddle_sim_range_chooses_the_view_between_like_and_unlike_ones() -> None:
    # View 1 is near view 0 and opposite to view 2; the others span less.
    tokens = torch.tensor([[[1.0, 0.3, 0.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.01], [0.0, 0.0, 1.0]]])

    assert select_reference(tokens, "saddle_sim_range").tolist() == [1]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_batch_item_is_judged_alone(strategy: str) -> None:
    tokens = _tokens(batch=4, views=5, seed=1)

    together = select_reference(tokens, strategy)
    alone = [int(select_reference(item[None], strategy)) for item in tokens]

    assert together.tolist() == alone


@pytest.mark.parametrize("strategy", ["saddle_balanced", "saddle_sim_range"])
def test_first_of_equal_views_is_chosen(strategy: str) -> None:
    tokens = torch.eye(4)[None]  # every view as good as another

    assert select_reference(tokens, strategy).tolist() == [0]


def test_strategies_are_listed_when_one_does_not_exist() -> None:
    with pytest.raises(ValueError, match=r"'best'.*saddle_balanced, saddle_sim_range, first, middle"):
        select_reference(_tokens(), "best")
