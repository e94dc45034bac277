# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Architectures: their sizes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from da3_ros.model.build import build_network
from da3_ros.model.config import architecture

# Millions of unique parameters of the published networks: backbone, head, camera encoder, camera decoder.
PUBLISHED = {
    "da3-small": (22.06, 3.87, 7.18, 1.19),
    "da3-base": (86.58, 15.39, 28.66, 4.74),
    "da3-large": (304.37, 47.23, 50.93, 8.41),
    "da3-giant": (1136.49, 50.11, 114.53, 18.91),
}


def _dropped_parameters(features: int) -> int:
    """Parameters of the three ray outputs per coarser level that we do not build."""
    half = features // 2
    neck = 5 * 9 * features * half + 3 * half + 2 * features
    output = 9 * half * 32 + 32 + 32 * 7 + 7
    return 3 * (neck + output)


@pytest.mark.parametrize("name", PUBLISHED)
def test_network_has_the_published_number_of_parameters(name: str) -> None:
    with torch.device("meta"):
        network = build_network(name)

    sizes = [
        sum(p.numel() for p in part.parameters())
        for part in (network.backbone, network.head, network.camera_encoder, network.camera_decoder)
    ]
    sizes[1] += _dropped_parameters(network.config.head_features)

    assert [round(size / 1e6, 2) for size in sizes] == list(PUBLISHED[name])


def test_build_lists_the_models_when_the_name_is_unknown() -> None:
    with pytest.raises(ValueError, match=r"'da3-huge'.*da3-small, da3-base, da3-large, da3-giant"):
        build_network("da3-huge")


@pytest.mark.parametrize(
    "overrides",
    [
        {"tapped_blocks": (5, 7, 9, 12)},
        {"tapped_blocks": (5, 5, 9, 11)},
        {"tapped_blocks": (3, 7, 9, 11)},
        {"alternation_start": 0},
        {"heads": 5},
        {"dim": 392},
    ],
    ids=str,
)
def test_architecture_is_refused_when_numbers_do_not_fit(overrides: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="da3-small: "):
        architecture("da3-small", **overrides)


def test_blocks_alternate_from_the_start_block_on() -> None:
    assert [i for i in range(12) if architecture("da3-small").is_global(i)] == [5, 7, 9, 11]
    assert [i for i in range(18) if architecture("da3-giant").is_global(i)] == [13, 15, 17]
