# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The architectures of Depth Anything 3 as data: a network differs from another only by these numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal

PATCH_SIZE: Final = 14
POSITION_GRID: Final = 37  # the position table was trained at 518x518 pixels, 37x37 patches


@dataclass(frozen=True, slots=True)
class Da3Config:
    """One any-view architecture.

    Attributes:
        name: public name, as in `da3-small`.
        dim: channels D of a token.
        depth: number of backbone blocks.
        heads: attention heads of a backbone block.
        feed_forward: kind of the backbone's feed-forward layer.
        alternation_start: first block that may look across views, and that has rotary positions and q/k norms;
            from here on odd blocks are global and even ones stay within a view.
        tapped_blocks: the four blocks whose output feeds the head, shallow to deep.
        head_features: channels of the head's fusion chain.
        head_channels: channels of the head's four pyramid stages, fine to coarse.
        camera_heads: attention heads of the camera encoder.
        camera_depth: number of blocks of the camera encoder.
    """

    name: str
    dim: int
    depth: int
    heads: int
    feed_forward: Literal["gelu", "swiglu"]
    alternation_start: int
    tapped_blocks: tuple[int, int, int, int]
    head_features: int
    head_channels: tuple[int, int, int, int]
    camera_heads: int = 16
    camera_depth: int = 4

    def __post_init__(self) -> None:
        """Reject numbers that do not describe a network."""
        first, last = self.tapped_blocks[0], self.tapped_blocks[-1]
        if list(self.tapped_blocks) != sorted(set(self.tapped_blocks)) or last >= self.depth:
            raise ValueError(f"{self.name}: tapped_blocks {self.tapped_blocks} must rise and stay below {self.depth}")
        if not 1 <= self.alternation_start <= first:
            raise ValueError(f"{self.name}: alternation_start {self.alternation_start} must lie in 1..{first}")
        if self.dim % (4 * self.heads) or self.dim % self.camera_heads:
            raise ValueError(f"{self.name}: dim {self.dim} does not split into {self.heads}/{self.camera_heads} heads")

    def is_global(self, block: int) -> bool:
        """Whether a backbone block attends over the tokens of all views."""
        return block >= self.alternation_start and block % 2 == 1


ARCHITECTURES: Final = MappingProxyType(
    {
        config.name: config
        for config in (
            Da3Config(
                name="da3-small",
                dim=384,
                depth=12,
                heads=6,
                feed_forward="gelu",
                alternation_start=4,
                tapped_blocks=(5, 7, 9, 11),
                head_features=64,
                head_channels=(48, 96, 192, 384),
            ),
            Da3Config(
                name="da3-base",
                dim=768,
                depth=12,
                heads=12,
                feed_forward="gelu",
                alternation_start=4,
                tapped_blocks=(5, 7, 9, 11),
                head_features=128,
                head_channels=(96, 192, 384, 768),
            ),
            Da3Config(
                name="da3-large",
                dim=1024,
                depth=24,
                heads=16,
                feed_forward="gelu",
                alternation_start=8,
                tapped_blocks=(11, 15, 19, 23),
                head_features=256,
                head_channels=(256, 512, 1024, 1024),
            ),
            Da3Config(
                name="da3-giant",
                dim=1536,
                depth=40,
                heads=24,
                feed_forward="swiglu",
                alternation_start=13,
                tapped_blocks=(19, 27, 33, 39),
                head_features=256,
                head_channels=(256, 512, 1024, 1024),
            ),
        )
    }
)


def architecture(name: str, **overrides: Any) -> Da3Config:
    """Look an architecture up, changed where `overrides` says so (tests make tiny ones this way).

    Raises:
        ValueError: if there is no such architecture, or the changed numbers do not fit together.
        TypeError: if an override is not a field of `Da3Config`.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown model {name!r}: choose one of {', '.join(ARCHITECTURES)}")
    return replace(ARCHITECTURES[name], **overrides)
