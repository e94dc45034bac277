# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Render a room: exact depth, and images with smooth edges.

Depth is found in float64, so that its float32 result is the true one rounded, and belongs to the pixel's centre. Colour
is taken at the centre too, save on edges between faces, where it is the mean of four rays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid_inverse
from da3_ros.simulation.hits import EDGE_SHIFTS_PX, Hits, cast_edges, cast_pixels
from da3_ros.simulation.primitives import SHAPES
from da3_ros.simulation.room import Room
from da3_ros.simulation.shading import Samples, colour, face_points
from da3_ros.simulation.surface_look import SurfaceLook, build_look

RUN = 80_000  # samples shaded at once


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One rendered image.

    Attributes:
        image: (H, W, 3) uint8 RGB, lens distortion included; black where a pixel sees nothing.
        depth: (H, W) float32 z along the optical axis at the pixel centres, metres; NaN where a pixel sees nothing.
        camera: of both.
        world_from_camera: (4, 4) float64 rigid, optical frame.
    """

    image: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    camera: PinholeCamera
    world_from_camera: FloatArray


class RayCaster:
    """Renders one room. Unless they are given, textures and light are made for the first image, and kept."""

    def __init__(self, room: Room, look: SurfaceLook | None = None) -> None:
        self.room = room
        solids = (room.shell, *room.primitives)
        self._world_from_unit = np.array([solid.world_from_unit for solid in solids])
        self._shapes = [solid.shape for solid in solids]
        self._shape_codes = torch.tensor([SHAPES.index(shape) for shape in self._shapes])
        self._look = look

    @torch.inference_mode()
    def depth(self, camera: PinholeCamera, world_from_camera: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Exact depth.

        Args:
            camera: any size, any distortion.
            world_from_camera: (4, 4) rigid, optical frame; inside the room.

        Returns:
            (H, W) float32 z along the optical axis at the pixel centres, metres; NaN where a pixel sees nothing.

        Raises:
            ValueError: when the camera is outside the room.
        """
        return self._cast(camera, np.asarray(world_from_camera, dtype=np.float64)).depth_image()

    @torch.inference_mode()
    def view(self, camera: PinholeCamera, world_from_camera: npt.ArrayLike) -> View:
        """Image and depth; arguments and errors as for `depth`."""
        pose = np.array(world_from_camera, dtype=np.float64)
        picture, depth = self.picture(camera, pose)
        return View((picture * 255 + 0.5).to(torch.uint8).numpy(), depth, camera, pose)

    @torch.inference_mode()
    def picture(
        self, camera: PinholeCamera, world_from_camera: npt.ArrayLike, smooth_levels: bool = True
    ) -> tuple[Tensor, npt.NDArray[np.float32]]:
        """The image as (H, W, 3) float32 display values in [0, 1], before any sensor, and depth.

        Arguments and errors as for `depth`; without `smooth_levels` textures are faster and step between their sizes.
        """
        hits = self._cast(camera, np.asarray(world_from_camera, dtype=np.float64))
        if self._look is None:
            self._look = build_look(self.room)
        return self._image(hits, self._look, smooth_levels), hits.depth_image()

    def _cast(self, camera: PinholeCamera, world_from_camera: FloatArray) -> Hits:
        centre, size = world_from_camera[:3, 3], self.room.size_m
        if not (np.abs(centre - (0, 0, size[2] / 2)) < size / 2).all():
            raise ValueError(f"the camera at {centre} m is outside the room of {size} m (origin: middle of the floor)")
        return cast_pixels(camera, rigid_inverse(world_from_camera) @ self._world_from_unit, self._shapes)

    def _image(self, hits: Hits, look: SurfaceLook, smooth_levels: bool) -> Tensor:
        """(H, W, 3) float32 display values."""
        camera = hits.camera
        pixel_rad = float((camera.fx_px * camera.fy_px) ** -0.5)
        face, image = _shaded(hits.samples(), hits, look, pixel_rad, smooth_levels)
        edges = _edge_pixels(face.reshape(camera.size))
        if len(edges):
            samples = cast_edges(hits, edges, self._shape_codes)
            _, four = _shaded(samples, hits, look, pixel_rad / 2, smooth_levels=False)
            first, second, third, fourth = four.reshape(3, len(EDGE_SHIFTS_PX), -1).unbind(1)
            image[:, edges] = ((first + second) + (third + fourth)) * 0.25
        pixels = image.reshape(3, *camera.size).permute(1, 2, 0).contiguous()
        if hits.grid.blind is not None:
            pixels[hits.grid.blind] = 0
        return pixels


def _shaded(
    samples: Samples, hits: Hits, look: SurfaceLook, spacing_rad: float, smooth_levels: bool = True
) -> tuple[Tensor, Tensor]:
    """Faces (N,) and colours (3, N) of samples, a run at a time, which bounds the memory."""
    faces, colours = [], []
    for run in samples.split(RUN):
        points = face_points(run, hits.unit_from_camera, look)
        faces.append(points.face)
        colours.append(colour(run, points, look, spacing_rad, smooth_levels))
    return torch.cat(faces), torch.cat(colours, dim=1)


def _edge_pixels(face: Tensor) -> Tensor:
    """Flat indices, ascending, of pixels (H, W) whose right, left, upper or lower neighbour shows another face."""
    is_edge = torch.zeros_like(face, dtype=torch.bool)
    across, down = face[:, 1:] != face[:, :-1], face[1:] != face[:-1]
    is_edge[:, 1:].logical_or_(across)
    is_edge[:, :-1].logical_or_(across)
    is_edge[1:].logical_or_(down)
    is_edge[:-1].logical_or_(down)
    return is_edge.reshape(-1).nonzero()[:, 0]
