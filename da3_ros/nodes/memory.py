# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Keep freed memory for the next image."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h of glibc
_LARGEST_MESSAGE = 32 << 20
_KEPT = 256 << 20


def keep_freed_memory() -> None:
    """Have glibc reuse the megabytes of each image instead of handing them back to the kernel after every one.

    Otherwise each message's pages are mapped, zeroed and faulted in anew: about a fifth of the node's processor time
    (`da3_ros bench ros`). Elsewhere than on glibc this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_MESSAGE)
    mallopt(_M_TRIM_THRESHOLD, _KEPT)
    mallopt(_M_TOP_PAD, _KEPT // 4)
