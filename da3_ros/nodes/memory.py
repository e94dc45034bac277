# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of freed memory: kept for the next image, or handed back where there is little."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h of glibc
_LARGEST_MESSAGE = 32 << 20
_KEPT = 256 << 20
_LARGEST_KEPT_BLOCK = 4 << 20


def keep_freed_memory() -> None:
    """Have glibc reuse the megabytes of each image instead of handing them back to the kernel after every one.

    Otherwise each message's pages are mapped, zeroed and faulted in anew: about a fifth of the node's processor time
    (`da3_ros bench ros`). Elsewhere than on glibc this does nothing.
    """
    _tune({_M_MMAP_THRESHOLD: _LARGEST_MESSAGE, _M_TRIM_THRESHOLD: _KEPT, _M_TOP_PAD: _KEPT // 4})


def hand_back_freed_memory() -> None:
    """Have glibc hand all but small blocks back at once, so that the process takes what its tensors take.

    Otherwise freed blocks lie about in the heap, and the peak of a call is up to twice what it needs, as chance has it.
    The price is time, less of it with huge pages, which PyTorch asks for when this comes before its first tensor.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    _tune({_M_MMAP_THRESHOLD: _LARGEST_KEPT_BLOCK, _M_TRIM_THRESHOLD: _LARGEST_KEPT_BLOCK, _M_TOP_PAD: 0})


def _tune(settings: Mapping[int, int]) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    if mallopt is not None:
        for name, value in settings.items():
            mallopt(name, value)
