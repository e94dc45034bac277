# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Networks that differ from Depth Anything 3 in one decision, to see what the decision is worth.

For ablations alone: what is trained this way loads into nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor

from da3_ros.model.backbone import Backbone
from da3_ros.model.config import PATCH_SIZE, Da3Config
from da3_ros.model.dpt import Reassemble
from da3_ros.model.heads import DualDptHead
from da3_ros.model.network import Da3Network


@dataclass(frozen=True, slots=True)
class AllGlobal(Da3Config):
    """Every block from the alternation on looks across views, instead of every other one.

    Heads and camera decoder read what enters a tapped block beside what leaves it, as ever; here it has looked across
    views too.
    """

    def is_global(self, block: int) -> bool:
        """Whether a backbone block attends over the tokens of all views."""
        return block >= self.alternation_start


class SeparateHeads(DualDptHead):
    """Depth and rays share no pyramid: two heads instead of one with two branches."""

    def __init__(self, config: Da3Config) -> None:
        super().__init__(config)
        self.ray_reassemble = Reassemble(2 * config.dim, config.head_features, config.head_channels)

    def project(self, stage: int, patches: Tensor, image_size: tuple[int, int]) -> Tensor:
        """As of `DualDptHead`, with the channels of the rays' pyramid behind those of depth's."""
        (H, W), views = image_size, patches.shape[:2]
        grid = (H // PATCH_SIZE, W // PATCH_SIZE)
        ray = self.ray_reassemble.project(stage, patches.flatten(0, 1), grid, W / H).unflatten(0, views)
        return torch.cat((super().project(stage, patches, image_size), ray), dim=2)

    def _predict(self, projected: Sequence[Tensor], image_size: tuple[int, int], want_rays: bool) -> tuple[Tensor, ...]:
        H, W = image_size
        of_depth, of_rays = zip(*(stage.chunk(2, dim=1) for stage in projected), strict=True)
        depth = self.depth_output(self.depth_fusion(self.reassemble.pyramid(of_depth)), image_size)
        if not want_rays:
            return depth
        return (*depth, *self.ray_output(self.ray_fusion(self.ray_reassemble.pyramid(of_rays)), W / H))


def _all_global(network: Da3Network) -> None:
    network.config = AllGlobal(**asdict(network.config))
    network.backbone = Backbone(network.config)


def _separate_heads(network: Da3Network) -> None:
    network.head = SeparateHeads(network.config)


VARIANTS: Final = MappingProxyType({"all_global": _all_global, "separate_heads": _separate_heads})


def variant(name: str) -> Callable[[Da3Network], None]:
    """What changes a freshly built network into a variant.

    Raises:
        ValueError: if there is no such variant; lists those that there are.
    """
    if name not in VARIANTS:
        raise ValueError(f"unknown variant {name!r}: choose one of {', '.join(VARIANTS)}")
    return VARIANTS[name]
