# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How uncertain camera poses are, one by one and together.

The error of a view has seven numbers: a rotation vector e with R_true = exp(e) R (radians, world axes), the shift of
its centre (world axes and units), and the logarithm of the factor that its depth lacks: true depth = exp(e) depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from da3_ros.geometry.prediction import ViewKey
from da3_ros.geometry.rotation import FloatArray

VIEW_ERRORS = 7


@dataclass(frozen=True, slots=True)
class ViewNoise:
    """Standard deviations of one view's errors, independent of all other views.

    Attributes:
        rotation_rad: about each axis, radians.
        centre: along each axis, world units.
        log_depth: of the logarithm of the whole depth image's scale.
    """

    rotation_rad: float
    centre: float
    log_depth: float

    @property
    def variances(self) -> FloatArray:
        """(7,) in the order of a view's errors."""
        return np.repeat((self.rotation_rad**2, self.centre**2, self.log_depth**2), (3, 3, 1))


@dataclass(frozen=True, slots=True, eq=False)
class PoseErrors:
    """Joint covariance of the errors of N views.

    Attributes:
        keys: N identities.
        covariance: (7N, 7N) view by view.
    """

    keys: tuple[ViewKey, ...]
    covariance: FloatArray
