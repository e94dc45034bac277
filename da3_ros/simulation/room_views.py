# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Views of random rooms to train on: images, exact depth and poses, all a pure function of a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from da3_ros.simulation.camera_motions import MOTIONS
from da3_ros.simulation.free_space import clearance_m, coarse_depth
from da3_ros.simulation.lighting import LightDetail
from da3_ros.simulation.ray_caster import RayCaster
from da3_ros.simulation.room import Room
from da3_ros.simulation.room_variety import varied_room
from da3_ros.simulation.sensor import develop
from da3_ros.simulation.surface_look import SurfaceLook, build_look
from da3_ros.simulation.texture_bank import bank_atlas
from da3_ros.simulation.view_overlap import view_overlap

TRAINING_SEEDS = range(1 << 20, 1 << 21)
VALIDATION_SEEDS = range(1 << 21, (1 << 21) + 200)  # far enough that they share no textures with training
GENERATOR_VERSION = 2  # goes up whenever a seed gives other views
FOCAL_SHARES = (0.48, 0.72)  # of the image's width: 92 to 70 degrees
CLEARANCE_M = 0.27
NEAREST_MEDIAN_M = 0.9
USEFUL_OVERLAP = 0.3
COARSE_SAME_DEPTH = 0.15
TRIED = 4  # sequences per room of which the best is taken
LEAST_SHARE, GOOD_SHARE = 0.15, 0.5  # of ordered pairs that see much in common: refused below, taken at once above
EXPOSED = 0.5  # mean irradiance of walls, floor and ceiling
ROUGH_LIGHT = LightDetail(0.5, 0.4, 1, 1, 1, 2, 0.08, 0.2, True)


@dataclass(frozen=True, slots=True, eq=False)
class RoomViews:
    """N views of one room.

    Attributes:
        images: (N, H, W, 3) uint8 RGB.
        depth: (N, H, W) float32 z along the optical axis at the pixel centres, metres; NaN unknown.
        camera: of all views.
        world_from_camera: (N, 4, 4) float64 rigid, optical frames, metres.
        overlap: (N, N) float32 share of view i's pixels that view j sees.
    """

    images: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    camera: PinholeCamera
    world_from_camera: FloatArray
    overlap: npt.NDArray[np.float32]


def draw_room_views(seed: int, size: tuple[int, int] = (126, 168), views: int = 8) -> RoomViews:
    """Furnish, light and photograph a room.

    Args:
        seed: of everything; one of TRAINING_SEEDS or VALIDATION_SEEDS, or any other from zero on.
        size: (H, W) of the images.
        views: how many.
    """
    rng = np.random.default_rng((seed, 0x5EED))
    camera = _any_camera(size, rng)
    room, poses = _room_with_poses(seed, camera, views, rng)
    caster = RayCaster(room, _exposed(build_look(room, bank_atlas, ROUGH_LIGHT), rng))
    pictures, depths = zip(*(caster.picture(camera, pose, smooth_levels=False) for pose in poses), strict=True)
    depth = np.stack(depths)
    images = develop(torch.stack(pictures), rng)
    return RoomViews(images, depth, camera, poses, view_overlap(depth, camera, poses))


def _any_camera(size: tuple[int, int], rng: np.random.Generator) -> PinholeCamera:
    height, width = size
    focal = width * float(np.exp(rng.uniform(*np.log(FOCAL_SHARES))))
    return PinholeCamera(size, focal, focal, (width - 1) / 2, (height - 1) / 2)


def _room_with_poses(seed: int, camera: PinholeCamera, views: int, rng: np.random.Generator) -> tuple[Room, FloatArray]:
    """The first room of a seed in which there is place for the cameras, and their poses (N, 4, 4)."""
    motion = MOTIONS[seed % len(MOTIONS)]
    view_rad = 2 * float(np.arctan(camera.size[1] / 2 / camera.fx_px))
    attempt = 0
    while True:
        room = varied_room(seed, attempt)
        headings = motion(room, rng, views, view_rad)
        free = (clearance_m(room, headings.position) > CLEARANCE_M).all(axis=1)
        poses = headings.world_from_camera()[free][:TRIED]
        best, most = None, LEAST_SHARE
        for candidate in poses:
            score = _usefulness(room, camera, candidate)
            if score > most:
                best, most = candidate, score
            if most >= GOOD_SHARE:
                break
        if best is not None:
            return room, best
        attempt += 1


def _usefulness(room: Room, camera: PinholeCamera, poses: FloatArray) -> float:
    """Share of ordered pairs of views that see much in common; zero when a view looks at something too near."""
    depth = coarse_depth(room, camera, poses)
    if (np.median(depth, axis=(1, 2)) < NEAREST_MEDIAN_M).any():
        return 0.0
    overlap = view_overlap(depth, camera.resized(depth.shape[1:]), poses, 1, COARSE_SAME_DEPTH)
    np.fill_diagonal(overlap, 0)
    return float((overlap > USEFUL_OVERLAP).mean())


def _exposed(look: SurfaceLook, rng: np.random.Generator) -> SurfaceLook:
    """The same look under light of which the camera makes a well exposed image, more or less."""
    shell = look.irradiance[:, : int(look.light_start[6])]
    gain = EXPOSED * float(np.exp(rng.normal(0, 0.25))) / float(shell.mean())
    return replace(look, irradiance=look.irradiance * gain)
