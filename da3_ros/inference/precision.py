# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which number type a network computes in: what the hardware really has, set on the layers that gain by it."""

from __future__ import annotations

import logging
from typing import Final

import torch
from torch import nn

from da3_ros.model.dpt import FUSION_STAGES
from da3_ros.model.kernels import Linear

PRECISIONS: Final = ("auto", "fp32", "bf16", "fp16")

_DTYPES: Final = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_BF16_FROM_CUDA = (8, 0)  # before Ampere torch emulates it, and attention then stores every score
_FP16_FROM_CUDA = (7, 0)  # before Volta there are no tensor cores

_log = logging.getLogger(__name__)


def resolve_precision(name: str, device: torch.device) -> torch.dtype:
    """The type that `name` stands for on a device.

    Args:
        name: one of `PRECISIONS`; `auto` is bf16 where the hardware computes in it, else fp16 on a GPU that has tensor
            cores, else fp32. What the hardware would only emulate is replaced by what `auto` takes, with a warning.
        device: CPU or CUDA.

    Raises:
        ValueError: when the name is not known.
    """
    if name not in PRECISIONS:
        raise ValueError(f"precision '{name}' is not one of {', '.join(PRECISIONS)}")
    best = _best(device)
    if name == "auto":
        return best
    dtype = _DTYPES[name]
    if dtype == torch.float32 or dtype in _native(device):
        return dtype
    used = next(key for key, value in _DTYPES.items() if value == best)
    _log.warning("%s does not compute in %s: %s is used instead", device, name, used)
    return best


def set_precision(network: nn.Module, backbone: torch.dtype, head: torch.dtype) -> None:
    """Store the big matrices of a network's backbones and heads in lower precision.

    Norms, tokens, positions, the residual stream, cameras, and of every head the coarse stages and the last layer stay
    in float32: they cost next to nothing, and depth is an exponential.

    Args:
        network: any of ours, in float32; changed in place.
        backbone: type of the linear layers of its transformer blocks.
        head: type of the convolutions of its dense heads that work on the finest maps.
    """
    for name, module in network.named_modules():
        parts = name.split(".")
        if "backbone" in parts and isinstance(module, Linear):
            module.to(backbone)
        elif "head" in parts and isinstance(module, nn.Conv2d) and _is_fine(name) and not name.endswith("output"):
            module.to(head)


def _is_fine(name: str) -> bool:
    """Whether a part of a head works on its finest maps: the last fusion stage and what follows."""
    return f"fusion.stages.{FUSION_STAGES - 1}." in name or "_output." in name


def _native(device: torch.device) -> set[torch.dtype]:
    """The low-precision types that a device computes in by itself."""
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        has = ((torch.bfloat16, _BF16_FROM_CUDA), (torch.float16, _FP16_FROM_CUDA))
        return {dtype for dtype, since in has if capability >= since}
    return {torch.bfloat16} if _cpu_has_bf16() else set()


def _best(device: torch.device) -> torch.dtype:
    native = _native(device)
    return next((dtype for dtype in (torch.bfloat16, torch.float16) if dtype in native), torch.float32)


def _cpu_has_bf16() -> bool:
    asks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # older releases of torch cannot be asked
    has_instructions = any(getattr(torch.cpu, ask, bool)() for ask in asks)
    return bool(has_instructions and torch.ops.mkldnn._is_mkldnn_bf16_supported())
