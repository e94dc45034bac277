# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The networks for single images: recorded answers block by block, and what must hold of any weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn

from da3_ros.model.build import build_network
from da3_ros.model.checkpoint import load_weights
from da3_ros.model.monocular import MonocularNetwork, MonocularOutput, metres_from_canonical
from da3_ros.model.weights import fill_with_noise
from test.closeness import assert_close
from test.model.tiny import TINY_MONOCULAR


@pytest.fixture(scope="module")
def network() -> MonocularNetwork:
    tiny = build_network("da3metric-large", **TINY_MONOCULAR)
    fill_with_noise(tiny, 2)  # of the first seeds the one with most sky
    return tiny


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def painted_as_published(out: MonocularOutput) -> Tensor:
    """What the published package makes of sky: the far end of all depth in the call, if there is enough of both."""
    if min(out.is_sky.sum(), (~out.is_sky).sum()) <= 10:
        return out.depth
    return torch.where(out.is_sky, out.depth[~out.is_sky].quantile(0.99), out.depth)


@pytest.mark.parametrize("case", ["n1", "n3"])
def test_network_repeats_recorded_answer(shared_golden: Path, case: str) -> None:
    network = build_network("da3mono-large", **TINY_MONOCULAR)
    load_weights(network, shared_golden / "tiny_mono.weights.safetensors")
    theirs = load_file(shared_golden / f"tiny_mono_{case}.safetensors")
    inside: dict[str, Tensor] = {}

    def record(module: nn.Module, name: str) -> None:
        module.register_forward_hook(lambda _module, _inputs, output: inside.__setitem__(name, output))

    for i, block in enumerate(network.backbone.blocks):
        record(block, f"block{i:02d}")
    record(network.backbone, "taps")

    with torch.inference_mode():
        out = network(theirs["x"])

    for i in range(TINY_MONOCULAR["depth"]):
        assert_close(inside[f"block{i:02d}"], theirs[f"block{i:02d}"])
    for k, tap in enumerate(inside["taps"]):
        assert_close(tap[None], theirs[f"feat{k}"])
    assert_close(out.depth, theirs["head.depth"])
    assert_close(out.sky, theirs["head.sky"])
    assert_close(painted_as_published(out), theirs["out.depth"])


def test_depth_in_sky_is_not_painted_over(shared_golden: Path) -> None:
    theirs = load_file(shared_golden / "tiny_mono_n3.safetensors")
    network = build_network("da3mono-large", **TINY_MONOCULAR)
    load_weights(network, shared_golden / "tiny_mono.weights.safetensors")

    with torch.inference_mode():
        out = network(theirs["x"])

    in_sky = out.depth[out.is_sky]
    assert len(in_sky) > 10
    assert len(in_sky.unique()) > len(in_sky) // 2


@pytest.mark.parametrize("views_at_once", [1, 2, 3, 8])
def test_view_is_answered_alike_in_any_company(network: MonocularNetwork, views_at_once: int) -> None:
    images = noise(1, 5, 3, 42, 56)

    with torch.inference_mode():
        together = network(images, views_at_once=views_at_once)
        alone = [network(images[:, [view]]) for view in range(5)]

    assert_close(together.depth, torch.cat([out.depth for out in alone], dim=1))
    assert_close(together.sky, torch.cat([out.sky for out in alone], dim=1))


def test_view_is_answered_to_the_bit_when_other_views_change(network: MonocularNetwork) -> None:
    images = noise(1, 3, 3, 42, 56)
    others = images.clone()
    others[:, 1:] = 50.0 * others[:, 1:].flip(-1)

    with torch.inference_mode():
        first, second = network(images), network(others)

    assert torch.equal(first.depth[:, 0], second.depth[:, 0])
    assert not torch.equal(first.depth[:, 1], second.depth[:, 1])


def test_windows_of_a_batch_are_answered_like_windows_alone(network: MonocularNetwork) -> None:
    images = noise(2, 3, 3, 42, 56)

    with torch.inference_mode():
        batched = network(images)
        alone = [network(window[None]) for window in images]

    assert batched.depth.shape == batched.sky.shape == (2, 3, 42, 56)
    assert_close(batched.depth, torch.cat([out.depth for out in alone]))


def test_depth_is_above_zero_and_sky_not_below(network: MonocularNetwork) -> None:
    with torch.inference_mode():
        out = network(noise(1, 2, 3, 42, 56))

    assert (out.depth > 0).all()
    assert (out.sky >= 0).all()
    assert torch.equal(out.is_sky, out.sky >= 0.3)
    assert 0 < out.is_sky.float().mean() < 1


@pytest.mark.parametrize(
    ("shape", "message"), [((1, 3, 42, 56), r"\(B, V, 3, H, W\)"), ((1, 1, 3, 40, 56), "multiples of 14, not 40x56")]
)
def test_images_are_refused_when_they_do_not_fit(
    network: MonocularNetwork, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        network(torch.zeros(shape))


@given(st.floats(50.0, 3000.0), st.floats(0.1, 10.0), st.floats(0.01, 50.0))
def test_metres_are_linear_in_the_focal_length(focal_px: float, factor: float, depth: float) -> None:
    said = torch.full((1, 2, 3), depth, dtype=torch.float64)
    focal = torch.tensor([focal_px], dtype=torch.float64)

    once, scaled = metres_from_canonical(said, focal, 300.0), metres_from_canonical(said, factor * focal, 300.0)

    assert_close(scaled, factor * once, 1e-12)
    assert_close(metres_from_canonical(said, torch.tensor([300.0]), 300.0), said)
