# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the network promises whatever its weights are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from da3_ros.model.build import build_network
from da3_ros.model.network import Da3Network
from da3_ros.model.weights import fill_with_noise
from test.closeness import assert_close, max_relative_error
from test.model.tiny import TINY_MONOCULAR, TINY_NESTED, tiny_network

H, W = 28, 42


@pytest.fixture(scope="module")
def network() -> Da3Network:
    return tiny_network()


def _images(batch: int = 1, views: int = 3, size: tuple[int, int] = (H, W), seed: int = 0) -> Tensor:
    return torch.randn(batch, views, 3, *size, generator=torch.Generator().manual_seed(seed))


def _known_cameras(batch: int, views: int) -> dict[str, Tensor]:
    camera_from_world = torch.eye(4).repeat(batch, views, 1, 1)
    camera_from_world[..., 0, 3] = torch.arange(views)
    intrinsics = torch.tensor([[40.0, 0.0, W / 2], [0.0, 40.0, H / 2], [0.0, 0.0, 1.0]])
    return {"camera_from_world": camera_from_world, "intrinsics": intrinsics.repeat(batch, views, 1, 1)}


def test_output_has_the_promised_shapes(network: Da3Network) -> None:
    with torch.inference_mode():
        out = network(_images(2, 3), want_rays=True)

    assert out.depth.shape == out.confidence.shape == (2, 3, H, W)
    assert out.camera_from_world.shape == (2, 3, 4, 4)
    assert out.intrinsics.shape == (2, 3, 3, 3)
    assert out.ray is not None
    assert out.ray.shape == (2, 3, 16, 24, 6)
    assert out.ray_confidence is not None
    assert out.ray_confidence.shape == (2, 3, 16, 24)
    assert out.depth.min() > 0
    assert out.confidence.min() > 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": _images(size=(28, 43))}, "multiples of 14, not 28x43"),
        ({"images": _images(size=(27, 42))}, "multiples of 14, not 27x42"),
        ({"images": _images()[0]}, r"\(B, V, 3, H, W\).*\(3, 3, 28, 42\)"),
        ({"images": _images()[:, :, :1]}, r"\(B, V, 3, H, W\)"),
        ({"images": _images(views=0)}, "at least one view"),
        ({"intrinsics": None}, "both or neither"),
        ({"camera_from_world": None}, "both or neither"),
        ({"camera_from_world": torch.eye(4)[None, None]}, r"camera_from_world must be \(1, 3, 4, 4\)"),
        ({"intrinsics": torch.eye(3).repeat(1, 2, 1, 1)}, r"intrinsics must be \(1, 3, 3, 3\)"),
        ({"reference_view": "best"}, "'best'.*saddle_balanced"),
    ],
    ids=str,
)
def test_input_is_refused_when_it_does_not_fit(network: Da3Network, changes: dict[str, Any], message: str) -> None:
    arguments = {"images": _images(), **_known_cameras(1, 3), **changes}

    with pytest.raises(ValueError, match=message):
        network(**arguments)


def test_depth_is_the_same_when_rays_are_not_wanted_and_their_branch_does_not_run(network: Da3Network) -> None:
    ran = []
    hooks = [
        part.register_forward_hook(lambda *_: ran.append(True))
        for part in (network.head.ray_fusion, network.head.ray_output)
    ]
    with torch.inference_mode():
        without = network(_images())
        runs_without = len(ran)
        with_rays = network(_images(), want_rays=True)
    for hook in hooks:
        hook.remove()

    assert runs_without == 0
    assert len(ran) == 2
    assert without.ray is None
    assert without.ray_confidence is None
    assert torch.equal(without.depth, with_rays.depth)
    assert torch.equal(without.confidence, with_rays.confidence)
    assert torch.equal(without.camera_from_world, with_rays.camera_from_world)


def test_early_blocks_see_each_view_alone(network: Da3Network) -> None:
    images = _images(views=4)[0]
    with torch.inference_mode():
        together = network.backbone.encode_views(images)
        alone = [network.backbone.encode_views(image[None]) for image in images]

    assert_close(together.tokens, torch.cat([view.tokens for view in alone]))
    assert_close(together.class_tokens, torch.cat([view.class_tokens for view in alone]))


def test_kept_early_tokens_give_the_same_answer(network: Da3Network) -> None:
    images = _images(views=4)
    with torch.inference_mode():
        expected = network.backbone(images, None, "saddle_balanced")
        views = network.backbone.encode_views(images[0])
        taps = tuple(network.backbone.relate_views(views, 1, None, "saddle_balanced"))

    for ours, theirs in zip(taps, expected, strict=True):
        assert torch.equal(ours.patches, theirs.patches)


