# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from da3_ros.geometry.prediction import ViewKey
from da3_ros.simulation.faces import face_grids, face_patches
from da3_ros.simulation.furnishing import make_room
from da3_ros.simulation.lighting import bake_light
from da3_ros.simulation.materials import Material
from da3_ros.simulation.palette import CREAM, draw_materials
from da3_ros.simulation.patterns import TILING
from da3_ros.simulation.room import Room
from da3_ros.simulation.simulator import Simulation
from da3_ros.simulation.texture_atlas import LEVELS, SIDE, TextureAtlas, build_atlas, sample_atlas
from test.simulation.surfaces import signed_distance_m

COLOURS = {"few": (CREAM, (0.5, 0.3, 0.2), (0.2, 0.3, 0.6))}


@pytest.fixture(scope="module")
def atlas() -> TextureAtlas:
    return build_atlas({"brick": Material("bricks", COLOURS["few"])}, seed=3)


@pytest.fixture(scope="module")
def room() -> Room:
    return make_room(2)


def _sampled(atlas: TextureAtlas, s: np.ndarray, t: np.ndarray, level: float) -> np.ndarray:
    shape = s.shape
    channels = sample_atlas(
        atlas,
        torch.zeros(s.size, dtype=torch.int32),
        torch.from_numpy(s.astype(np.float32).ravel()),
        torch.from_numpy(t.astype(np.float32).ravel()),
        torch.full((s.size,), level),
    )
    return torch.stack(channels, dim=-1).numpy().reshape(*shape, 3)


@pytest.mark.parametrize("pattern", [name for name in TILING if name not in ("ball", "cardboard")])
def test_tiling_patterns_have_no_seam(pattern: str) -> None:
    picture = TILING[pattern](np.random.default_rng(1), COLOURS["few"], 256)  # type: ignore[index]

    for axis in (0, 1):
        steps = np.abs(np.diff(picture, axis=axis)).mean(axis=(1 - axis, 2))
        wrap = np.abs(np.take(picture, 0, axis) - np.take(picture, -1, axis)).mean()
        assert wrap <= steps.max() + 1e-6


def test_a_texture_is_read_back_at_its_texel_centres(atlas: TextureAtlas) -> None:
    line = (np.arange(SIDE) + 0.5) / SIDE
    s, t = np.meshgrid(line, line)

    read = _sampled(atlas, s + 3, t - 2, 0.0)  # whole repetitions change nothing

    packed = atlas.texels[: SIDE * SIDE].numpy().reshape(SIDE, SIDE)
    texels = np.stack([packed >> shift & 255 for shift in (0, 8, 16)], axis=-1)
    np.testing.assert_allclose(read, texels, atol=0.1)


def test_all_mip_levels_have_the_mean_of_the_texture(atlas: TextureAtlas) -> None:
    line = (np.arange(64) + 0.37) / 64
    s, t = np.meshgrid(line, line)
    mean = _sampled(atlas, *np.meshgrid((np.arange(SIDE) + 0.5) / SIDE, (np.arange(SIDE) + 0.5) / SIDE), 0.0).mean(
        (0, 1)
    )

    for level in range(3, LEVELS):
        assert np.abs(_sampled(atlas, s, t, float(level)).mean((0, 1)) - mean).max() < 2


def test_all_materials_can_be_painted() -> None:
    materials = draw_materials(np.random.default_rng(0))

    atlas = build_atlas(materials, seed=0)

    assert atlas.order == tuple(sorted(materials))
    assert len(torch.unique(atlas.texels)) > 1000


def test_light_is_finite_and_darker_under_the_table(room: Room) -> None:
    light = bake_light(room)
    floor = 4  # face of the shell
    first = light.grids.starts[floor]
    texels = slice(first, first + light.grids.columns[floor] * light.grids.rows[floor])
    position = face_patches((room.shell, *room.primitives), face_grids((room.shell, *room.primitives))).position
    x, y, _ = position[:, texels].numpy()
    brightness = light.irradiance[:, texels].mean(0).numpy()

    covered = (np.abs(x) < 0.4) & (np.abs(y) < 0.25)
    open_floor = np.hypot(x / room.walkway.semi_axes_m[0], y / room.walkway.semi_axes_m[1])
    open_floor = np.abs(open_floor - 1) < 0.1

    assert torch.isfinite(light.irradiance).all()
    assert (light.irradiance > 0).all()
    assert brightness[covered].mean() < 0.7 * brightness[open_floor].mean()


def test_light_texels_lie_on_their_solids(room: Room) -> None:
    solids = (room.shell, *room.primitives)
    grids = face_grids(solids)
    patches = face_patches(solids, grids)
    counts = grids.columns * grids.rows

    for index in range(0, len(solids), 7):
        texels = slice(grids.starts[6 * index], grids.starts[6 * index] + counts[6 * index : 6 * index + 6].sum())
        points = patches.position[:, texels].double().numpy().T
        assert np.abs(signed_distance_m(solids[index], points)).max() < 1e-5
        outward = points + 1e-3 * patches.normal[:, texels].double().numpy().T
        sign = -1 if index == 0 else 1
        assert (sign * signed_distance_m(solids[index], outward) > 5e-4).all()


def test_images_are_well_exposed_and_full_of_detail(simulation: Simulation) -> None:
    keys = [ViewKey(camera.name, stamp) for stamp in (0, 9_000_000_000) for camera in simulation.rig.cameras]
    images = np.stack([simulation.view(key).image for key in keys])

    assert 90 < images.mean() < 200
    assert (images == 0).all(axis=-1).mean() < 1e-3
    assert (images == 255).all(axis=-1).mean() < 0.15
    assert images.std() > 25
