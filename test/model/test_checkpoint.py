# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoint files: strict about names and shapes, and never a pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from da3_ros.model.build import build_network
from da3_ros.model.checkpoint import WeightsError, load_weights, save_weights
from da3_ros.model.network import Da3Network
from test.model.tiny import TINY, TINY_MONOCULAR, TINY_NESTED, TINY_SWIGLU, tiny_network

A_BIAS = "model.cam_dec.fc_t.bias"


@pytest.fixture
def upstream(shared_golden: Path) -> dict[str, Tensor]:
    return load_file(shared_golden / "tiny_alt2.weights.safetensors")


def _load(tensors: dict[str, Tensor], folder: Path) -> Da3Network:
    save_file(tensors, folder / "model.safetensors")
    network = build_network("da3-small", **TINY)
    load_weights(network, folder / "model.safetensors")
    return network


def test_load_takes_every_tensor_of_the_network_from_the_file(upstream: dict[str, Tensor], tmp_path: Path) -> None:
    loaded = _load(upstream, tmp_path).state_dict()

    assert torch.equal(loaded["camera_decoder.centre.bias"], upstream[A_BIAS])
    in_file = {(tuple(value.shape), value.sum().item()) for value in upstream.values()}
    assert {(tuple(value.shape), value.sum().item()) for value in loaded.values()} <= in_file


def test_load_names_the_unknown_and_the_missing(upstream: dict[str, Tensor], tmp_path: Path) -> None:
    upstream["model.head.novelty.weight"] = torch.zeros(1)
    del upstream[A_BIAS]

    with pytest.raises(
        WeightsError, match=r"unknown: model\.head\.novelty\.weight; missing: camera_decoder\.centre\.bias"
    ):
        _load(upstream, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "cam_dec.fc_t.bias",
        "camera_decoder.centre.bias",
        "model.camera_decoder.centre.bias",
        "model.backbone.pretrained.blocks.99.norm1.bias",
        "model.backbone.pretrained.blocks.0.attn.q_norm.bias",
        "model.head.scratch.refinenet4.resConfUnit1.conv1.bias",
        "model.head.scratch.output_conv1_aux.4.0.bias",
        "model.backbone.pretrained.mask_token",
        "model.da3.cam_dec.fc_t.bias",
        "model.da3.da3_metric.backbone.pretrained.norm.bias",
        "model.head.scratch.sky_output_conv2.0.bias",
    ],
)
def test_load_refuses_a_name_it_does_not_know(upstream: dict[str, Tensor], tmp_path: Path, name: str) -> None:
    upstream[name] = torch.zeros(64)

    with pytest.raises(WeightsError, match=rf"unknown: {name}; missing: none"):
        _load(upstream, tmp_path)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_load_accepts_other_names_of_the_shared_norm(upstream: dict[str, Tensor], tmp_path: Path, level: int) -> None:
    shared = upstream["model.head.scratch.output_conv2_aux.0.2.weight"]
    upstream[f"model.head.scratch.output_conv2_aux.{level}.2.weight"] = shared.clone()

    assert torch.equal(_load(upstream, tmp_path).head.ray_output.norm.weight, shared)


def test_load_names_the_tensor_when_a_shape_differs_and_changes_nothing(
    upstream: dict[str, Tensor], tmp_path: Path
) -> None:
    upstream[A_BIAS] = torch.zeros(4)
    save_file(upstream, tmp_path / "model.safetensors")
    network = tiny_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}

    with pytest.raises(WeightsError, match=r"model\.cam_dec\.fc_t\.bias is \(4,\), the network needs \(3,\)"):
        load_weights(network, tmp_path / "model.safetensors")

    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_load_names_the_first_tensor_that_differs_when_the_file_is_of_another_size(shared_golden: Path) -> None:
    smaller = build_network("da3-small", **{**TINY, "dim": 32, "depth": 9})

    with pytest.raises(WeightsError, match=r"camera_token is \(1, 2, 64\), the network needs \(1, 2, 32\)$"):
        load_weights(smaller, shared_golden / "tiny_alt2.weights.safetensors")


