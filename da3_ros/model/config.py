# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Architectures as data: a network differs from another of its kind by numbers alone.

Seven are Depth Anything 3's; da3-nano is ours, the same network small enough to be trained on two CPU cores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, overload

AnyViewName: TypeAlias = Literal["da3-nano", "da3-small", "da3-base", "da3-large", "da3-giant"]
MonocularName: TypeAlias = Literal["da3mono-large", "da3metric-large"]
NestedName: TypeAlias = Literal["da3nested-giant-large"]

PATCH_SIZE: Final = 14
# Of the images that backbones began on: a network sees (image - mean) / deviation of an image from 0 to 1.
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
RESOLUTION: Final = 504  # longest side that official networks see unless told otherwise, pixels
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
        _check_taps(self.name, self.tapped_blocks, self.depth)
        first = self.tapped_blocks[0]
        if not 1 <= self.alternation_start <= first:
            raise ValueError(f"{self.name}: alternation_start {self.alternation_start} must lie in 1..{first}")
        if self.dim % (4 * self.heads) or self.dim % self.camera_heads:
            raise ValueError(f"{self.name}: dim {self.dim} does not split into {self.heads}/{self.camera_heads} heads")

    def is_global(self, block: int) -> bool:
        """Whether a backbone block attends over the tokens of all views."""
        return block >= self.alternation_start and block % 2 == 1


@dataclass(frozen=True, slots=True)
class MonocularConfig:
    """One architecture that sees every image alone.

    Attributes:
        name: public name, as in `da3metric-large`.
        dim: channels D of a token.
        depth: number of backbone blocks.
        heads: attention heads of a block.
        tapped_blocks: the four blocks whose output feeds the head, shallow to deep.
        head_features: channels of the head's fusion chain.
        head_channels: channels of the head's four pyramid stages, fine to coarse.
        canonical_focal_px: focal length at which the network's depth is in metres: at another focal length f,
            metres = depth * f / canonical_focal_px. None where depth has no unit.
    """

    name: str
    dim: int
    depth: int
    heads: int
    tapped_blocks: tuple[int, int, int, int]
    head_features: int
    head_channels: tuple[int, int, int, int]
    canonical_focal_px: float | None = None

    def __post_init__(self) -> None:
        """Reject numbers that do not describe a network."""
        _check_taps(self.name, self.tapped_blocks, self.depth)
        if self.dim % self.heads:
            raise ValueError(f"{self.name}: dim {self.dim} does not split into {self.heads} heads")

    @property
    def is_metric(self) -> bool:
        """Whether depth is in metres once the focal length is known."""
        return self.canonical_focal_px is not None


@dataclass(frozen=True, slots=True)
class NestedConfig:
    """An any-view network whose unit of length a metric one finds.

    Attributes:
        name: public name.
        any_view: the part that says shape and cameras.
        metric: the part that says metres and sky.
    """

    name: str
    any_view: Da3Config
    metric: MonocularConfig

    def __post_init__(self) -> None:
        """Reject parts that cannot work together."""
        if not self.metric.is_metric:
            raise ValueError(f"{self.name}: {self.metric.name} does not know metres")


Config: TypeAlias = Da3Config | MonocularConfig | NestedConfig


def _check_taps(name: str, tapped_blocks: tuple[int, ...], depth: int) -> None:
    if list(tapped_blocks) != sorted(set(tapped_blocks)) or tapped_blocks[-1] >= depth:
        raise ValueError(f"{name}: tapped_blocks {tapped_blocks} must rise and stay below {depth}")


_NANO: Final = Da3Config(
    name="da3-nano",
    dim=192,
    depth=8,
    heads=3,
    feed_forward="gelu",
    alternation_start=2,
    tapped_blocks=(2, 3, 5, 7),
    head_features=32,
    head_channels=(24, 48, 96, 192),
    camera_heads=3,
    camera_depth=1,
)
_SMALL: Final = Da3Config(
    name="da3-small",
    dim=384,
    depth=12,
    heads=6,
    feed_forward="gelu",
    alternation_start=4,
    tapped_blocks=(5, 7, 9, 11),
    head_features=64,
    head_channels=(48, 96, 192, 384),
)
_BASE: Final = Da3Config(
    name="da3-base",
    dim=768,
    depth=12,
    heads=12,
    feed_forward="gelu",
    alternation_start=4,
    tapped_blocks=(5, 7, 9, 11),
    head_features=128,
    head_channels=(96, 192, 384, 768),
)
_LARGE: Final = Da3Config(
    name="da3-large",
    dim=1024,
    depth=24,
    heads=16,
    feed_forward="gelu",
    alternation_start=8,
    tapped_blocks=(11, 15, 19, 23),
    head_features=256,
    head_channels=(256, 512, 1024, 1024),
)
_GIANT: Final = Da3Config(
    name="da3-giant",
    dim=1536,
    depth=40,
    heads=24,
    feed_forward="swiglu",
    alternation_start=13,
    tapped_blocks=(19, 27, 33, 39),
    head_features=256,
    head_channels=(256, 512, 1024, 1024),
)
_MONO: Final = MonocularConfig(
    name="da3mono-large",
    dim=1024,
    depth=24,
    heads=16,
    tapped_blocks=(4, 11, 17, 23),
    head_features=256,
    head_channels=(256, 512, 1024, 1024),
)
_METRIC: Final = replace(_MONO, name="da3metric-large", canonical_focal_px=300.0)
_NESTED: Final = NestedConfig("da3nested-giant-large", any_view=_GIANT, metric=_METRIC)

ARCHITECTURES: Final[Mapping[str, Config]] = MappingProxyType(
    {config.name: config for config in (_NANO, _SMALL, _BASE, _LARGE, _GIANT, _MONO, _METRIC, _NESTED)}
)
_TRAINED_RESOLUTIONS: Final = {_NANO.name: 224}  # of networks that saw nothing larger


def usual_resolution(name: str) -> int:
    """Longest side that a network sees unless a user says otherwise, pixels."""
    return _TRAINED_RESOLUTIONS.get(name, RESOLUTION)


@overload
def architecture(name: AnyViewName, **overrides: Any) -> Da3Config: ...
@overload
def architecture(name: MonocularName, **overrides: Any) -> MonocularConfig: ...
@overload
def architecture(name: NestedName, **overrides: Any) -> NestedConfig: ...
@overload
def architecture(name: str, **overrides: Any) -> Config: ...
def architecture(name: str, **overrides: Any) -> Config:
    """Look an architecture up, changed where `overrides` says so (tests make tiny ones this way).

    Raises:
        ValueError: if there is no such architecture, or the changed numbers do not fit together.
        TypeError: if an override is not a field of the architecture's configuration.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown model {name!r}: choose one of {', '.join(ARCHITECTURES)}")
    return replace(ARCHITECTURES[name], **overrides)
