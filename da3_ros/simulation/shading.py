# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Colour of points on the surfaces of a room: texture times light, tone-mapped.

Every operation on a pixel is one correctly rounded IEEE operation or a table lookup, so that its colour depends on
nothing else: not on the batch, nor on how work is split among threads and vector lanes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from da3_ros.simulation.surface_look import SurfaceLook
from da3_ros.simulation.texture_atlas import sample_atlas, sample_level

EXPOSURE = 1.9
WHITE = 3.0  # radiance that becomes pure white
MIN_COSINE = 0.1  # views flatter than this blur no further


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """N rays of one view and what they hit.

    Attributes:
        x: (N,) float32 of the ray (x, y, 1) in the optical frame.
        y: (N,) float32.
        depth: (N,) float32 z, metres.
        solid: (N,) int64, 0 is the room's shell.
    """

    x: Tensor
    y: Tensor
    depth: Tensor
    solid: Tensor

    def split(self, size: int) -> Iterator[Samples]:
        """The same in runs of at most `size` samples."""
        planes = (self.x, self.y, self.depth, self.solid)
        return (Samples(*parts) for parts in zip(*(plane.split(size) for plane in planes), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class FacePoints:
    """The same samples on the faces they hit.

    Attributes:
        face: (N,) int64, 6 * solid + face.
        u: (N,) float32 in [-1, 1].
        v: (N,) float32 in [-1, 1].
        flatness: (N,) float32, 1 over the cosine between ray and normal, limited.
    """

    face: Tensor
    u: Tensor
    v: Tensor
    flatness: Tensor


def face_points(samples: Samples, unit_from_camera: Tensor, look: SurfaceLook) -> FacePoints:
    """Find faces and face coordinates.

    Args:
        samples: of one view.
        unit_from_camera: (3, 4, P) float32 affine maps into the unit spaces of all solids.
        look: of the room.
    """
    direction, point = [], []
    for row in unit_from_camera:
        x, y, z, origin = (column.index_select(0, samples.solid) for column in row)
        direction.append(x * samples.x + y * samples.y + z)
        point.append(direction[-1] * samples.depth + origin)
    size = [coordinate.abs() for coordinate in point]
    size[2] = size[2] * (size[2] >= look.cap_edge.index_select(0, samples.solid))
    on_z = (size[2] >= size[0]).logical_and_(size[2] >= size[1])
    on_y = (size[1] > size[0]).logical_and_(on_z.logical_not())
    share_z, share_y = on_z.float(), on_y.float()
    share_x = 1 - share_y - share_z
    across = point[0] * share_x + point[1] * share_y + point[2] * share_z
    face = samples.solid * 6 + on_y.long() * 2 + on_z.long() * 4 + (across > 0)
    reach = across.abs()
    squeeze = 1 + look.is_ball.index_select(0, samples.solid) * (reach - 1)
    slope = (direction[0] * share_x + direction[1] * share_y + direction[2] * share_z).abs()
    length = (samples.x * samples.x + samples.y * samples.y + 1).sqrt()
    cosine = slope * look.axis_half_m.index_select(0, face) / length
    return FacePoints(
        face,
        (point[0] + share_x * (point[1] - point[0])) / reach,
        (point[2] + share_z * (point[1] - point[2])) / squeeze,
        cosine.clamp(min=MIN_COSINE).reciprocal(),
    )


def colour(
    samples: Samples, points: FacePoints, look: SurfaceLook, spacing_rad: float, smooth_levels: bool = True
) -> Tensor:
    """What the samples look like.

    Args:
        samples: of one view.
        points: the same on faces.
        look: of the room.
        spacing_rad: angle between neighbouring samples at the image centre.
        smooth_levels: blend mip levels; samples that are averaged anyway can do without.

    Returns:
        (3, N) float32 display values in [0, 1].
    """
    albedo = _texture(samples, points, look, spacing_rad, smooth_levels)
    light = _light(points, look)
    radiance = torch.stack([(a * a) * e for a, e in zip(albedo, light, strict=True)]) * (EXPOSURE / 255**2)
    # Reinhard et al. 2002, "Photographic tone reproduction", eq. 4; display values are square roots.
    return (radiance * (1 + radiance * (1 / WHITE**2)) / (1 + radiance)).clamp(0, 1).sqrt()


def _texture(
    samples: Samples, points: FacePoints, look: SurfaceLook, spacing_rad: float, smooth_levels: bool
) -> list[Tensor]:
    u, v = points.u, points.v
    turned = look.texture_turned.index_select(0, points.face)
    s = u * look.texture_scale[0].index_select(0, points.face)
    t = v * look.texture_scale[1].index_select(0, points.face)
    s, t = s + turned * (t - s), t + turned * (s - t)
    s = s + look.texture_offset[0].index_select(0, points.face)
    t = t + look.texture_offset[1].index_select(0, points.face)
    footprint = look.texel_density.index_select(0, points.face) * samples.depth * spacing_rad
    level = 0.5 * _log2(footprint * footprint * points.flatness)
    start = look.texture_start.index_select(0, points.face)
    if smooth_levels:
        return sample_atlas(look.atlas, start, s, t, level)
    return sample_level(look.atlas, start, s, t, (level + 0.5).clamp(0, look.atlas.levels - 1).to(torch.int32))


def _log2(x: Tensor) -> Tensor:
    """Logarithm of positive float32 from their bits, to 0.09: exponent plus mantissa as a straight line."""
    return x.view(torch.int32).float() * 2.0**-23 - 127


def _light(points: FacePoints, look: SurfaceLook) -> list[Tensor]:
    """Irradiance (N,) of three channels, interpolated between light texels."""
    start = look.light_start.index_select(0, points.face)
    columns, rows = (size.index_select(0, points.face) for size in look.light_size)
    x, left = _between_texels(points.u, columns)
    y, low = _between_texels(points.v, rows)
    row = start + low * columns.long() + left
    indices = (row, row + 1, row + columns.long(), row + columns.long() + 1)
    result = []
    for channel in look.irradiance:
        low_left, low_right, high_left, high_right = (channel.index_select(0, index) for index in indices)
        lower = low_left + (low_right - low_left) * x
        upper = high_left + (high_right - high_left) * x
        result.append(lower + (upper - lower) * y)
    return result


def _between_texels(unit: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Share of the right of two neighbouring texels, and the index of the left one."""
    position = torch.minimum(((unit + 1) * count * 0.5 - 0.5).clamp(min=0), count - 1)
    left = torch.minimum(position.floor(), count - 2)
    return position - left, left.long()
