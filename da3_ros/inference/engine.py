# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What every engine offers, and how it fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey

Image = npt.NDArray[np.uint8]  # (H, W, 3) RGB


class EngineError(RuntimeError):
    """The engine could not answer for these views; the next call may well succeed."""


class OutOfMemory(EngineError, MemoryError):  # noqa: N818  # named as PyTorch's and Python's own
    """There is not enough memory for these views: fewer or smaller ones may do."""


class Engine(Protocol):
    """Answers windows of views. One call at a time, always from the same thread."""

    def estimate(
        self,
        images: Sequence[Image],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: npt.ArrayLike | None = None,
        keys: Sequence[ViewKey] | None = None,
        *,
        effort: Effort = FULL_EFFORT,
    ) -> Prediction:
        """Predict depth and cameras of all views together.

        Args:
            images: V images (H, W, 3) uint8 RGB as taken, of any sizes.
            cameras: calibration of each image, or None where there is none; distortion is removed first.
            camera_from_world: (V, 4, 4) known rigid poses, optical frames, any unit, that guide the prediction. They
                need every view's calibration. The prediction is still in its own gauge.
            keys: identities of the views.
            effort: how to save memory; without a network there is nothing to save.

        Returns:
            The prediction, in the window's own gauge.

        Raises:
            ValueError: when an argument is malformed; the message names the view.
            EngineError: when the engine fails on well-formed arguments; `OutOfMemory` when less effort may succeed.
        """
        ...

    def warm_up(self, views: int, size: tuple[int, int]) -> None:
        """Do once, on blank images of (H, W) `size`, what is slow or may fail in the first call.

        Raises:
            EngineError: when the engine cannot answer so many views of that size.
        """
        ...


def check_keys(keys: Sequence[ViewKey] | None, views: int) -> None:
    """Raise `ValueError` when there are keys, but not one for each of V views."""
    if keys is not None and len(keys) != views:
        raise ValueError(f"{views} images came with {len(keys)} keys: give one for each")
