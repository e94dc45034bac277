# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How much memory a call of the network on the CPU will take at its peak, known before it is made.

A sum of few terms: what is kept anyway, and for the rest how many copies of one tensor are alive at the worst moment.
The copies are fitted to the measured peaks of processes that hand freed memory back (`nodes.memory`), by
`python -m test.inference.peak_memory_report --fit`. Lower precision counts by the size of the weights alone: what
bfloat16 saves in the tensors between layers, the kernels take again where they compute in float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch

from da3_ros.inference.engine import OutOfMemory
from da3_ros.model.config import PATCH_SIZE, Da3Config, MonocularConfig

MB: Final = 1 << 20
# See `one_copy` for what each is a copy of.
COPIES: Final[Mapping[str, float]] = MappingProxyType({"runtime": 30.0, "pixels": 0.65, "tokens": 11.8, "maps": 1.05})
# By how much the fitted sum falls short at most, and what peaks differ by from run to run.
SAFETY: Final = 1.4

_FLOAT_BYTES = 4
_FUSED_PIXELS = 64  # per patch: the fusion chain ends at eight pixels a side
_HIDDEN_CHANNELS = 32  # of the last full-size map
_DENSE_FIELDS, _RAY_FIELDS = 2, 7  # depth and confidence; ray and its confidence


@dataclass(frozen=True, slots=True)
class MemoryOfCall:
    """What the memory of a call depends on.

    Attributes:
        config: of the network.
        weight_bytes: of all its parameters as they are stored.
        views: V.
        size: (H, W) of the images that the network sees.
        views_at_once: views that the head takes at a time.
        want_rays: the ray branch runs as well.
        kept_bytes: what is kept beside the weights from call to call.
    """

    config: Da3Config | MonocularConfig
    weight_bytes: int
    views: int
    size: tuple[int, int]
    views_at_once: int = 2
    want_rays: bool = False
    kept_bytes: int = 0


def predicted_peak(call: MemoryOfCall) -> int:
    """Bytes that the network, and one call of it at its worst moment, take together."""
    working = sum(COPIES[name] * size for name, size in one_copy(call).items())
    return call.weight_bytes + call.kept_bytes + round(SAFETY * working)


def one_copy(call: MemoryOfCall) -> dict[str, int]:
    """Bytes of one copy of each tensor that counts, by the names in `COPIES`."""
    config, (H, W) = call.config, call.size
    patches = (H // PATCH_SIZE) * (W // PATCH_SIZE)
    fields = _DENSE_FIELDS * H * W + (_RAY_FIELDS * _FUSED_PIXELS * patches if call.want_rays else 0)
    fused = _FUSED_PIXELS * config.head_features
    full_size = PATCH_SIZE**2 * (config.head_features // 2 + _HIDDEN_CHANNELS)
    return {
        "runtime": MB,  # workspaces that depend on nothing, such as tiles of attention scores
        "pixels": _FLOAT_BYTES * call.views * (3 * H * W + fields),  # images, and what comes out
        "tokens": _FLOAT_BYTES * call.views * (patches + 1) * config.dim,
        "maps": _FLOAT_BYTES * min(call.views_at_once, call.views) * patches * (fused + full_size),  # end of the head
    }


def weight_bytes(network: torch.nn.Module) -> int:
    """Bytes of all parameters of a network as they are stored."""
    return sum(parameter.nbytes for parameter in network.parameters())


def half_at_once(views_at_once: int, views: int) -> int:
    """Half as many views at a time as a head would take of so many: also where it would take them all at once."""
    return max(1, min(views_at_once, views) // 2)


def check_fits(call: MemoryOfCall, max_memory_mb: int) -> None:
    """Refuse a call on the CPU that would take more than it may; 0 allows all.

    Raises:
        OutOfMemory: when it would.
    """
    peak_mb = -(-predicted_peak(call) // MB)
    if 0 < max_memory_mb < peak_mb:
        height, width = call.size
        raise OutOfMemory(
            f"{call.views} views of {height}x{width} would take {peak_mb} MB, and max_memory_mb leaves {max_memory_mb}"
        )


def limit_cuda_memory(device: torch.device, max_memory_mb: int) -> None:
    """Have PyTorch refuse to allocate more than this on a GPU; 0 allows all. Not run on a GPU yet."""
    if device.type == "cuda":
        index = device.index or 0  # PyTorch takes no device without one here
        total = torch.cuda.get_device_properties(index).total_memory
        torch.cuda.set_per_process_memory_fraction(
            min(1.0, max_memory_mb * MB / total) if max_memory_mb else 1.0, index
        )
