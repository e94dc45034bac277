# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Light that falls on every surface of a room: soft shadows and one bounce, computed once per room.

Lamps and windows are sampled at points; the first bounce is a set of points on walls, floor and ceiling which give off
what falls on them (Keller 1997, "Instant radiosity"). All reflection is diffuse, so that a surface looks the same from
everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from da3_ros.geometry.rotation import FloatArray
from da3_ros.simulation.faces import FaceGrids, Patches, face_grids, face_patches
from da3_ros.simulation.primitives import FACES, Primitive, entry
from da3_ros.simulation.room import AreaLight, Room
from da3_ros.simulation.shadow_cones import SHADOW_BIAS, visible_outside_cones

SOFTENING_M2 = 0.3  # keeps the light beside a sample point finite
AMBIENT = 0.1  # stands for all later bounces


@dataclass(frozen=True, slots=True)
class LightDetail:
    """How finely light is computed.

    Attributes:
        pitch_m: greatest distance of light texels on solids.
        shell_pitch_m: and on walls, floor and ceiling.
        window_samples: points per side of a light that shines to one side.
        lamp_samples: points per side of a light that shines all round.
        bounce_samples: points per side of a wall, floor or ceiling.
        ball_texels: least per side of a face of an ellipsoid.
        thin_m: median half size below which a solid does not shadow direct light.
        bounce_thin_m: the same (a leg, a frame) for bounced light.
        has_cones: look for shadows only in the cones behind the solids: faster, and rounds a little differently.
    """

    pitch_m: float = 0.09
    shell_pitch_m: float = 0.12
    window_samples: int = 3
    lamp_samples: int = 2
    bounce_samples: int = 2
    ball_texels: int = 4
    thin_m: float = 0.0
    bounce_thin_m: float = 0.05
    has_cones: bool = False


FINE_LIGHT = LightDetail()


@dataclass(frozen=True, slots=True, eq=False)
class LightMap:
    """Irradiance on all faces of a room.

    Attributes:
        irradiance: (3, T) float32 red, green, blue, in units of the picture.
        grids: which texels are whose.
    """

    irradiance: Tensor
    grids: FaceGrids


@dataclass(frozen=True, slots=True, eq=False)
class _Emitters:
    """E points that shine.

    Attributes:
        position: (E, 3) world.
        normal: (E, 3) the side they shine to, zero: all round.
        colour: (E, 3) irradiance at one metre.
    """

    position: FloatArray
    normal: FloatArray
    colour: FloatArray


def bake_light(room: Room, detail: LightDetail = FINE_LIGHT) -> LightMap:
    """Light all faces of a room."""
    solids = (room.shell, *room.primitives)
    grids = face_grids(solids, detail.pitch_m, detail.shell_pitch_m, detail.ball_texels)
    lamps, bounce_points = _lamps(room.lights, detail), _bounce_points(room, detail.bounce_samples)
    texels = face_patches(solids, grids)
    shading, bounce_shading = (_thicker(room, half_m) for half_m in (detail.thin_m, detail.bounce_thin_m))
    visible = visible_outside_cones if detail.has_cones else _visible
    points = texels.joined(bounce_points)
    direct = _irradiance(lamps, points, visible(shading, lamps.position, points))
    bounce = _bounced(room, bounce_points, direct[:, texels.count :].double().numpy(), detail.bounce_samples)
    lit = visible(bounce_shading, bounce.position, texels)
    irradiance = direct[:, : texels.count] + _irradiance(bounce, texels, lit) + AMBIENT
    return LightMap(irradiance.contiguous(), grids)


def _thicker(room: Room, half_m: float) -> tuple[Primitive, ...]:
    return tuple(solid for solid in room.primitives if sorted(solid.half_m.tolist())[1] > half_m)


def _lamps(lights: tuple[AreaLight, ...], detail: LightDetail) -> _Emitters:
    positions, normals, colours = [], [], []
    for light in lights:
        side = detail.window_samples if light.normal.any() else detail.lamp_samples
        steps = (np.arange(side) + 0.5) / side - 0.5
        share = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
        positions.append(light.centre_m + share @ light.edges_m)
        normals.append(np.tile(light.normal, (len(share), 1)))
        colours.append(np.tile(np.multiply(light.colour, light.power / len(share)), (len(share), 1)))
    return _Emitters(np.concatenate(positions), np.concatenate(normals), np.concatenate(colours))


def _bounce_points(room: Room, samples: int) -> Patches:
    counts = np.full(len(FACES), samples)
    return face_patches((room.shell,), FaceGrids.of(counts, counts))


def _bounced(room: Room, points: Patches, irradiance: FloatArray, samples: int) -> _Emitters:
    """What the shell gives off: a diffuse patch of area A shines with E albedo A / pi at one metre (Lambert)."""
    x, y, z = room.size_m
    areas = np.array([y * z, y * z, x * z, x * z, x * y, x * y]) / samples**2
    albedo = np.array([room.materials[name].colours[0] for name in room.shell.materials]) ** 2
    exitance = np.repeat(albedo * areas[:, None] / np.pi, samples**2, axis=0)
    return _Emitters(points.position.T.double().numpy(), points.normal.T.double().numpy(), exitance * irradiance.T)


def _irradiance(emitters: _Emitters, patches: Patches, lit: Tensor) -> Tensor:
    """(3, T) light from all emitters where they are seen, (E, T) bool."""
    total = torch.zeros(3, patches.count)
    for e, (position, normal, colour) in enumerate(
        zip(emitters.position.tolist(), emitters.normal.tolist(), emitters.colour.tolist(), strict=True)
    ):
        away = [patches.position[i] - position[i] for i in range(3)]
        squared = (away[0] * away[0] + away[1] * away[1] + away[2] * away[2]).clamp(min=1e-6)
        received = -(away[0] * patches.normal[0] + away[1] * patches.normal[1] + away[2] * patches.normal[2])
        strength = received.clamp(min=0) / squared.sqrt()
        if any(normal):
            given = away[0] * normal[0] + away[1] * normal[1] + away[2] * normal[2]
            strength = strength * given.clamp(min=0) / squared.sqrt()
        strength = strength * lit[e] / (squared + SOFTENING_M2)
        for channel in range(3):
            total[channel] += strength * colour[channel]
    return total


def _visible(solids: tuple[Primitive, ...], origins: FloatArray, patches: Patches) -> Tensor:
    """(E, T) bool, whether nothing stands between an origin and a patch."""
    blocked = torch.zeros(len(origins), patches.count, dtype=torch.bool)
    for solid in solids:
        unit_from_world = np.linalg.inv(solid.world_from_unit)
        in_unit = patches.moved(unit_from_world)
        starts = origins @ unit_from_world[:3, :3].T + unit_from_world[:3, 3]
        for e, start in enumerate(starts.tolist()):
            reached = entry(solid.shape, start, [in_unit[i] - start[i] for i in range(3)])
            blocked[e].logical_or_(reached < 1 - SHADOW_BIAS)
    return blocked.logical_not_()
