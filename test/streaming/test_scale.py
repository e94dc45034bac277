# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What is known about metres is said, and nonsense is refused."""

from __future__ import annotations

import math

import pytest

from da3_ros.streaming.scale import fixed_scale, relative_scale


def test_relative_scale_is_never_metric() -> None:
    scale = relative_scale()

    assert (scale.source, scale.metres_per_unit, scale.is_metric) == ("relative", 1.0, False)
    assert math.isinf(scale.sigma)


def test_fixed_scale_is_believed() -> None:
    scale = fixed_scale(2.5)

    assert (scale.source, scale.metres_per_unit, scale.sigma, scale.is_metric) == ("fixed", 2.5, 0.0, True)


@pytest.mark.parametrize("factor", [0.0, -1.0, math.nan, math.inf])
def test_fixed_scale_is_refused_when_it_is_no_length(factor: float) -> None:
    with pytest.raises(ValueError, match="metres_per_unit must be a finite number above zero"):
        fixed_scale(factor)
