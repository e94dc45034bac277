# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The transformer block of the backbone and of the camera encoder."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from da3_ros.model.attention import Attention, Rotary
from da3_ros.model.kernels import Linear


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between."""

    def __init__(self, dim_in: int, hidden: int, dim_out: int) -> None:
        super().__init__()
        self.fc1 = Linear(dim_in, hidden)
        self.fc2 = Linear(hidden, dim_out)

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim_in) -> (..., dim_out)."""
        return self.fc2(nn.functional.gelu(self.fc1(x)))


class SwiGlu(nn.Module):
    """Gated feed-forward layer (Shazeer, GLU variants improve transformer); hidden width as in DINOv2."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        hidden = -(-int(4 * dim * 2 / 3) // 8) * 8  # two thirds of 4D, up to a multiple of 8
        self.gate_and_value = Linear(dim, 2 * hidden)
        self.output = Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        gate, value = self.gate_and_value(x).chunk(2, dim=-1)
        return self.output(nn.functional.silu(gate) * value)


class LayerScale(nn.Module):
    """Adds a branch to the residual stream, with one learned factor per channel."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor, branch: Tensor) -> Tensor:
        """`x + gamma * branch`, (..., D); of the type of x when the branch is of lower precision."""
        return torch.addcmul(x, branch, self.gamma)


class Block(nn.Module):
    """Pre-norm transformer block: `x += s1 * attention(norm1(x)); x += s2 * feed_forward(norm2(x))`."""

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        feed_forward: Literal["gelu", "swiglu"] = "gelu",
        qk_norm: bool = False,
        norm_eps: float,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=norm_eps)
        self.attention = Attention(dim, heads, qk_norm=qk_norm)
        self.scale1 = LayerScale(dim)
        self.norm2 = nn.LayerNorm(dim, eps=norm_eps)
        self.feed_forward = SwiGlu(dim) if feed_forward == "swiglu" else Mlp(dim, 4 * dim, dim)
        self.scale2 = LayerScale(dim)

    def forward(self, x: Tensor, rotary: Rotary | None = None) -> Tensor:
        """(N, T, D) -> (N, T, D); see `Attention.forward` for `rotary`."""
        x = self.scale1(x, self.attention(self.norm1(x), rotary))
        return self.scale2(x, self.feed_forward(self.norm2(x)))
