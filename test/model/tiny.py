# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Networks small enough to run in milliseconds; the golden files hold weights for the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from da3_ros.model.build import build_network
from da3_ros.model.config import architecture
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
# Like da3mono-large and da3metric-large: a gap between the first taps.
TINY_MONOCULAR: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "dim": 64,
        "depth": 6,
        "heads": 4,
        "tapped_blocks": (1, 2, 4, 5),
        "head_features": 32,
        "head_channels": (16, 16, 32, 32),
    }
)
# The parts of a nested network.
TINY_NESTED: Final = MappingProxyType(
    {
        "any_view": architecture("da3-giant", **TINY_SWIGLU),
        "metric": architecture("da3metric-large", **TINY_MONOCULAR),
    }
)


def tiny_network(seed: int = 0, **overrides: Any) -> Da3Network:
    """A tiny network with random weights."""
    network = build_network("da3-small", **{**TINY, **overrides})
    randomise(network, seed)
    return network