@pytest.mark.parametrize(
    ("name", "overrides", "file", "message"),
    [
        ("da3-small", TINY, "tiny_mono", r"head\.projects\.0\.weight is \(16, 64, 1, 1\), the network needs \(16, 128"),
        ("da3mono-large", TINY_MONOCULAR, "tiny_alt2", r"head\.projects\.0\.weight is \(16, 128, 1, 1\)"),
        ("da3-giant", TINY_SWIGLU, "tiny_nested", r"unknown: model\.da3\.backbone\..*missing: backbone\."),
        ("da3nested-giant-large", TINY_NESTED, "tiny_mono", r"unknown: model\.backbone\..*missing: any_view\."),
    ],
    ids=["single-image file", "any-view file", "nested file", "part of a nested one"],
)
def test_load_says_what_differs_when_the_file_is_of_another_model(
    shared_golden: Path, name: str, overrides: dict[str, Any], file: str, message: str
) -> None:
    with pytest.raises(WeightsError, match=message):
        load_weights(build_network(name, **overrides), shared_golden / f"{file}.weights.safetensors")


def test_load_fills_both_parts_of_a_nested_network(shared_golden: Path) -> None:
    file = shared_golden / "tiny_nested.weights.safetensors"
    network = build_network("da3nested-giant-large", **TINY_NESTED)

    load_weights(network, file)

    theirs = load_file(file)
    assert torch.equal(network.any_view.backbone.norm.weight, theirs["model.da3.backbone.pretrained.norm.weight"])
    assert torch.equal(network.metric.backbone.norm.weight, theirs["model.da3_metric.backbone.pretrained.norm.weight"])


def test_load_refuses_weights_of_another_architecture(shared_golden: Path) -> None:
    network = build_network("da3-small", **TINY_SWIGLU)

    with pytest.raises(WeightsError, match=r"unknown: .*mlp\.fc1.*missing: .*gate_and_value"):
        load_weights(network, shared_golden / "tiny_alt2.weights.safetensors")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt", ".PTH"])
def test_load_refuses_a_pickle_without_opening_it(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(WeightsError, match="is a pickle"):
        load_weights(tiny_network(), tmp_path / f"model{suffix}")


@pytest.mark.parametrize(
    "content", [b"", b"not a checkpoint at all", b"\x80\x04K\x01."], ids=["empty", "text", "pickle"]
)
def test_load_says_so_when_the_file_is_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)

    with pytest.raises(WeightsError, match="not a readable safetensors file"):
        load_weights(tiny_network(), path)


def test_load_says_so_when_the_file_is_cut_short(shared_golden: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes((shared_golden / "tiny_alt2.weights.safetensors").read_bytes()[:-1000])

    with pytest.raises(WeightsError, match="download it again"):
        load_weights(tiny_network(), path)


def test_load_says_so_when_the_file_may_not_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.touch()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(WeightsError, match=r"cannot be read \(Permission denied\): see to its permissions"):
        load_weights(tiny_network(), path)


@pytest.mark.parametrize("suffix", [".onnx", ".ONNX"])
def test_load_says_what_an_exported_network_is(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(WeightsError, match=r"is an exported network, not a checkpoint: give the \.safetensors file"):
        load_weights(tiny_network(), tmp_path / f"model{suffix}")


def test_load_says_so_when_the_file_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        load_weights(tiny_network(), tmp_path / "model.safetensors")


def test_half_precision_files_load_into_float32(upstream: dict[str, Tensor], tmp_path: Path) -> None:
    network = _load({name: value.half() for name, value in upstream.items()}, tmp_path)

    assert network.camera_decoder.centre.bias.dtype == torch.float32
    assert torch.equal(network.camera_decoder.centre.bias, upstream[A_BIAS].half().float())


@pytest.mark.parametrize("overrides", [TINY, TINY_SWIGLU], ids=["gelu", "swiglu"])
def test_saved_weights_load_again_to_the_bit(overrides: Any, tmp_path: Path) -> None:
    saved, loaded = tiny_network(1, **overrides), build_network("da3-small", **overrides)

    save_weights(saved, tmp_path / "model.safetensors", about={"model": "tiny"})
    load_weights(loaded, tmp_path / "model.safetensors")

    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in saved.state_dict().items())


def test_saved_weights_bear_names_that_official_files_have(upstream: dict[str, Tensor], tmp_path: Path) -> None:
    save_weights(tiny_network(), tmp_path / "model.safetensors", dtype=torch.float16)

    tensors = load_file(tmp_path / "model.safetensors")
    assert tensors.keys() <= upstream.keys()
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
