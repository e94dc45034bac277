# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The fast ways give what the plain ones give."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from da3_ros.model import kernels
from da3_ros.model.kernels import Linear, attend
from test.closeness import assert_close

TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 2e-2}
dtypes = st.sampled_from(list(TOLERANCE))


@pytest.fixture(scope="module", autouse=True)
def other_maker() -> Iterator[None]:
    """The fast ways are taken whoever made this processor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "_is_slowed_by_mkl", lambda: True)
        yield


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def plain_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """As the textbook has it, in double precision."""
    q, k, v = q.double(), k.double(), v.double()
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2)


@settings(max_examples=20)
@given(
    batch=st.lists(st.integers(1, 4), min_size=1, max_size=2),
    tokens=st.integers(1, 40),
    sizes=st.tuples(st.integers(1, 48), st.integers(1, 48)),
    bias=st.booleans(),
    dtype=dtypes,
)
def test_linear_layer_is_the_product_it_says(
    batch: list[int], tokens: int, sizes: tuple[int, int], bias: bool, dtype: torch.dtype
) -> None:
    layer = Linear(*sizes, bias=bias).to(dtype)
    x = noise(*batch, tokens, sizes[0], dtype=dtype)

    with torch.inference_mode():
        ours = layer(x)

    expected = nn.functional.linear(x.double(), layer.weight.double(), layer.bias.double() if bias else None)
    assert ours.dtype == dtype
    assert_close(ours.double(), expected.detach(), relative=TOLERANCE[dtype])


def test_linear_layer_takes_what_does_not_lie_in_a_row() -> None:
    layer, x = Linear(8, 5), noise(6, 8, 3).mT

    with torch.inference_mode():
        assert_close(layer(x), nn.functional.linear(x, layer.weight, layer.bias))


def test_linear_layer_brings_its_input_to_the_type_of_its_weights() -> None:
    with torch.inference_mode():
        assert Linear(8, 5).bfloat16()(noise(2, 8)).dtype == torch.bfloat16


def test_linear_layer_obeys_autocast() -> None:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert Linear(8, 5)(noise(2, 8)).dtype == torch.bfloat16


@settings(max_examples=12)
@given(N=st.integers(1, 2), heads=st.integers(1, 3), T=st.sampled_from([1, 7, 255, 256, 257, 600, 1501]), dtype=dtypes)
def test_attention_is_the_textbooks_whatever_the_length(N: int, heads: int, T: int, dtype: torch.dtype) -> None:
    q, k, v = noise(3, N, T, heads, 16, dtype=dtype).transpose(2, 3)

    with torch.inference_mode():
        ours = attend(q, k, v)

    assert ours.shape == (N, T, heads * 16)
    assert_close(ours.double(), plain_attention(q, k, v), relative=TOLERANCE[dtype])


@pytest.mark.parametrize("scores", [100, 5000, 10**9])
def test_attention_does_not_depend_on_the_size_of_a_tile(monkeypatch: pytest.MonkeyPatch, scores: int) -> None:
    monkeypatch.setattr(kernels, "_TILE_SCORES", scores)
    q, k, v = noise(3, 1, 2, 300, 16)

    with torch.inference_mode():
        assert_close(attend(q, k, v), plain_attention(q, k, v), relative=2e-6)


@pytest.mark.parametrize("size", [0.0, 1.0, 4.0, 30.0])
def test_attention_in_low_precision_holds_for_scores_of_any_size(size: float) -> None:
    q, k, v = noise(3, 1, 2, 300, 16)
    q, k = (size * q).bfloat16(), k.bfloat16()  # at 30 the largest powers would overflow

    with torch.inference_mode():
        ours = attend(q, k, v.bfloat16())

    # Scores are rounded to bfloat16 before they are exponents, which is worth as much as they are large.
    assert_close(ours.double(), plain_attention(q, k, v.bfloat16()), relative=2e-2 * max(size, 1.0))


def test_gradients_pass_as_through_a_plain_layer() -> None:
    layer, x = Linear(8, 5), noise(2, 3, 8).requires_grad_()
    plain = nn.Linear(8, 5)
    plain.load_state_dict(layer.state_dict())

    ours, expected = (torch.autograd.grad(one(x).square().sum(), x)[0] for one in (layer, plain))

    assert torch.equal(ours, expected)


ASKED = kernels._is_slowed_by_mkl.__wrapped__


@pytest.mark.parametrize(
    ("machine", "described", "expected"),
    [
        ("x86_64", "vendor_id\t: AuthenticAMD\n", True),
        ("x86_64", "vendor_id\t: GenuineIntel\n", False),
        ("aarch64", "CPU implementer\t: 0x41\n", False),
    ],
    ids=["amd", "intel", "arm"],
)
def test_own_kernels_are_for_processors_that_mkl_neglects(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, machine: str, described: str, expected: bool
) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(described)
    monkeypatch.setattr(kernels, "_CPU_INFO", info)
    monkeypatch.setattr("platform.machine", lambda: machine)

    assert ASKED() is expected
