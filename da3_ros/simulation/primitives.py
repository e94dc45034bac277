# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Solids that a room is built of, and where rays enter them.

Every solid is one of three unit shapes, moved and stretched by an affine transform: the cube [-1, 1]^3, the unit ball,
and the upright cylinder of radius 1 with z in [-1, 1]. Rays are taken into the solid's unit space, where each shape is
an intersection of slabs and rounds, and where a ray parameter means the same as outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector

Shape = Literal["box", "ellipsoid", "cylinder"]
Vector = Sequence[Tensor] | Sequence[float] | Tensor
SHAPES: tuple[Shape, ...] = ("box", "ellipsoid", "cylinder")
FACES = ("-x", "+x", "-y", "+y", "-z", "+z")


@dataclass(frozen=True, slots=True, eq=False)
class Primitive:
    """One solid.

    Attributes:
        shape: which unit shape.
        world_from_unit: (4, 4) float64 affine: a rotation whose columns are scaled by the half sizes in metres.
        materials: name of the one material, or six, one per face of the unit cube in the order of FACES.
    """

    shape: Shape
    world_from_unit: FloatArray
    materials: tuple[str, ...]

    @property
    def half_m(self) -> FloatArray:
        """(3,) half sizes along the solid's own axes, metres."""
        return np.linalg.norm(self.world_from_unit[:3, :3], axis=0)

    def moved(self, a_from_world: npt.ArrayLike) -> Primitive:
        """The same solid after a rigid (4, 4) motion."""
        return replace(self, world_from_unit=np.asarray(a_from_world, dtype=np.float64) @ self.world_from_unit)


def solid(
    shape: Shape, centre_m: npt.ArrayLike, size_m: npt.ArrayLike, *materials: str, turn_rad: npt.ArrayLike = (0, 0, 0)
) -> Primitive:
    """A solid by its full size.

    Args:
        shape: which unit shape.
        centre_m: (3,) metres.
        size_m: (3,) full extents along its own axes, metres, above zero.
        *materials: one name, or six in the order of FACES.
        turn_rad: (3,) rotation vector, radians.

    Raises:
        ValueError: when a size is not above zero, or when there are neither one nor six materials.
    """
    size = np.asarray(size_m, dtype=np.float64)
    if not (size > 0).all():
        raise ValueError(f"a solid needs sizes above zero, not {size}")
    if len(materials) not in (1, len(FACES)):
        raise ValueError(f"a solid takes one material or six, not {len(materials)}: {materials}")
    affine = np.eye(4)
    affine[:3, :3] = (matrix_from_rotation_vector(turn_rad) if np.any(turn_rad) else np.eye(3)) * (size / 2)
    affine[:3, 3] = centre_m
    return Primitive(shape, affine, materials)


def entry(shape: Shape, origin: Vector, direction: Sequence[Tensor]) -> Tensor:
    """Ray parameter at which rays enter a unit shape.

    Args:
        shape: which unit shape.
        origin: three coordinates in unit space, numbers or tensors.
        direction: three tensors, not normalised; all broadcast together.

    Returns:
        The parameter, above zero; infinite where a ray misses or starts inside: a solid is not seen from within.
    """
    if shape == "box":
        intervals = [_slab(o, d) for o, d in zip(origin, direction, strict=True)]
    elif shape == "cylinder":
        intervals = [_round(origin[:2], direction[:2]), _slab(origin[2], direction[2])]
    else:
        intervals = [_round(origin, direction)]
    (near, far), *others = intervals
    for other_near, other_far in others:
        near, far = torch.maximum(near, other_near), torch.minimum(far, other_far)
    missed = (near <= far).logical_and_(near > 0).logical_not_()  # NaN is a miss
    return near.masked_fill_(missed, torch.inf)


def room_exit(origin: Vector, direction: Sequence[Tensor]) -> Tensor:
    """Ray parameter at which rays from inside the unit cube leave it; arguments as for `entry`."""
    x, y, z = (_slab(o, d)[1] for o, d in zip(origin, direction, strict=True))
    return torch.minimum(torch.minimum(x, y), z)


def _slab(o: Tensor | float, d: Tensor) -> tuple[Tensor, Tensor]:
    """Interval of the rays o + t d within [-1, 1]."""
    inverse = d.reciprocal()
    low, high = inverse * -(o + 1), inverse * -(o - 1)
    return torch.minimum(low, high), torch.maximum(low, high)


def _round(origin: Vector, direction: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Interval of the rays within the unit ball of the given axes, NaN if none: roots of a t^2 + 2 b t + c = 0."""
    a, b, c = direction[0] * direction[0], direction[0] * origin[0], origin[0] * origin[0] - 1
    for o, d in zip(origin[1:], direction[1:], strict=True):
        a, b, c = a + d * d, b + d * o, c + o * o
    root, inverse = (b * b - a * c).sqrt_(), a.reciprocal()
    return (-b - root) * inverse, (root - b) * inverse
