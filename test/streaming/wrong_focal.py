# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What a network with a wrong focal length would say of a window whose truth is known.

It explains the same pixels as well as it can, and keeps depth right. If no view pans or tilts against the others this
has an exact answer; otherwise poses and points are fitted to the pixels, independently of what is tested with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.sparse import lil_matrix

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, nearest_rotation
from da3_ros.geometry.sim3 import rigid

CAMERA = PinholeCamera.from_field_of_view((48, 64), np.deg2rad(75))
HALF_ROOM = np.array([6.0, 2.5, 5.0])
BALLS = [
    (np.array([x, y, z]), radius)
    for x, y, z, radius in ((-1.2, 0.8, 2.2, 0.6), (1.0, -0.4, 3.2, 0.7), (2.6, 1.0, 2.6, 0.8), (0.2, 0.7, 1.8, 0.3))
]
ROWS_AND_COLUMNS = (4, 5)  # of points per view
DEPTH_WEIGHT = 0.1  # residual, in focal lengths, that a depth wrong by the factor e amounts to
OCCLUDED = 1.02  # depth over what the view shows there, from which on a point is hidden


@dataclass(frozen=True)
class Sightings:
    """M sightings of P points by V views, true to the window given."""

    points: FloatArray  # (P, 3) window axes
    view: npt.NDArray[np.intp]  # (M,)
    point: npt.NDArray[np.intp]  # (M,)
    seen: FloatArray  # (M, 2) x/z and y/z
    depth: FloatArray  # (M,)


def window_of(poses: FloatArray, camera: PinholeCamera = CAMERA) -> Prediction:
    """A room of 12 x 5 x 10 with balls in it, as cameras at these poses (V, 4, 4) see it: the truth."""
    rays = np.einsum("vij,hwj->vhwi", poses[:, :3, :3], camera.rays())
    centre = poses[:, None, None, :3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = ((np.sign(rays) * HALF_ROOM - centre) / rays).min(axis=-1)
        for middle, radius in BALLS:
            away = centre - middle
            a, b, c = (np.sum(first * second, axis=-1) for first, second in ((rays, rays), (rays, away), (away, away)))
            hit = (-b - np.sqrt(b**2 - a * (c - radius**2))) / a
            depth = np.where(hit > 0, np.minimum(depth, hit), depth)
    V = len(poses)
    return Prediction(
        images=np.zeros((*depth.shape, 3), np.uint8),
        depth=depth.astype(np.float32),
        confidence=np.ones(depth.shape, np.float32),
        window_from_camera=poses,
        cameras=(camera,) * V,
        predicted_cameras=(camera,) * V,
    )


def with_focal(camera: PinholeCamera, ratio: float) -> PinholeCamera:
    return replace(camera, fx_px=ratio * camera.fx_px, fy_px=ratio * camera.fy_px)


def explained_with_wrong_focal(truth: Prediction, ratio: float) -> Prediction:
    """The answer of a network that believes in `ratio` times the true focal length.

    Args:
        truth: a window without noise, whose cameras are those of the images.
        ratio: believed over true focal length.
    """
    rotation, centre = truth.window_from_camera[:, :3, :3], truth.window_from_camera[:, :3, 3]
    axes = nearest_rotation(rotation.sum(axis=0) + 1e-6 * rotation[0])  # the sum of a ring's may vanish
    look_alike = (rotation[:, :, 2] @ axes[:, 2]).min() > 0.5
    across = 1 / ratio if look_alike else 1.0
    stretch = axes @ np.diag([across, across, 1.0]) @ axes.T
    poses = rigid(rotation, centre @ stretch.T)
    if not np.allclose(rotation[:, :, 2], axes[:, 2], atol=1e-9):  # optical axes turn: no common stretch is exact
        poses = fitted(sightings(truth), poses, stretch, 1 / ratio)
    predicted = tuple(with_focal(camera, ratio) for camera in truth.cameras)
    return replace(truth, window_from_camera=poses, predicted_cameras=predicted)


def sightings(truth: Prediction) -> Sightings:
    """Points on a grid of every view, and who sees them."""
    H, W = truth.depth.shape[1:]
    row = np.linspace(0, H - 1, ROWS_AND_COLUMNS[0]).astype(int)[:, None]
    column = np.linspace(0, W - 1, ROWS_AND_COLUMNS[1]).astype(int)
    points = np.concatenate(
        [
            ((camera.rays()[row, column] * depth[row, column][..., None]) @ pose[:3, :3].T + pose[:3, 3]).reshape(-1, 3)
            for camera, depth, pose in zip(truth.cameras, truth.depth, truth.window_from_camera, strict=True)
        ]
    )
    found: list[tuple[int, int, float, float, float]] = []
    for view, (camera, depth, pose) in enumerate(
        zip(truth.cameras, truth.depth, truth.window_from_camera, strict=True)
    ):
        local = (points - pose[:3, 3]) @ pose[:3, :3]
        pixels = np.nan_to_num(camera.project(local), nan=-9)
        for index in np.flatnonzero(((pixels > -0.5) & (pixels < (W - 0.5, H - 0.5))).all(axis=1)).tolist():
            u, v = np.round(pixels[index]).astype(int)
            if local[index, 2] < OCCLUDED * depth[v, u]:
                x, y, z = local[index]
                found.append((view, index, x / z, y / z, z))
    view_index, point_index, *numbers = (np.array(part) for part in zip(*found, strict=True))
    return Sightings(points, view_index, point_index, np.stack(numbers[:2], axis=-1), numbers[2])


def fitted(given: Sightings, start: FloatArray, stretch: FloatArray, magnified: float) -> FloatArray:
    """Poses of a bundle adjustment to pixels that are read `magnified` times too far from the image centre."""
    V, P, M = len(start), len(given.points), len(given.view)

    def moved(unknown: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        motion, points = unknown[: 6 * V].reshape(V, 6), unknown[6 * V :].reshape(P, 3)
        return start[:, :3, :3] @ matrix_from_rotation_vector(motion[:, :3]), start[:, :3, 3] + motion[:, 3:], points

    def residuals(unknown: FloatArray) -> FloatArray:
        rotation, centre, points = moved(unknown)
        local = np.einsum("mji,mj->mi", rotation[given.view], points[given.point] - centre[given.view])
        error = local[:, :2] / local[:, 2:] - magnified * given.seen
        stray = DEPTH_WEIGHT * np.log(np.maximum(local[:, 2], 1e-3) / given.depth)
        return np.concatenate((error, stray[:, None]), axis=1).ravel()

    pattern = lil_matrix((3 * M, 6 * V + 3 * P), dtype=int)
    for sighting in range(M):
        rows = slice(3 * sighting, 3 * sighting + 3)
        pattern[rows, 6 * given.view[sighting] : 6 * given.view[sighting] + 6] = 1
        pattern[rows, 6 * V + 3 * given.point[sighting] : 6 * V + 3 * given.point[sighting] + 3] = 1
    first = np.concatenate((np.zeros(6 * V), (given.points @ stretch.T).ravel()))
    found = least_squares(residuals, first, jac_sparsity=pattern, x_scale="jac", max_nfev=100, ftol=1e-7)
    rotation, centre, _ = moved(found.x)
    return rigid(rotation, centre)
