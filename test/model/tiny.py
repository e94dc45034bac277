# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Networks small enough to run in milliseconds; the golden files hold weights for the same two."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from da3_ros.model.build import build_network
from da3_ros.model.network import Da3Network
from da3_ros.model.weights import randomise

TINY: Final = MappingProxyType(
    {
        "dim": 64,
        "depth": 8,
        "heads": 4,
        "alternation_start": 2,
        "tapped_blocks": (3, 5, 6, 7),
        "head_features": 32,
        "head_channels": (16, 16, 32, 32),
    }
)
# Like da3-giant: gated feed-forward, and the first alternating block is a global one.
TINY_SWIGLU: Final = MappingProxyType(
    {**TINY, "feed_forward": "swiglu", "alternation_start": 3, "tapped_blocks": (4, 5, 6, 7)}
)


def tiny_network(seed: int = 0, **overrides: Any) -> Da3Network:
    """A tiny network with random weights."""
    network = build_network("da3-small", **{**TINY, **overrides})
    randomise(network, seed)
    return network
