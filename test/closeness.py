# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""One way to say that two arrays agree; NaN never agrees with a number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def max_relative_error(ours: npt.ArrayLike, theirs: npt.ArrayLike) -> float:
    """Largest absolute difference over the largest absolute reference value.

    Raises:
        AssertionError: on different shapes, or when either side has a NaN or infinity.
    """
    ours_array, theirs_array = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    assert ours_array.shape == theirs_array.shape, f"shape {ours_array.shape} != {theirs_array.shape}"
    assert np.isfinite(ours_array).all(), "ours has a NaN or infinity"
    assert np.isfinite(theirs_array).all(), "theirs has a NaN or infinity"
    scale = np.abs(theirs_array).max(initial=0.0)
    return float(np.abs(ours_array - theirs_array).max(initial=0.0) / (scale or 1.0))


def assert_close(ours: npt.ArrayLike, theirs: npt.ArrayLike, relative: float = 1e-5) -> None:
    """Fail unless the largest difference is at most `relative` of the largest reference value."""
    error = max_relative_error(ours, theirs)
    assert error <= relative, f"relative error {error:.3g} above {relative:.3g}"
