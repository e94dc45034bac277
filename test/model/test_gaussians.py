# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Gaussians repeat the published network's recorded answers; rotations of harmonics obey their law."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from da3_ros.evaluation.harmonics import harmonics_basis
from da3_ros.model.build import build_network
from da3_ros.model.camera_token import invert_rigid
from da3_ros.model.checkpoint import WeightsError, load_weights
from da3_ros.model.gaussian_adapter import gaussians_in_world, known_pose_scale
from da3_ros.model.gaussian_network import GAUSSIAN_MODELS, GaussianNetwork
from da3_ros.model.gaussians import CHANNELS
from da3_ros.model.spherical_harmonics import harmonics_rotation
from da3_ros.model.weights import randomise
from test.closeness import assert_close
from test.model.tiny import TINY_SWIGLU

RECORDED = {"means": "means", "scales": "scales", "harmonics": "harmonics", "opacities": "opacities"}


def _random_rotations(count: int, seed: int = 0) -> Tensor:
    q, _ = torch.linalg.qr(torch.randn(count, 3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    return q * torch.linalg.det(q)[:, None, None]


def _cameras(rotations: Tensor, centres: Tensor) -> Tensor:
    """(V, 4, 4) camera from world."""
    world_from_camera = torch.eye(4, dtype=rotations.dtype).repeat(len(centres), 1, 1)
    world_from_camera[:, :3, :3], world_from_camera[:, :3, 3] = rotations, centres
    return invert_rigid(world_from_camera)


@pytest.fixture(scope="module")
def network(shared_golden: Path) -> GaussianNetwork:
    network = build_network("da3-giant", with_gaussians=True, **TINY_SWIGLU)
    load_weights(network, shared_golden / "tiny_gs.weights.safetensors")
    return network


@pytest.mark.parametrize("case", ["n2", "n3_pose"])
def test_gaussians_repeat_recorded_answer(shared_golden: Path, network: GaussianNetwork, case: str) -> None:
    theirs = load_file(shared_golden / f"tiny_gs_{case}.safetensors")
    raw: list[Tensor] = []
    hook = network.gaussian_head.register_forward_hook(lambda _module, _inputs, output: raw.append(output))

    with torch.inference_mode():
        out = network.scene(theirs["x"], theirs.get("in_extrinsics"), theirs.get("in_intrinsics"))

    hook.remove()
    assert_close(out.views.depth, theirs["out.depth"])
    assert_close(out.views.confidence, theirs["out.depth_conf"])
    assert_close(out.views.camera_from_world[..., :3, :], theirs["out.extrinsics"])
    for ours, name in RECORDED.items():
        assert_close(getattr(out.gaussians, ours), theirs[f"out.gs.{name}"])
    # The network says four numbers of any length; where they are small, so is what their direction is worth.
    length = raw[0][..., 5:9].norm(dim=-1).clamp(max=1).flatten(1)[..., None]
    assert_close(length * out.gaussians.quaternions, length * theirs["out.gs.rotations"])
    assert_close(out.gaussians.quaternions, theirs["out.gs.rotations"], relative=1e-4)


def test_gaussians_do_not_depend_on_how_many_views_the_head_takes_at_once(
    shared_golden: Path, network: GaussianNetwork
) -> None:
    images = load_file(shared_golden / "tiny_gs_n3_pose.safetensors")["x"]

    with torch.inference_mode():
        some = network.scene(images).gaussians
        one = network.scene(images, views_at_once=1).gaussians

    assert_close(one.means, some.means, relative=1e-6)
    assert_close(one.harmonics, some.harmonics, relative=1e-6)


def test_windows_of_a_batch_do_not_meet(shared_golden: Path, network: GaussianNetwork) -> None:
    recorded = load_file(shared_golden / "tiny_gs_n3_pose.safetensors")
    images = torch.cat((recorded["x"], recorded["x"].flip(1)))
    standing = torch.eye(4).repeat(1, 3, 1, 1)  # of which there is no scale to learn
    cameras = (torch.cat((recorded["in_extrinsics"], standing)), recorded["in_intrinsics"].repeat(2, 1, 1, 1))

    with torch.inference_mode():
        both = network.scene(images, *cameras).gaussians

    assert_close(both.means[:1], recorded["out.gs.means"])


def test_depth_and_cameras_are_those_of_the_network_without_gaussians(network: GaussianNetwork) -> None:
    images = torch.randn(1, 2, 3, 28, 42, generator=torch.Generator().manual_seed(1))

    with torch.inference_mode():
        alone, scene = network(images), network.scene(images).views

    assert torch.equal(alone.depth, scene.depth)
    assert torch.equal(alone.camera_from_world, scene.camera_from_world)


def test_network_without_gaussians_takes_the_same_file(shared_golden: Path) -> None:
    network = build_network("da3-giant", **TINY_SWIGLU)

    load_weights(network, shared_golden / "tiny_gs.weights.safetensors")

    assert not [name for name in network.state_dict() if "gaussian" in name]


def test_file_without_gaussians_is_refused_by_a_network_with_them(shared_golden: Path, tmp_path: Path) -> None:
    tensors = load_file(shared_golden / "tiny_gs.weights.safetensors")
    save_file({k: v for k, v in tensors.items() if "gs_head" not in k}, tmp_path / "model.safetensors")

    with pytest.raises(WeightsError, match=r"unknown: none; missing: gaussian_head\.fusion"):
        load_weights(build_network("da3-giant", with_gaussians=True, **TINY_SWIGLU), tmp_path / "model.safetensors")


def test_unknown_tensor_of_the_gaussian_head_is_refused(shared_golden: Path, tmp_path: Path) -> None:
    tensors = load_file(shared_golden / "tiny_gs.weights.safetensors")
    save_file(tensors | {"model.gs_head.novelty.weight": torch.zeros(1)}, tmp_path / "model.safetensors")

    with pytest.raises(WeightsError, match=r"unknown: model\.gs_head\.novelty\.weight; missing: none"):
        load_weights(build_network("da3-giant", **TINY_SWIGLU), tmp_path / "model.safetensors")


@pytest.mark.parametrize("name", ["da3-small", "da3-large", "da3mono-large", "da3nested-giant-large"])
def test_build_names_the_models_with_gaussians_when_one_has_none(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} has no 3D Gaussians: use da3-giant"):
        build_network(name, with_gaussians=True)


def test_gaussian_head_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        network = build_network(GAUSSIAN_MODELS[0], with_gaussians=True)

    assert round(sum(p.numel() for p in network.gaussian_head.parameters()) / 1e6, 2) == 35.63


def test_turned_harmonics_look_the_same_along_turned_directions() -> None:
    generator = torch.Generator().manual_seed(2)
    rotations = _random_rotations(20)
    coefficients = torch.randn(20, 9, generator=generator, dtype=torch.float64)
    directions = torch.randn(20, 50, 3, generator=generator, dtype=torch.float64)
    directions = torch.nn.functional.normalize(directions, dim=-1)

    turned = (harmonics_rotation(rotations) @ coefficients[..., None])[..., 0]

    before = (harmonics_basis(directions, 9) * coefficients[:, None]).sum(-1)
    after = (harmonics_basis(directions @ rotations.mT, 9) * turned[:, None]).sum(-1)
    assert_close(after, before, relative=1e-12)


def test_rotations_of_harmonics_are_a_group() -> None:
    first, second = _random_rotations(20, seed=3), _random_rotations(20, seed=4)

    product = harmonics_rotation(first) @ harmonics_rotation(second)

    assert_close(harmonics_rotation(first @ second), product, relative=1e-12)
    assert_close(product @ product.mT, np.broadcast_to(np.eye(9), (20, 9, 9)), relative=1e-12)


@pytest.mark.parametrize(
    ("views", "stretch", "expected"),
    [(1, 2.0, 1.0), (2, 2.0, 2.0), (5, 2.0, 2.0), (5, 0.4, 0.4), (5, 10.0, 3.0), (5, 0.01, 1 / 3)],
)
def test_scale_of_known_poses_is_that_of_their_centres(views: int, stretch: float, expected: float) -> None:
    generator = torch.Generator().manual_seed(views)
    rotations, centres = _random_rotations(views).float(), torch.randn(views, 3, generator=generator)
    turn = _random_rotations(1, seed=9)[0].float()
    predicted = _cameras(rotations, centres)
    known = _cameras(turn @ rotations, stretch * centres @ turn.T + 7)

    assert_close(known_pose_scale(known[None], predicted[None]), [expected], relative=1e-5)


def test_scale_is_one_when_the_known_cameras_stand() -> None:
    moving = _cameras(_random_rotations(3).float(), torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))
    standing = _cameras(_random_rotations(3).float(), torch.ones(3, 3))

    scale = known_pose_scale(torch.stack((standing, moving)), torch.stack((moving, moving)))

    assert_close(scale, [1, 1], relative=1e-6)


def test_gaussian_of_the_central_pixel_lies_on_the_optical_axis() -> None:
    raw = torch.zeros(1, 1, 3, 5, CHANNELS)
    raw[..., 7] = 1.0  # the number that turns as the scalar part
    raw[..., 36] = 0.5  # depth offset
    intrinsics = torch.tensor([[10.0, 0.0, 2.5], [0.0, 20.0, 1.5], [0.0, 0.0, 1.0]])
    camera = _cameras(torch.eye(3)[None], torch.tensor([[1.0, 2.0, 3.0]]))

    out = gaussians_in_world(raw, torch.full((1, 1, 3, 5), 2.0), camera[None], intrinsics[None, None], torch.ones(1))

    centre = 1 * 5 + 2  # row 1, column 2 of three rows and five columns
    assert_close(out.means[0, centre], [1, 2, 3 + 2.5])
    assert_close(out.scales[0, centre], [(1e-5 + (30 - 1e-5) / 2) * 2.5 * 0.1 * (1 / 10 + 1 / 20)] * 3)
    assert_close(out.quaternions[0, centre], [0, 0, 0, 1])
    assert_close(out.opacities[0, centre], 0.5)


def test_random_weights_give_finite_gaussians() -> None:
    network = build_network("da3-giant", with_gaussians=True, **TINY_SWIGLU)
    randomise(network, 0)

    with torch.inference_mode():
        out = network.scene(torch.randn(1, 1, 3, 28, 42, generator=torch.Generator().manual_seed(0)))

    for field in (*RECORDED, "quaternions"):
        assert torch.isfinite(getattr(out.gaussians, field)).all()