def test_later_blocks_see_the_other_views(network: Da3Network) -> None:
    images = _images(views=2)
    changed = images.clone()
    changed[:, 1] += 1.0
    with torch.inference_mode():
        depth, depth_beside_another = network(images).depth[:, 0], network(changed).depth[:, 0]

    assert max_relative_error(depth_beside_another, depth) > 1e-3


def test_windows_of_a_batch_do_not_see_each_other(network: Da3Network) -> None:
    images = _images(batch=3, views=5, seed=1)
    with torch.inference_mode():
        together = network(images, want_rays=True)
        alone = network(images[1:2], want_rays=True)

    assert_close(together.depth[1:2], alone.depth)
    assert_close(together.camera_from_world[1:2], alone.camera_from_world)
    assert together.ray is not None
    assert_close(together.ray[1:2], alone.ray)


def test_answers_follow_the_views_when_they_are_permuted(network: Da3Network) -> None:
    images, permutation = _images(views=5), torch.tensor([3, 0, 4, 1, 2])
    with torch.inference_mode():
        depth = network(images).depth[:, permutation]
        depth_of_permuted = network(images[:, permutation]).depth

    assert_close(depth_of_permuted, depth)


def test_known_cameras_change_the_answer_and_the_strategy_then_does_not(network: Da3Network) -> None:
    cameras = _known_cameras(1, 3)
    with torch.inference_mode():
        free = network(_images()).depth
        known = network(_images(), **cameras).depth
        known_otherwise = network(_images(), **cameras, reference_view="middle").depth

    assert max_relative_error(known, free) > 1e-3
    assert torch.equal(known, known_otherwise)


@pytest.mark.parametrize("feed_forward", ["gelu", "swiglu"])
def test_every_parameter_matters(feed_forward: str) -> None:
    network = tiny_network(depth=5, alternation_start=1, tapped_blocks=(1, 2, 3, 4), feed_forward=feed_forward)
    images, cameras = _images(), _known_cameras(1, 3)

    def answer(known: bool) -> Tensor:
        with torch.inference_mode():
            out = network(images, **(cameras if known else {}), want_rays=True)
        assert out.ray is not None
        assert out.ray_confidence is not None
        fields = (out.depth, out.confidence, out.camera_from_world, out.intrinsics, out.ray, out.ray_confidence)
        return torch.cat([field.flatten() for field in fields])

    before = {known: answer(known) for known in (False, True)}
    idle = []
    for name, parameter in network.named_parameters():
        known = name.startswith("camera_encoder")
        original = parameter.detach().clone()
        with torch.no_grad():
            parameter.add_(0.5 * torch.randn(original.shape, generator=torch.Generator().manual_seed(1)))
        if (answer(known) - before[known]).abs().max() < 1e-4:
            idle.append(name)
        with torch.no_grad():
            parameter.copy_(original)

    assert idle == []


def test_gradients_reach_every_parameter(network: Da3Network) -> None:
    free, known = network(_images(), want_rays=True), network(_images(), **_known_cameras(1, 3))
    assert free.ray is not None
    assert free.ray_confidence is not None
    outputs = (free.depth, free.confidence, free.camera_from_world, free.intrinsics, free.ray, free.ray_confidence)

    sum(output.sum() for output in (*outputs, known.depth)).backward()

    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    network.zero_grad()


def test_head_stays_in_float32_under_autocast(network: Da3Network) -> None:
    with torch.inference_mode():
        expected = network(_images())
        with torch.autocast("cpu", torch.bfloat16):
            out = network(_images())

    assert out.depth.dtype == out.camera_from_world.dtype == torch.float32
    assert 0 < max_relative_error(out.depth, expected.depth) < 0.1


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
def test_network_compiles_without_a_break_so_nothing_waits_for_the_device() -> None:
    network, views = tiny_network(), _images(views=4)
    whole: dict[str, Any] = {"fullgraph": True, "dynamic": False, "backend": "eager"}
    with torch.inference_mode():
        encoded = torch.compile(network.encode, **whole)(views[0])
        ours = torch.compile(network.relate, **whole)(encoded, batch=1, want_rays=True)

        expected = network(views, want_rays=True)

    for name in ("depth", "ray", "camera_from_world"):
        assert_close(getattr(ours, name), getattr(expected, name))


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
def test_other_kinds_of_networks_compile_without_a_break() -> None:
    views = _images(views=4)
    whole: dict[str, Any] = {"fullgraph": True, "dynamic": False, "backend": "eager"}
    alone = build_network("da3metric-large", **TINY_MONOCULAR)
    nested = build_network("da3nested-giant-large", **TINY_NESTED)
    for network in (alone, nested):
        fill_with_noise(network, seed=1)
    with torch.inference_mode():
        assert_close(torch.compile(alone, **whole)(views, views_at_once=3).depth, alone(views).depth)
        encoded = torch.compile(nested.encode, **whole)(views[0])
        assert_close(torch.compile(nested.relate, **whole)(encoded, batch=1).depth, nested(views).depth)
