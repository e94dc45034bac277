# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Networks that differ from Depth Anything 3 in one decision, to see what the decision is worth.

For ablations alone: what is trained this way loads into nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final

from da3_ros.model.backbone import Backbone
from da3_ros.model.config import Da3Config
from da3_ros.model.dpt import Reassemble
from da3_ros.model.heads import DualDptHead
from da3_ros.model.network import Da3Network


@dataclass(frozen=True, slots=True)
class AllGlobal(Da3Config):
    """Every block from the alternation on looks across views, instead of every other one."""

    def is_global(self, block: int) -> bool:
        """Whether a backbone block attends over the tokens of all views."""
        return block >= self.alternation_start


class SeparateHeads(DualDptHead):
    """Depth and rays share no pyramid: two heads instead of one with two branches."""

    def __init__(self, config: Da3Config) -> None:
        super().__init__(config)
        self.ray_reassemble = Reassemble(2 * config.dim, config.head_features, config.head_channels)


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
