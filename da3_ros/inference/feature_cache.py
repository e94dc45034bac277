# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of single images from earlier windows: their resized pixels and their features.

Both depend on one image alone, so to use them again is exact. A window that shares images with the last one computes
only what is new or looks across views.
"""

from __future__ import annotations

import hashlib
import weakref
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.prediction import ViewKey

_REMEMBERED_IMAGES = 256


@dataclass(frozen=True, slots=True)
class ImageIdentity:
    """One image and its pixels: equal identities mean equal pixels, whatever a camera's clock says.

    Attributes:
        key: camera and stamp.
        shape: of the image.
        digest: of its pixels.
    """

    key: ViewKey
    shape: tuple[int, ...]
    digest: bytes


class ImageIdentities:
    """Tells images apart by their pixels, and reads those of a read-only array once only.

    A `Frame` makes its image read-only; an array that may still change, or is a part of one that may, is read whenever
    it is asked for.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[ViewKey, tuple[weakref.ref[npt.NDArray[np.uint8]], ImageIdentity]] = OrderedDict()

    def of(self, key: ViewKey, image: npt.NDArray[np.uint8]) -> ImageIdentity:
        """The identity of an image (H, W, 3) uint8 that came under `key`."""
        reference, identity = self._seen.pop(key, (None, None))
        if reference is None or identity is None or reference() is not image or _may_change(image):
            digest = hashlib.sha1(np.ascontiguousarray(image).data, usedforsecurity=False).digest()
            identity = ImageIdentity(key, image.shape, digest)
        self._seen[key] = (weakref.ref(image), identity)
        if len(self._seen) > _REMEMBERED_IMAGES:
            self._seen.popitem(last=False)
        return identity


def _may_change(image: npt.NDArray[np.uint8]) -> bool:
    """Whether an array, or the one whose memory it shares, can be written to."""
    owner: npt.NDArray[Any] = image
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    return image.flags.writeable or owner.flags.writeable


class FeatureCache:
    """Values of bounded size in all; the one that was not asked for longest goes first.

    Args:
        max_bytes: of all values together; 0 keeps nothing.

    Attributes:
        max_bytes: as given.
        size_bytes: of all values now.
        hits: values that were asked for and there.
        misses: values that were asked for and not there.
    """

    def __init__(self, max_bytes: int) -> None:
        if max_bytes < 0:
            raise ValueError(f"the cache cannot hold {max_bytes} bytes: give 0 for none, or a size above it")
        self.max_bytes = max_bytes
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self.size_bytes = self.hits = self.misses = 0

    def get(self, key: Hashable) -> Any | None:
        """The value of a key, or None."""
        found = self._values.get(key)
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        self._values.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: Any, size_bytes: int) -> None:
        """Keep a value that nobody will change, if there is room for it at all."""
        _, before = self._values.pop(key, (None, 0))
        self.size_bytes -= before
        if size_bytes > self.max_bytes:
            return
        self._values[key] = (value, size_bytes)
        self.size_bytes += size_bytes
        while self.size_bytes > self.max_bytes:
            _, (_, freed) = self._values.popitem(last=False)
            self.size_bytes -= freed

    def clear(self) -> None:
        """Forget all."""
        self._values.clear()
        self.size_bytes = 0
