# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The nested network: the recorded answer, and the laws of the one scalar that joins its parts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn

from da3_ros.model.build import build_network
from da3_ros.model.checkpoint import load_weights
from da3_ros.model.config import architecture
from da3_ros.model.nested import NestedNetwork, NestedOutput, NestedTokens, in_metres, metric_scale
from da3_ros.model.weights import randomise
from test.closeness import assert_close
from test.model.tiny import TINY_MONOCULAR, TINY_NESTED

_FARTHEST_SKY = 200.0


@pytest.fixture(scope="module")
def network() -> NestedNetwork:
    tiny = build_network("da3nested-giant-large", **TINY_NESTED)
    randomise(tiny, 0)
    return tiny


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def window(seed: int, views: int = 3) -> dict[str, Tensor]:
    """Arguments of `metric_scale`: one window, some sky, metric depth in about three metres a unit."""
    depth = 0.5 + noise(1, views, 6, 7, seed=seed).exp()
    return {
        "depth": depth,
        "confidence": 1 + noise(1, views, 6, 7, seed=seed + 1).exp(),
        "metres": 3.0 * depth * (1 + 0.2 * noise(1, views, 6, 7, seed=seed + 2)),
        "sky": noise(1, views, 6, 7, seed=seed + 3) > 0.8,
    }


def painted_as_published(out: NestedOutput) -> tuple[Tensor, Tensor]:
    """Depth and confidence with sky as the published package has it."""
    farthest = out.depth[~out.sky].quantile(0.99).clamp(max=_FARTHEST_SKY)
    return torch.where(out.sky, farthest, out.depth), torch.where(out.sky, 1.0, out.confidence)


def test_network_repeats_recorded_answer(shared_golden: Path) -> None:
    network = build_network("da3nested-giant-large", **TINY_NESTED)
    load_weights(network, shared_golden / "tiny_nested.weights.safetensors")
    theirs = load_file(shared_golden / "tiny_nested_n3.safetensors")
    inside: dict[str, Any] = {}

    def record(module: nn.Module, name: str) -> None:
        module.register_forward_hook(lambda _module, _inputs, output: inside.__setitem__(name, output))

    for i, block in enumerate(network.any_view.backbone.blocks):
        record(block, f"block{i:02d}")
    record(network.any_view.head, "head")
    record(network.any_view.camera_decoder, "pose_enc")

    with torch.inference_mode():
        out = network(theirs["x"], want_rays=True)

    depth, confidence = painted_as_published(out)
    assert_close(inside["pose_enc"], theirs["pose_enc"])
    for i in (0, 1, 3, 4, 5, 6, 7):  # the reference puts the views in order before block 2, we after it
        assert_close(inside[f"block{i:02d}"], theirs[f"block{i:02d}"])
    for ours, name in (
        ("depth", "depth"),
        ("confidence", "depth_conf"),
        ("ray", "ray"),
        ("ray_confidence", "ray_conf"),
    ):
        assert_close(getattr(inside["head"], ours), theirs[f"head.{name}"])
    assert_close(out.scale, theirs["out.scale_factor"][None])
    assert_close(depth, theirs["out.depth"])
    assert_close(confidence, theirs["out.depth_conf"])
    assert_close(out.camera_from_world[..., :3, :], theirs["out.extrinsics"])
    assert_close(out.intrinsics, theirs["out.intrinsics"])
    assert out.ray is not None
    assert_close(out.ray[..., :3], theirs["head.ray"][..., :3])
    assert_close(out.ray[..., 3:], theirs["out.scale_factor"] * theirs["head.ray"][..., 3:])


def test_all_lengths_and_nothing_else_are_scaled(network: NestedNetwork) -> None:
    images = noise(1, 3, 3, 42, 56)

    with torch.inference_mode():
        out = network(images, want_rays=True)
        shape = network.any_view(images, want_rays=True)

    assert out.scale.isfinite().all()
    assert_close(out.depth, out.scale * shape.depth)
    assert_close(out.camera_from_world[..., :3, 3], out.scale * shape.camera_from_world[..., :3, 3])
    assert torch.equal(out.camera_from_world[..., :3, :3], shape.camera_from_world[..., :3, :3])
    assert torch.equal(out.camera_from_world[..., 3, :], shape.camera_from_world[..., 3, :])
    assert out.ray is not None
    assert shape.ray is not None
    assert_close(out.ray[..., 3:], out.scale * shape.ray[..., 3:])
    for same in ("confidence", "intrinsics", "ray_confidence"):
        assert torch.equal(getattr(out, same), getattr(shape, same))


def test_windows_of_a_batch_have_each_their_own_scale(network: NestedNetwork) -> None:
    images = torch.cat((noise(1, 2, 3, 42, 56), 0.1 * noise(1, 2, 3, 42, 56, seed=1) + 1))

    with torch.inference_mode():
        batched = network(images)
        alone = [network(one[None]) for one in images]

    assert_close(batched.scale, torch.cat([out.scale for out in alone]))
    assert_close(batched.depth, torch.cat([out.depth for out in alone]))
    assert abs(batched.scale[0] / batched.scale[1] - 1) > 1e-3


