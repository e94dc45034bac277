# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Tables by which the faces of a room are coloured: which texture, at what scale, under which light."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from da3_ros.simulation.faces import OTHER_AXES
from da3_ros.simulation.lighting import FINE_LIGHT, LightDetail, bake_light
from da3_ros.simulation.materials import Material
from da3_ros.simulation.primitives import FACES, Primitive
from da3_ros.simulation.room import Room
from da3_ros.simulation.texture_atlas import TextureAtlas, build_atlas

TURNED_ABOVE = 1.2  # wood on a face this much longer in v than in u has its grain turned
CAP_EDGE = 0.9999


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceLook:
    """F faces of P solids, numbered 6 * solid + face; solid 0 is the shell.

    Attributes:
        atlas: all textures.
        texture_start: (F,) int32 first texel of the face's texture.
        texture_turned: (F,) float32, 1 where the texture's u runs along the face's v, else 0.
        texture_scale: (2, F) float32 repetitions per unit along u and v of the face.
        texture_offset: (2, F) float32 repetitions.
        texel_density: (F,) float32 texels per metre.
        axis_half_m: (F,) float32 half size of the solid across the face.
        irradiance: (3, T) float32 light texels of all faces; a glowing face holds what it gives off.
        light_start: (F,) int64 first light texel.
        light_size: (2, F) float32 columns and rows of light texels.
        is_ball: (P,) float32, 1 for ellipsoids, else 0.
        cap_edge: (P,) float32, |z| in unit space from which a point may lie on a z face.
    """

    atlas: TextureAtlas
    texture_start: Tensor
    texture_turned: Tensor
    texture_scale: Tensor
    texture_offset: Tensor
    texel_density: Tensor
    axis_half_m: Tensor
    irradiance: Tensor
    light_start: Tensor
    light_size: Tensor
    is_ball: Tensor
    cap_edge: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class _Face:
    material: str
    half_across: float
    half_u: float
    half_v: float
    offset: tuple[float, float]


def build_look(
    room: Room,
    paint: Callable[[Mapping[str, Material], int], TextureAtlas] = build_atlas,
    detail: LightDetail = FINE_LIGHT,
) -> SurfaceLook:
    """Paint all textures of a room and light all its faces; takes seconds.

    Args:
        room: to be looked at.
        paint: makes the textures of the materials given, for the room's seed.
        detail: of the light.
    """
    solids = (room.shell, *room.primitives)
    faces = list(_faces(solids, np.random.default_rng(room.seed)))
    used = {face.material for face in faces}
    atlas = paint({name: room.materials[name] for name in sorted(used)}, room.seed)
    looks = [room.materials[face.material] for face in faces]
    scales = np.array([_scale(face, look) for face, look in zip(faces, looks, strict=True)], np.float32)
    offsets = np.array([face.offset if look.tile_m else (0.5, 0.5) for face, look in zip(faces, looks, strict=True)])
    light = bake_light(room, detail)
    sizes = np.stack((light.grids.columns, light.grids.rows)).astype(np.float32)
    irradiance = light.irradiance
    for number, look in enumerate(looks):
        if look.glow:
            first, count = light.grids.starts[number], light.grids.columns[number] * light.grids.rows[number]
            irradiance[:, first : first + count] = look.glow
    return SurfaceLook(
        atlas=atlas,
        texture_start=torch.tensor([atlas.start(face.material) for face in faces], dtype=torch.int32),
        texture_turned=_floats([_is_turned(face, look) for face, look in zip(faces, looks, strict=True)]),
        texture_scale=_floats(scales.T),
        texture_offset=_floats(offsets.T),
        texel_density=_floats(
            atlas.side * np.sqrt(scales.prod(axis=1) / [face.half_u * face.half_v for face in faces])
        ),
        axis_half_m=_floats([face.half_across for face in faces]),
        irradiance=irradiance,
        light_start=torch.from_numpy(light.grids.starts),
        light_size=_floats(sizes),
        is_ball=_floats([solid.shape == "ellipsoid" for solid in solids]),
        cap_edge=_floats([CAP_EDGE if solid.shape == "cylinder" else 0 for solid in solids]),
    )


def _faces(solids: tuple[Primitive, ...], rng: np.random.Generator) -> Iterator[_Face]:
    for solid in solids:
        half = solid.half_m.tolist()
        offset = (float(rng.uniform()), float(rng.uniform()))
        for face in range(len(FACES)):
            u, v = OTHER_AXES[face // 2]
            yield _Face(solid.materials[face % len(solid.materials)], half[face // 2], half[u], half[v], offset)


def _scale(face: _Face, look: Material) -> tuple[float, float]:
    if look.tile_m:
        return face.half_u / look.tile_m, face.half_v / look.tile_m
    return 0.5, 0.5


def _is_turned(face: _Face, look: Material) -> bool:
    return look.pattern == "wood" and face.half_v > TURNED_ABOVE * face.half_u


def _floats(values: object) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32, order="C"))
