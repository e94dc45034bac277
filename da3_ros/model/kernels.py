# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Linear layers and attention by the fastest way that a device has; the same numbers up to rounding.

On x86 CPUs PyTorch hands float32 matrix products to MKL, which uses half of what an AVX-512 processor of another maker
than Intel can do; its convolutions go to oneDNN, which uses all. A linear layer is a 1x1 convolution whose image is one
row of tokens: no data moves. Attention is slow there in bfloat16 too: the fused kernel converts as it goes. On Intel's
own processors PyTorch's kernels are the faster ones, and stay.
Figures: docs/benchmark.md.
"""

from __future__ import annotations

import math
import platform
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

# Scores that one tile of attention holds: 8 MB in float32, which stays in the last-level cache.
_TILE_SCORES = 2_000_000
# Shorter sequences gain nothing from tiles.
_MIN_TILED_TOKENS = 256
# Sequences in training whose scores may be kept: 4 MB of float32 for each head.
_MAX_KEPT_TOKENS = 1024
# Sums of so large powers of two, and of their inverses, keep within float32 and bfloat16.
_MAX_EXPONENT = 100.0
_LOG2_E = math.log2(math.e)
_FAST_TYPES = (torch.float32, torch.bfloat16)
_CPU_INFO = Path("/proc/cpuinfo")
_OTHER_MAKERS = ("AuthenticAMD", "HygonGenuine")


class Linear(nn.Linear):
    """`nn.Linear` with its input brought to the type of its weights first."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), of the weights' type."""
        x = x if torch.is_autocast_enabled(x.device.type) else x.to(self.weight.dtype)
        if x.dtype in _FAST_TYPES and _prefers_convolution(x):
            return _product(x.flatten(0, -2), self.weight, self.bias).unflatten(0, x.shape[:-1])
        return nn.functional.linear(x, self.weight, self.bias)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax attention, scaled by 1/sqrt(d).

    Args:
        q: (N, heads, T, d).
        k: like q.
        v: like q.

    Returns:
        (N, T, heads*d).
    """
    if q.shape[-2] >= _MIN_TILED_TOKENS and q.dtype in _FAST_TYPES and _prefers_convolution(q):
        return _tiled_attention(q, k, v).flatten(2)
    if q.device.type == "cpu" and torch.is_grad_enabled() and q.shape[-2] <= _MAX_KEPT_TOKENS:
        # Short sequences in training: the fused kernel's way back takes longer than to keep the scores.
        scores = (q * q.shape[-1] ** -0.5) @ k.mT
        return (scores.softmax(-1).to(v.dtype) @ v).transpose(1, 2).flatten(2)
    return nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _tiled_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """(N, T, heads, d): head by head, some rows of the score matrix at a time."""
    N, heads, T, d = q.shape
    is_low = q.dtype != torch.float32
    q, k = (q * (d**-0.5 * (_LOG2_E if is_low else 1.0))).contiguous(), k.contiguous()
    v = v.contiguous() if is_low else v.mT.contiguous()  # a convolution wants it as (d, T)
    average = _average_low if is_low else _average_float
    if is_low and _largest_score(q, k) > _MAX_EXPONENT:
        q, average = q / _LOG2_E, _average_unbounded
    rows = -(-T // -(-T * T // _TILE_SCORES))
    out = q.new_empty(N, T, heads, d)
    for n in range(N):
        for head in range(heads):
            for some, into in zip(q[n, head].split(rows), out[n, :, head].split(rows), strict=True):
                into.copy_(average(some, k[n, head], v[n, head]))
    return out


def _average_float(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _product(_product(q, k).softmax(-1), v)


def _average_low(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax without its pass for the largest score, in powers of two, for scores that cannot overflow."""
    weights = (q @ k.mT).exp2_()
    return (weights @ v) / weights.sum(-1, keepdim=True)


def _average_unbounded(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.mT).softmax(-1) @ v


def _largest_score(q: Tensor, k: Tensor) -> float:
    """A bound by the lengths of queries and keys; where those are normed it is a small number."""
    return float(q.norm(dim=-1).amax() * k.norm(dim=-1).amax())


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(M, in) times (out, in) transposed, as the convolution of an image one pixel high; (M, out)."""
    image = x.contiguous()[None, None].permute(0, 3, 1, 2)  # (1, in, 1, M), channels last
    return nn.functional.conv2d(image, weight[:, :, None, None], bias)[0, :, 0].T


def _prefers_convolution(x: Tensor) -> bool:
    """Whether oneDNN is there and the better choice; never for graphs that another engine will run."""
    is_plain_cpu = x.device.type == "cpu" and not torch.is_grad_enabled() and not torch.compiler.is_compiling()
    return is_plain_cpu and _is_slowed_by_mkl()


@lru_cache(maxsize=1)
def _is_slowed_by_mkl() -> bool:
    """Whether the processor is an x86 of another maker than Intel, as far as the system tells."""
    if platform.machine().lower() not in ("x86_64", "amd64") or not torch.backends.mkldnn.is_available():
        return False
    described = _CPU_INFO.read_text() if _CPU_INFO.is_file() else platform.processor()
    return any(maker in described for maker in _OTHER_MAKERS)
