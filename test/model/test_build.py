# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Architectures: their sizes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from da3_ros.model.build import build_network
from da3_ros.model.config import ARCHITECTURES, MonocularConfig, MonocularName, NestedConfig, architecture
from da3_ros.model.network import Da3Network

# Millions of unique parameters of the published networks: backbone, head, camera encoder, camera decoder.
PUBLISHED = {
    "da3-small": (22.06, 3.87, 7.18, 1.19),
    "da3-base": (86.58, 15.39, 28.66, 4.74),
    "da3-large": (304.37, 47.23, 50.93, 8.41),
    "da3-giant": (1136.49, 50.11, 114.53, 18.91),
}

# The same of those for single images: backbone, head.
PUBLISHED_MONOCULAR = {"da3mono-large": (304.37, 29.80), "da3metric-large": (304.37, 29.80)}


def _millions(*parts: nn.Module) -> list[float]:
    return [round(sum(p.numel() for p in part.parameters()) / 1e6, 2) for part in parts]


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

    assert isinstance(network, Da3Network)
    head = sum(p.numel() for p in network.head.parameters()) + _dropped_parameters(network.config.head_features)
    backbone, *cameras = _millions(network.backbone, network.camera_encoder, network.camera_decoder)
    assert (backbone, round(head / 1e6, 2), *cameras) == PUBLISHED[name]


@pytest.mark.parametrize("name", PUBLISHED_MONOCULAR)
def test_network_for_single_images_has_the_published_number_of_parameters(name: MonocularName) -> None:
    with torch.device("meta"):
        network = build_network(name)

    assert tuple(_millions(network.backbone, network.head)) == PUBLISHED_MONOCULAR[name]


def test_nested_network_is_the_giant_with_the_metric_one() -> None:
    with torch.device("meta"):
        network, giant = build_network("da3nested-giant-large"), build_network("da3-giant")
        metric = build_network("da3metric-large")

    assert _millions(network.any_view, network.metric) == _millions(giant, metric)


def test_build_lists_the_models_when_the_name_is_unknown() -> None:
    names = "da3-small, da3-base, da3-large, da3-giant, da3mono-large, da3metric-large, da3nested-giant-large"

    with pytest.raises(ValueError, match=rf"'da3-huge'.*{names}$"):
        build_network("da3-huge")


def test_metres_are_known_to_the_metric_models_alone() -> None:
    monocular = {name: config for name, config in ARCHITECTURES.items() if isinstance(config, MonocularConfig)}
    nested = ARCHITECTURES["da3nested-giant-large"]

    assert {name: config.canonical_focal_px for name, config in monocular.items()} == {
        "da3mono-large": None,
        "da3metric-large": 300.0,
    }
    assert isinstance(nested, NestedConfig)
    assert (nested.any_view, nested.metric) == (ARCHITECTURES["da3-giant"], ARCHITECTURES["da3metric-large"])


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


@pytest.mark.parametrize("overrides", [{"tapped_blocks": (4, 11, 17, 24)}, {"heads": 5}], ids=str)
def test_architecture_for_single_images_is_refused_when_numbers_do_not_fit(overrides: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="da3mono-large: "):
        architecture("da3mono-large", **overrides)
