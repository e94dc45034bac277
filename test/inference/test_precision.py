# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The number type is what the hardware has, and what must be exact stays so."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from da3_ros.inference import precision
from da3_ros.inference.precision import resolve_precision, set_precision
from da3_ros.model import kernels
from da3_ros.model.attention import HeadNorm
from da3_ros.model.network import NetworkOutput
from test.model.tiny import tiny_network
from test.parity.cases import Case, cameras, images

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
BF16, FP16, FP32 = torch.bfloat16, torch.float16, torch.float32


@pytest.fixture
def cuda_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[int, int]], None]:
    """Make the GPU one of a compute capability."""

    def pretend(capability: tuple[int, int]) -> None:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)

    return pretend


@pytest.fixture(params=[True, False], ids=["bf16 CPU", "plain CPU"])
def cpu_has_bf16(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(precision, "_cpu_has_bf16", lambda: request.param)
    return bool(request.param)


@pytest.mark.parametrize(
    ("capability", "best"), [((6, 1), FP32), ((7, 0), FP16), ((7, 5), FP16), ((8, 0), BF16), ((9, 0), BF16)], ids=str
)
def test_auto_takes_what_a_gpu_computes_in_by_itself(
    cuda_of: Callable[[tuple[int, int]], None], capability: tuple[int, int], best: torch.dtype
) -> None:
    cuda_of(capability)

    assert resolve_precision("auto", CUDA) == best


def test_bf16_is_not_emulated_on_a_gpu_before_ampere(
    cuda_of: Callable[[tuple[int, int]], None], caplog: pytest.LogCaptureFixture
) -> None:
    cuda_of((7, 5))

    assert resolve_precision("bf16", CUDA) == FP16
    assert "cuda:0 does not compute in bf16: fp16 is used instead" in caplog.text


def test_auto_takes_bf16_on_a_cpu_that_has_it(cpu_has_bf16: bool) -> None:
    assert resolve_precision("auto", CPU) == (BF16 if cpu_has_bf16 else FP32)


def test_fp16_on_a_cpu_warns_and_is_replaced(cpu_has_bf16: bool, caplog: pytest.LogCaptureFixture) -> None:
    used = "bf16" if cpu_has_bf16 else "fp32"

    assert resolve_precision("fp16", CPU) == (BF16 if cpu_has_bf16 else FP32)
    assert f"cpu does not compute in fp16: {used} is used instead" in caplog.text


def test_fp32_is_never_replaced_nor_warned_of(cpu_has_bf16: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert resolve_precision("fp32", CPU) == FP32
    assert not caplog.records


def test_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="'int8' is not one of auto, fp32, bf16, fp16"):
        resolve_precision("int8", CPU)


def test_only_the_big_matrices_change_their_type() -> None:
    network = tiny_network()

    set_precision(network, BF16, FP16)

    types = {name: parameter.dtype for name, parameter in network.named_parameters()}
    assert types["backbone.blocks.3.attention.qkv.weight"] == BF16
    assert types["backbone.blocks.3.feed_forward.fc2.bias"] == BF16
    assert types["head.depth_fusion.stages.3.projection.weight"] == FP16
    assert types["head.ray_output.neck.4.weight"] == FP16
    low = {name.split(".")[0] for name, dtype in types.items() if dtype != FP32}
    assert low == {"backbone", "head"}
    for kept in (
        "norm",
        "scale",
        "patch_embed",
        "camera_token",
        "reassemble",
        "stages.2",
        "depth_output.output",
        "ray_output.output",
    ):
        assert all(dtype == FP32 for name, dtype in types.items() if kept in name), kept


@pytest.mark.parametrize(("backbone", "head"), [(BF16, FP32), (FP32, BF16), (BF16, BF16)], ids=str)
def test_low_precision_stays_near_the_exact_answer(backbone: torch.dtype, head: torch.dtype) -> None:
    exact, low = answer(FP32, FP32), answer(backbone, head)

    for name in ("depth", "confidence", "ray", "ray_confidence", "camera_from_world", "intrinsics"):
        assert getattr(low, name).dtype == FP32
    difference = ((low.depth - exact.depth).abs() / exact.depth).median()
    assert 0 < difference < 0.02  # with weights that are noise: they make much of a rounding


@pytest.mark.parametrize("low", [BF16, FP16], ids=str)
def test_no_layer_is_given_another_type_than_its_own_which_a_gpu_would_refuse(low: torch.dtype) -> None:
    network = tiny_network()
    set_precision(network, low, low)
    wrong: list[str] = []

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if inputs[0].dtype != module.weight.dtype:
                wrong.append(name)

        return look

    for name, module in network.named_modules():
        casts_itself = isinstance(module, kernels.Linear | HeadNorm)
        if isinstance(module, nn.LayerNorm | nn.Linear | nn.Conv2d | nn.ConvTranspose2d) and not casts_itself:
            module.register_forward_pre_hook(watch(name))
    case = Case(views=3, posed=True)
    with torch.inference_mode():
        network(images(case), **cameras(case), want_rays=True)
        network(images(Case(views=3)), want_rays=True)

    assert wrong == []


def answer(backbone: torch.dtype, head: torch.dtype) -> NetworkOutput:
    network = tiny_network()
    set_precision(network, backbone, head)
    with torch.inference_mode():
        out: NetworkOutput = network(images(Case(views=3)), want_rays=True)
    return out
