# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Colours that depend on the direction of view: real spherical harmonics as 3D Gaussian splatting orders them.

Sloan 2013, "Efficient spherical harmonic evaluation", lists the polynomials; signs are those of Kerbl et al. 2023,
where odd orders carry a minus.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def harmonics_basis(directions: Tensor, coefficients: int) -> Tensor:
    """Values of the basis functions.

    Args:
        directions: (..., 3) of length 1.
        coefficients: 1, 4, 9 or 16 of them.

    Returns:
        (..., coefficients).
    """
    x, y, z = directions.unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    functions = [torch.full_like(x, 0.5)]
    if coefficients > 1:
        functions += [_root(3, 4) * f for f in (-y, z, -x)]
    if coefficients > 4:
        functions += [_root(15, 4) * f for f in (x * y, -y * z)]
        functions += [_root(5, 16) * (2 * zz - xx - yy), -_root(15, 4) * x * z, _root(15, 16) * (xx - yy)]
    if coefficients > 9:
        functions += [-_root(35, 32) * y * (3 * xx - yy), _root(105, 4) * x * y * z, -_root(21, 32) * y * (5 * zz - 1)]
        functions += [_root(7, 16) * z * (5 * zz - 3), -_root(21, 32) * x * (5 * zz - 1)]
        functions += [_root(105, 16) * z * (xx - yy), -_root(35, 32) * x * (xx - 3 * yy)]
    return torch.stack(functions, dim=-1) / math.sqrt(math.pi)


def seen_colours(harmonics: Tensor, directions: Tensor) -> Tensor:
    """Colours (N, 3), zero and above, of coefficients (N, K, 3) seen along (N, 3) directions of length 1."""
    basis = harmonics_basis(directions, harmonics.shape[1])
    return (torch.einsum("nk,nkc->nc", basis, harmonics) + 0.5).clamp(min=0)


def _root(numerator: float, denominator: float) -> float:
    return math.sqrt(numerator / denominator)
