# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which architecture a checkpoint file holds, told from what it says about itself, else from its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from da3_ros.model.checkpoint import WeightsError, read_header
from da3_ros.model.config import ARCHITECTURES, Da3Config, MonocularConfig, NestedConfig
from da3_ros.model.upstream_keys import PARTS, our_name

ABOUT_MODEL: Final = "model"  # of the entries of `CheckpointHeader.about`
_EMBEDDING: Final = "backbone.patch_embed.projection.weight"
_CAMERA_TOKEN: Final = "backbone.camera_token"
_SKY: Final = "head.depth_output.sky_hidden.weight"
_ANY_VIEW_PART, _METRIC_PART = PARTS.values()


def model_of_checkpoint(path: Path) -> str:
    """The architecture of a safetensors file, a key of `ARCHITECTURES`; loading it still checks every tensor.

    Raises:
        WeightsError: if the file cannot be read, holds no network of ours, or could be one of several.
    """
    header = read_header(path)
    named = header.about.get(ABOUT_MODEL, "")
    if named in ARCHITECTURES:
        return named
    shapes = _by_our_names(header.shapes)
    fitting = [name for name in ARCHITECTURES if _fits(name, shapes)]
    if len(fitting) > 1:
        raise WeightsError(f"{path} holds {' or '.join(fitting)}, which cannot be told apart: name the model")
    if not fitting:
        raise WeightsError(f"{path} holds no model that there is ({_seen(shapes)}): name other weights")
    return fitting[0]


def _by_our_names(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Tensors that mean something to us; others are for loading to refuse."""
    known = {}
    for name, shape in shapes.items():
        try:
            ours = our_name(name)
        except KeyError:
            continue
        if ours is not None:
            known[ours] = shape
    return known


def _fits(name: str, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether tensors have the kind and the width of an architecture."""
    match ARCHITECTURES[name]:
        case NestedConfig(any_view=any_view, metric=metric):
            widths = shapes.get(_ANY_VIEW_PART + _EMBEDDING, (0,))[0], shapes.get(_METRIC_PART + _EMBEDDING, (0,))[0]
            return widths == (any_view.dim, metric.dim)
        case Da3Config(dim=dim):
            return _CAMERA_TOKEN in shapes and shapes.get(_EMBEDDING, (0,))[0] == dim
        case MonocularConfig(dim=dim):
            return _SKY in shapes and _CAMERA_TOKEN not in shapes and shapes.get(_EMBEDDING, (0,))[0] == dim


def _seen(shapes: Mapping[str, tuple[int, ...]]) -> str:
    if _EMBEDDING not in shapes:
        return "it has none of the tensors of one"
    kind = "any-view" if _CAMERA_TOKEN in shapes else "single images" if _SKY in shapes else "of no known kind"
    return f"{kind}, tokens of {shapes[_EMBEDDING][0]} channels"
