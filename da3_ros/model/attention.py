# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Multi-head self-attention."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from da3_ros.model.kernels import Linear, attend

Rotary = Callable[[Tensor], Tensor]


class HeadNorm(nn.LayerNorm):
    """Layer norm that computes in the type of its weights and answers in kind: CUDA refuses to mix two types."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        return super().forward(x.to(self.weight.dtype)).to(x.dtype)


class Attention(nn.Module):
    """Self-attention over the tokens of a sequence, with optional q/k norms and rotary positions."""

    def __init__(self, dim: int, heads: int, *, qk_norm: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Linear(dim, 3 * dim)
        self.q_norm = HeadNorm(dim // heads) if qk_norm else nn.Identity()
        self.k_norm = HeadNorm(dim // heads) if qk_norm else nn.Identity()
        self.projection = Linear(dim, dim)

    def forward(self, x: Tensor, rotary: Rotary | None = None) -> Tensor:
        """Attend within each of N sequences.

        Args:
            x: (N, T, D) tokens.
            rotary: turns queries and keys (N, heads, T, D/heads) by their positions; may work in place.

        Returns:
            (N, T, D).
        """
        # (N, T, 3*D) -> 3 x (N, heads, T, D/heads)
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = self.q_norm(q), self.k_norm(k)
        if rotary is not None:
            q, k = rotary(q), rotary(k)
        return self.projection(attend(q, k, v))
