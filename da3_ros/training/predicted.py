# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What a network in training says of windows, before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class BlockMatches:
    """What one supervised block says of B windows of V views with P patches each.

    Attributes:
        query: (B, V, P, head_dim) of the first head.
        key: like query.
        flow: (B, V, P, 2) where each patch lies in the first view, column and row as shares of its size.
    """

    query: Tensor
    key: Tensor
    flow: Tensor


@dataclass(frozen=True, slots=True)
class Predicted:
    """What the losses look at; B windows of V views.

    Attributes:
        depth: (B, V, gH, gW) > 0, on whatever grid the stage trains.
        depth_confidence: like depth, > 1.
        ray: (B, V, rH, rW, 6) direction, then origin.
        ray_confidence: (B, V, rH, rW), > 1.
        camera: (B, V, 9) as `model.camera_token` speaks of cameras.
        matches: one of each supervised block.
    """

    depth: Tensor
    depth_confidence: Tensor
    ray: Tensor
    ray_confidence: Tensor
    camera: Tensor
    matches: tuple[BlockMatches, ...]