def test_window_stays_up_to_scale_when_there_is_only_sky(network: NestedNetwork) -> None:
    with torch.inference_mode():
        shape = network.any_view(noise(1, 2, 3, 42, 56), want_rays=True)
        out = in_metres(shape, shape.depth, torch.ones_like(shape.depth, dtype=torch.bool))

    assert out.scale.isnan().all()
    assert out.sky.all()
    assert torch.equal(out.depth, shape.depth)
    assert torch.equal(out.camera_from_world, shape.camera_from_world)
    assert out.ray is not None
    assert torch.equal(out.ray, shape.ray)


def test_metric_depth_is_read_with_the_predicted_focal_lengths(network: NestedNetwork) -> None:
    images = noise(1, 2, 3, 42, 56)

    with torch.inference_mode():
        out, shape, metric = network(images), network.any_view(images), network.metric(images)

    focal_px = shape.intrinsics[..., (0, 1), (0, 1)].mean(-1)
    metres = metric.depth * (focal_px / 300)[..., None, None]
    assert_close(out.scale, metric_scale(shape.depth, shape.confidence, metres, metric.is_sky))
    assert torch.equal(out.sky, metric.is_sky)


def test_images_encoded_apart_are_answered_like_images_encoded_together(network: NestedNetwork) -> None:
    images = noise(1, 3, 3, 42, 56)

    with torch.inference_mode():
        apart = [part for image in images[0] for part in network.encode(image[None]).apart()]
        out, together = network.relate(NestedTokens.joined(apart), 1), network(images)

    assert {part.size_bytes for part in apart} == {sum(x.nbytes for x in _tensors(apart[0]))}
    assert_close(out.depth, together.depth)
    assert_close(out.scale, together.scale)
    assert torch.equal(out.sky, together.sky)


def _tensors(views: NestedTokens) -> tuple[Tensor, ...]:
    return views.shape.tokens, views.shape.class_tokens, views.canonical_depth, views.sky


@given(st.integers(0, 10_000), st.permutations(range(5)))
@settings(max_examples=30)
def test_scale_does_not_depend_on_the_order_of_views(seed: int, order: list[int]) -> None:
    given_window = window(seed, views=5)

    shuffled = {name: value[:, order] for name, value in given_window.items()}

    assert_close(metric_scale(**shuffled), metric_scale(**given_window), 1e-6)


@given(st.integers(0, 10_000), st.floats(0.1, 20.0), st.floats(0.1, 20.0))
@settings(max_examples=30)
def test_scale_is_metres_over_units(seed: int, unit: float, metre: float) -> None:
    given_window = window(seed)

    changed = {**given_window, "depth": unit * given_window["depth"], "metres": metre * given_window["metres"]}

    assert_close(metric_scale(**changed), metre / unit * metric_scale(**given_window))


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_scale_is_the_least_squares_one_over_the_surer_half(seed: int) -> None:
    told = window(seed)
    solid = ~told["sky"]

    sure = solid & (told["confidence"] >= told["confidence"][solid].quantile(0.5))
    nearest = torch.linalg.lstsq(told["depth"][sure][:, None].double(), told["metres"][sure][:, None].double()).solution

    assert_close(metric_scale(**told), nearest[0])


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_sky_and_unsure_pixels_do_not_touch_the_scale(seed: int) -> None:
    told = window(seed)
    ignored = told["sky"] | (told["confidence"] < told["confidence"][~told["sky"]].quantile(0.5))

    absurd = {**told, "metres": torch.where(ignored, 1e6, told["metres"])}

    assert torch.equal(metric_scale(**absurd), metric_scale(**told))


@pytest.mark.parametrize(("solid", "is_known"), [(0, False), (10, False), (11, True)])
def test_scale_is_unknown_when_ten_pixels_or_fewer_count(solid: int, is_known: bool) -> None:
    depth = torch.ones(1, 1, 6, 7)
    sky = (torch.arange(42) >= solid).view(1, 1, 6, 7)

    scale = metric_scale(depth, depth + 1, 3 * depth, sky)

    assert math.isclose(scale.item(), 3.0) if is_known else scale.isnan().all()


def test_scale_is_unknown_when_all_depth_is_right_at_the_camera() -> None:
    depth = torch.full((1, 1, 6, 7), 1e-4)

    assert metric_scale(depth, depth + 2, 3 * depth + 1, depth > 1).isnan().all()


def test_parts_are_refused_when_the_metric_one_knows_no_metres() -> None:
    with pytest.raises(ValueError, match="da3mono-large does not know metres"):
        architecture("da3nested-giant-large", metric=architecture("da3mono-large", **TINY_MONOCULAR))
