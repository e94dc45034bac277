# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Rotates colours that depend on the direction of view: real spherical harmonics up to degree 2.

Basis and signs are those of 3D Gaussian splatting (Kerbl et al. 2023). Up to a factor per degree:

    degree 0   1
    degree 1   -y, z, -x
    degree 2   xy, -yz, (2zz - xx - yy) / (2 sqrt 3), -xz, (xx - yy) / 2

A function of degree 1 is a vector and one of degree 2 a symmetric traceless matrix, so that they turn as these do; no
angles, and no poles.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

MAX_DEGREE = 2
COEFFICIENTS = (MAX_DEGREE + 1) ** 2

# Rows: the coefficients of degree 1 as vectors.
_VECTORS = ((0.0, -1.0, 0.0), (0.0, 0.0, 1.0), (-1.0, 0.0, 0.0))
# The coefficients of degree 2 as matrices of Frobenius norm 1, orthogonal to each other.
_A, _B = 1 / math.sqrt(2), 1 / math.sqrt(6)
_MATRICES = (
    ((0.0, _A, 0.0), (_A, 0.0, 0.0), (0.0, 0.0, 0.0)),
    ((0.0, 0.0, 0.0), (0.0, 0.0, -_A), (0.0, -_A, 0.0)),
    ((-_B, 0.0, 0.0), (0.0, -_B, 0.0), (0.0, 0.0, 2 * _B)),
    ((0.0, 0.0, -_A), (0.0, 0.0, 0.0), (-_A, 0.0, 0.0)),
    ((_A, 0.0, 0.0), (0.0, -_A, 0.0), (0.0, 0.0, 0.0)),
)


def harmonics_rotation(world_from_camera: Tensor) -> Tensor:
    """What turns coefficients of a function of camera directions into those of the same function of world directions.

    Args:
        world_from_camera: (..., 3, 3) rotations.

    Returns:
        (..., 9, 9) orthogonal, one block per degree: `world_coefficients = matrix @ camera_coefficients`.
    """
    vectors, matrices = world_from_camera.new_tensor(_VECTORS), world_from_camera.new_tensor(_MATRICES)
    turned = torch.einsum("...ij,njk,...lk->...nil", world_from_camera, matrices, world_from_camera)
    rotation = world_from_camera.new_zeros(*world_from_camera.shape[:-2], COEFFICIENTS, COEFFICIENTS)
    rotation[..., 0, 0] = 1
    rotation[..., 1:4, 1:4] = vectors @ world_from_camera @ vectors.T
    rotation[..., 4:, 4:] = torch.einsum("mij,...nij->...mn", matrices, turned)
    return rotation
