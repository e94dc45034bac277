# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""New views of a simulated room from Gaussians of other views, compared with the true images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from da3_ros.evaluation.depth_metrics import median_scale
from da3_ros.evaluation.image_metrics import psnr_db
from da3_ros.evaluation.splat_renderer import SplatTensors, render
from da3_ros.geometry.gaussians import Gaussians
from da3_ros.geometry.prediction import Prediction, ViewKey
from da3_ros.geometry.rotation import mean_rotation
from da3_ros.geometry.sim3 import Sim3, rigid_inverse
from da3_ros.simulation.ray_caster import View
from da3_ros.simulation.rig import single_camera_rig
from da3_ros.simulation.simulator import Simulation

FIRST_NS = 2_000_000_000
STEP_NS = 800_000_000  # between two views that are given
PATCH_PX = 14


@dataclass(frozen=True, slots=True, eq=False)
class RoomViews:
    """Views of one room along a path: those that are given, and between them those that are to be rendered."""

    given: tuple[View, ...]
    held_out: tuple[View, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RenderedView:
    """One held-out view.

    Attributes:
        image: (H, W, 3) float32 in 0..1.
        coverage: mean share of the background that Gaussians hide.
        psnr_db: against the true image.
    """

    image: npt.NDArray[np.float32]
    coverage: float
    psnr_db: float


def room_views(room: int, given: int, longest_side_px: int) -> RoomViews:
    """Views of a camera that walks through a room of its own, 16:9 as nearly as whole patches allow.

    Args:
        room: seed.
        given: how many views are given, at least two; one fewer are held out.
        longest_side_px: width of all images.
    """
    width, height = (max(round(side / PATCH_PX), 1) * PATCH_PX for side in (longest_side_px, longest_side_px * 9 / 16))
    simulation = Simulation(room, single_camera_rig((height, width)))

    def at(step: float) -> View:
        return simulation.view(ViewKey("front", FIRST_NS + round(step * STEP_NS)))

    return RoomViews(tuple(at(i) for i in range(given)), tuple(at(i + 0.5) for i in range(given - 1)))


def rendered_views(
    gaussians: Gaussians, held_out: Sequence[View], frame_from_world: Sim3 | None = None
) -> Iterator[RenderedView]:
    """Render the held-out views, one by one.

    Args:
        gaussians: in any frame.
        held_out: true images and poses.
        frame_from_world: from the world of the poses to the frame of the Gaussians; None when they are the same.
    """
    splats = SplatTensors.of(gaussians)
    for view in held_out:
        pose = view.world_from_camera
        pose = pose if frame_from_world is None else frame_from_world.apply_to_poses(pose)
        with torch.inference_mode():
            rendering = render(splats, view.camera, rigid_inverse(pose))
        image = rendering.image.clamp(max=1).numpy()
        yield RenderedView(image, float(rendering.coverage.mean()), psnr_db(image, view.image / 255))


def constant_colour_views(given: Sequence[View], held_out: Sequence[View]) -> list[RenderedView]:
    """What knows nothing but the mean colour of the given views."""
    colour = np.mean([view.image.mean(axis=(0, 1)) for view in given], axis=0) / 255
    images = [np.broadcast_to(colour, view.image.shape).astype(np.float32) for view in held_out]
    return [
        RenderedView(image, 0.0, psnr_db(image, view.image / 255)) for image, view in zip(images, held_out, strict=True)
    ]


def window_from_world(prediction: Prediction, given: Sequence[View]) -> Sim3:
    """Where the true world lies in a window: the unit by depth, axes and origin by the poses of all views.

    Args:
        prediction: of exactly the given views.
        given: true depth and poses.

    Raises:
        DegenerateGeometryError: when depth or poses make no sense.
    """
    truth = np.stack([view.world_from_camera for view in given])
    scale = 1 / median_scale(prediction.depth, np.stack([view.depth for view in given]))
    turns = prediction.window_from_camera[:, :3, :3] @ truth[:, :3, :3].swapaxes(1, 2)
    turn = mean_rotation(turns)
    shift = prediction.window_from_camera[:, :3, 3] - scale * truth[:, :3, 3] @ turn.T
    return Sim3(scale, turn, shift.mean(axis=0))
