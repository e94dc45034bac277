# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How far an image is from the true one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def psnr_db(image: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Peak signal-to-noise ratio, -10 log10 of the mean squared error; infinite when the images are equal.

    Args:
        image: any shape, values of 0..1.
        truth: the same shape.

    Raises:
        ValueError: when the shapes differ or there is no pixel.
    """
    ours, theirs = np.asarray(image, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if ours.shape != theirs.shape or not ours.size:
        raise ValueError(f"images to compare must have pixels and one size, not {ours.shape} and {theirs.shape}")
    error = float(np.mean((ours - theirs) ** 2))
    return float("inf") if error == 0 else -10 * float(np.log10(error))
