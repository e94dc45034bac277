# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A scene as 3D Gaussians (Kerbl et al. 2023, "3D Gaussian splatting for real-time radiance field rendering")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.rotation import FloatArray

FloatRows = npt.NDArray[np.float32]

# The constant basis function: a colour is 0.5 plus this times the first coefficient.
SH_CONSTANT = 0.5 / np.sqrt(np.pi)
MAX_SH_DEGREE = 3

# Which of one view's Gaussians to keep: those of its outer pixels and of what is far away are the least certain.
BORDER_SHARE = 8 / 256
NEAR_QUANTILE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Gaussians:
    """N Gaussians in one frame, whose unit is metres or a window's own.

    Attributes:
        means: (N, 3) float32.
        scales: (N, 3) float32 standard deviations along the Gaussian's own axes, above zero.
        quaternions: (N, 4) float32 wxyz of length 1: the frame from the Gaussian's axes.
        harmonics: (N, K, 3) float32, K = 1, 4, 9 or 16: colour as real spherical harmonics of the direction from the
            eye to the mean, in the frame. Red, green and blue (0..1) are 0.5 plus their sums. Order and signs within a
            degree are those of 3D Gaussian splatting: degree 1 is -y, z, -x.
        opacities: (N,) float32 in 0..1.
    """

    means: FloatRows
    scales: FloatRows
    quaternions: FloatRows
    harmonics: FloatRows
    opacities: FloatRows

    def __post_init__(self) -> None:
        count, bands = len(self.means), self.harmonics.shape[1:2]
        expected = {"means": (3,), "scales": (3,), "quaternions": (4,), "harmonics": (*bands, 3), "opacities": ()}
        for name, shape in expected.items():
            if getattr(self, name).shape != (count, *shape):
                raise ValueError(
                    f"{name} of {count} Gaussians must be {(count, *shape)}, not {getattr(self, name).shape}"
                )
        if bands not in [((degree + 1) ** 2,) for degree in range(MAX_SH_DEGREE + 1)]:
            raise ValueError(f"harmonics must have 1, 4, 9 or 16 coefficients, not {self.harmonics.shape}")
        if not (self.scales > 0).all():
            raise ValueError("scales of Gaussians must be above zero")

    def __len__(self) -> int:
        return len(self.means)

    def chosen(self, which: npt.NDArray[np.bool_]) -> Gaussians:
        """Those where `which` (N,) is true, in order."""
        return Gaussians(
            self.means[which],
            self.scales[which],
            self.quaternions[which],
            self.harmonics[which],
            self.opacities[which],
        )


def constant_harmonics(colours: npt.ArrayLike) -> FloatRows:
    """(N, 1, 3) coefficients of colours (N, 3) in 0..1 that look alike from everywhere."""
    return ((np.asarray(colours, dtype=np.float64) - 0.5) / SH_CONSTANT).astype(np.float32)[:, None]


def certain_pixels(
    depth: npt.ArrayLike, border_share: float = BORDER_SHARE, near_quantile: float = NEAR_QUANTILE
) -> npt.NDArray[np.bool_]:
    """Pixels whose Gaussians are worth keeping, by the rule of the published package.

    Args:
        depth: (V, H, W), NaN where unknown.
        border_share: share of the height, and of the width, that is left out on each side.
        near_quantile: share of each view's known depths that is near enough.

    Returns:
        (V, H, W).
    """
    known: FloatArray = np.asarray(depth)
    H, W = known.shape[1:]
    top, left = int(border_share * H), int(border_share * W)
    keep = np.zeros(known.shape, dtype=np.bool_)
    keep[:, top : H - top, left : W - left] = True
    for view, kept in zip(known, keep, strict=True):
        finite = np.isfinite(view)
        farthest = np.quantile(view[finite], near_quantile) if finite.any() else np.nan
        kept &= finite & (view <= farthest)
    return keep
