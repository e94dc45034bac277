# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which view becomes the reference, the one whose camera the others are expressed in, and the order that follows."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor

_TIE: Final = 1e-5
MIN_VIEWS: Final = 3  # with one or two views the first one is the reference


@dataclass(frozen=True, slots=True)
class ViewOrder:
    """A permutation of the views of each batch item that puts the reference view first.

    Attributes:
        forward: (B, V) int64; entry i is the original index of the view at place i.
        inverse: (B, V) int64; entry v is the place of the original view v.
    """

    forward: Tensor
    inverse: Tensor

    def apply(self, x: Tensor) -> Tensor:
        """(B, V, ...) in the original order -> reference first."""
        return _take_views(x, self.forward)

    def undo(self, x: Tensor) -> Tensor:
        """(B, V, ...) with the reference first -> original order."""
        return _take_views(x, self.inverse)


def reference_first(reference: Tensor, views: int) -> ViewOrder:
    """Order of the views: the reference, then the others as they came.

    Args:
        reference: (B,) int64 index of each batch item's reference view.
        views: number of views V.
    """
    places = torch.arange(views, device=reference.device).expand(len(reference), -1)
    r = reference[:, None]
    forward = torch.where(places == 0, r, torch.where(places <= r, places - 1, places))
    inverse = torch.where(places == r, 0, torch.where(places < r, places + 1, places))
    return ViewOrder(forward, inverse)


def select_reference(class_tokens: Tensor, strategy: str) -> Tensor:
    """Choose the reference view of each batch item; of equally good views the first.

    Args:
        class_tokens: (B, V, D) class token of every view, V >= 2.
        strategy: a name in `STRATEGIES`.

    Returns:
        (B,) int64 view indices.

    Raises:
        ValueError: if the strategy does not exist.
    """
    check_strategy(strategy)
    return STRATEGIES[strategy](class_tokens.float())


def check_strategy(strategy: str) -> None:
    """Raise `ValueError` naming the strategies that exist if this one does not."""
    if strategy not in STRATEGIES:
        raise ValueError(f"unknown reference view strategy {strategy!r}: choose one of {', '.join(STRATEGIES)}")


def _first(class_tokens: Tensor) -> Tensor:
    return torch.zeros(len(class_tokens), dtype=torch.int64, device=class_tokens.device)


def _middle(class_tokens: Tensor) -> Tensor:
    return torch.full_like(_first(class_tokens), class_tokens.shape[1] // 2)


def _saddle_balanced(class_tokens: Tensor) -> Tensor:
    """The view nearest the middle of the range in similarity to the others, token length and channel variance."""
    V = class_tokens.shape[1]
    directions, lengths = _directions(class_tokens)
    similarity = _distance_from_middle(_similarities(directions).sum(-1) / (V - 1))
    length = _distance_from_middle(lengths.squeeze(-1))
    variance = _distance_from_middle(directions.var(-1))
    return (similarity + length + variance).argmin(1)


def _saddle_sim_range(class_tokens: Tensor) -> Tensor:
    """The view whose similarities to the others spread most; its own counts as 0.

    Where no two views point apart that is either of the two most alike: a tie, which rounding would decide.
    """
    similarities = _similarities(_directions(class_tokens)[0])
    spread = similarities.amax(-1) - similarities.amin(-1)
    return (spread >= spread.amax(1, keepdim=True) - _TIE).int().argmax(1)


STRATEGIES: Final = MappingProxyType(
    {
        "saddle_balanced": _saddle_balanced,
        "saddle_sim_range": _saddle_sim_range,
        "first": _first,
        "middle": _middle,
    }
)


def _directions(class_tokens: Tensor) -> tuple[Tensor, Tensor]:
    lengths = class_tokens.norm(dim=-1, keepdim=True)
    return class_tokens / lengths, lengths


def _similarities(directions: Tensor) -> Tensor:
    """Cosines between views, (B, V, V), less one on the diagonal."""
    identity = torch.eye(directions.shape[1], device=directions.device)
    return directions @ directions.transpose(1, 2) - identity


def _distance_from_middle(measure: Tensor) -> Tensor:
    """Distance of (B, V) values from the middle of their batch item's range, as a part of that range."""
    low, high = measure.amin(1, keepdim=True), measure.amax(1, keepdim=True)
    return ((measure - low) / (high - low + 1e-8) - 0.5).abs()


def _take_views(x: Tensor, order: Tensor) -> Tensor:
    batch = torch.arange(len(x), device=x.device)[:, None]
    return x[batch, order]
