# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from da3_ros.evaluation.consistency import NormalisedError, chi_square_band


@pytest.mark.parametrize(("degrees", "runs"), [(6, 100), (1, 100), (6, 10)])
def test_band_is_that_of_the_chi_square_distribution(degrees: int, runs: int) -> None:
    expected = chi2.ppf((0.025, 0.975), degrees * runs) / runs

    np.testing.assert_allclose(chi_square_band(degrees, runs), expected, rtol=1e-3)


def test_error_holds_inside_the_band_only() -> None:
    band = (5.3, 6.7)

    assert NormalisedError("motion", 6.1, 6, band).holds
    assert not NormalisedError("motion", 7.0, 6, band).holds
    assert not NormalisedError("motion", 5.0, 6, band).holds
    assert not NormalisedError("motion", float("nan"), 6, band).holds
