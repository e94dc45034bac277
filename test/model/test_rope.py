# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Laws of rotary positions."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from da3_ros.model.rope import GlobalRotary, global_rotary, local_rotary
from test.closeness import assert_close

CPU = torch.device("cpu")
HEAD_DIM = 16


def _noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None)
@given(
    rows=st.tuples(*[st.integers(0, 4)] * 2),
    cols=st.tuples(*[st.integers(0, 6)] * 2),
    step=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    seed=st.integers(0, 99),
)
def test_product_of_query_and_key_depends_only_on_the_offset_between_patches(
    rows: tuple[int, int], cols: tuple[int, int], step: tuple[int, int], seed: int
) -> None:
    h, w = 8, 10
    q, k = _noise(2, HEAD_DIM, seed=seed)
    rotary = local_rotary(h, w, HEAD_DIM, CPU)

    def product(shift: tuple[int, int]) -> torch.Tensor:
        """Of a query at the first place and a key at the second, both shifted."""
        here, there = (1 + (r + shift[0]) * w + c + shift[1] for r, c in zip(rows, cols, strict=True))
        turned_q = rotary(q.expand(1, 1, 1 + h * w, -1))[0, 0, here]
        turned_k = rotary(k.expand(1, 1, 1 + h * w, -1))[0, 0, there]
        return turned_q @ turned_k

    torch.testing.assert_close(product(step), product((0, 0)), rtol=1e-5, atol=1e-5)


def test_rotation_keeps_lengths_and_leaves_the_camera_token() -> None:
    x = _noise(2, 3, 1 + 4 * 5, HEAD_DIM)

    turned = local_rotary(4, 5, HEAD_DIM, CPU)(x)

    assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(turned[:, :, 0], x[:, :, 0])
    assert not torch.isclose(turned[:, :, 1:], x[:, :, 1:]).all(-1).any()


def test_rows_turn_the_first_half_of_the_channels_and_columns_the_second() -> None:
    x = torch.ones(1, 1, 1 + 2 * 2, HEAD_DIM)

    patches = local_rotary(2, 2, HEAD_DIM, CPU)(x)[0, 0, 1:].reshape(2, 2, HEAD_DIM)

    assert torch.equal(patches[0, 0, :8], patches[0, 1, :8])
    assert torch.equal(patches[0, 0, 8:], patches[1, 0, 8:])
    assert not torch.isclose(patches[0, 0, :8], patches[1, 0, :8]).all()


def test_first_plane_turns_by_one_radian_per_row() -> None:
    x = torch.zeros(1, 1, 2, HEAD_DIM)
    x[..., 0] = 1.0  # of the plane of channels 0 and 4

    patch = local_rotary(1, 1, HEAD_DIM, CPU)(x)[0, 0, 1]

    assert_close(patch[[0, 4]], [math.cos(1.0), math.sin(1.0)])


@pytest.mark.parametrize("views", [1, 3])
def test_global_rotary_equals_turning_every_patch_by_one_step(views: int) -> None:
    tokens = 1 + 6
    q, k = _noise(2, 1, 2, views * tokens, HEAD_DIM)
    at_one_one = local_rotary(1, 1, HEAD_DIM, CPU)
    every_patch = torch.arange(views * tokens) % tokens > 0

    def turn_all(x: torch.Tensor) -> torch.Tensor:
        turned = x * at_one_one.cos[1] + _quarter_turn(x) * at_one_one.sin[1]
        return torch.where(every_patch[:, None], turned, x)

    ours = global_rotary(tokens, HEAD_DIM, CPU)
    scores = ours(q.clone()) @ ours(k.clone()).mT

    assert_close(scores, turn_all(q) @ turn_all(k).mT)


def _quarter_turn(x: torch.Tensor) -> torch.Tensor:
    a, b, c, d = x.chunk(4, dim=-1)
    return torch.cat((-b, a, -d, c), dim=-1)


def test_rotary_tables_serve_training_when_made_while_predicting() -> None:
    with torch.inference_mode():
        tables: GlobalRotary = global_rotary(7, 20, CPU)
    x = _noise(1, 1, 7, 20).requires_grad_()

    (gradient,) = torch.autograd.grad(tables(x * 1.0).sum(), x)

    assert gradient.isfinite().all()
