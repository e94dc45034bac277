# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Rendered views against true ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from da3_ros.evaluation.exact_gaussians import exact_gaussians
from da3_ros.evaluation.image_metrics import psnr_db
from da3_ros.evaluation.rendering import (
    RoomViews,
    constant_colour_views,
    rendered_views,
    room_views,
    window_from_world,
)
from da3_ros.geometry.gaussians import Gaussians
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import matrix_from_rotation_vector, quat_xyzw_from_matrix
from da3_ros.geometry.sim3 import Sim3
from test.closeness import assert_close

GAUGE = Sim3(0.4, matrix_from_rotation_vector((0.3, -1.0, 0.5)), np.array([1.0, -2.0, 0.5]))


@pytest.fixture(scope="module")
def room() -> RoomViews:
    return room_views(1, 2, 112)


def _moved(gaussians: Gaussians, a_from_b: Sim3) -> Gaussians:
    """Constant colours only."""
    w, x, y, z = gaussians.quaternions.T
    ax, ay, az, aw = quat_xyzw_from_matrix(a_from_b.rotation)
    product = (
        aw * w - ax * x - ay * y - az * z,
        aw * x + ax * w + ay * z - az * y,
        aw * y - ax * z + ay * w + az * x,
        aw * z + ax * y - ay * x + az * w,
    )
    return Gaussians(
        a_from_b.apply(gaussians.means).astype(np.float32),
        (a_from_b.scale * gaussians.scales).astype(np.float32),
        np.stack(product, axis=1).astype(np.float32),
        gaussians.harmonics,
        gaussians.opacities,
    )


def test_psnr_is_that_of_the_mean_squared_error() -> None:
    truth = np.zeros((2, 2, 3))
    image = truth.copy()
    image[0, 0, 0], image[1, 1, 2] = 0.3, 0.3

    assert psnr_db(image, truth) == pytest.approx(10 * math.log10(12 / 0.18))
    assert psnr_db(truth, truth) == math.inf


@pytest.mark.parametrize("shape", [(2, 2), (0, 2, 3)])
def test_psnr_refuses_images_that_cannot_be_compared(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must have pixels and one size"):
        psnr_db(np.zeros(shape), np.zeros((0, 2, 3)))


def test_exact_gaussians_show_new_views_and_one_colour_does_not(room: RoomViews) -> None:
    (exact,) = rendered_views(exact_gaussians(room.given), room.held_out)
    (constant,) = constant_colour_views(room.given, room.held_out)

    assert exact.psnr_db > 24
    assert exact.coverage > 0.97
    assert constant.psnr_db < exact.psnr_db - 5


def test_exact_gaussians_show_the_given_view_itself_best(room: RoomViews) -> None:
    gaussians = exact_gaussians(room.given[:1])

    (own,) = rendered_views(gaussians, room.given[:1])

    assert own.psnr_db > 26
    assert own.coverage > 0.99


def test_exact_gaussians_lie_on_the_surface_and_are_thin_across_it(room: RoomViews) -> None:
    view = room.given[0]

    gaussians = exact_gaussians([view])

    centre = view.world_from_camera[:3, 3]
    depth = (gaussians.means - centre) @ view.world_from_camera[:3, 2]
    assert_close(depth, view.depth[np.isfinite(view.depth)], relative=1e-5)
    assert (gaussians.scales[:, 2] < 0.06 * gaussians.scales[:, 1]).all()


def test_rendering_does_not_depend_on_the_frame_of_the_gaussians(room: RoomViews) -> None:
    gaussians = exact_gaussians(room.given)

    (here,) = rendered_views(gaussians, room.held_out)
    (there,) = rendered_views(_moved(gaussians, GAUGE), room.held_out, GAUGE)

    assert psnr_db(there.image, here.image) > 50


def test_window_is_found_again_from_depth_and_poses(room: RoomViews) -> None:
    truth = np.stack([view.world_from_camera for view in room.given])
    depth = np.stack([view.depth for view in room.given])
    cameras = tuple(view.camera for view in room.given)
    prediction = Prediction(
        images=np.stack([view.image for view in room.given]),
        depth=(GAUGE.scale * depth).astype(np.float32),
        confidence=np.ones_like(depth),
        window_from_camera=GAUGE.apply_to_poses(truth),
        cameras=cameras,
        predicted_cameras=cameras,
    )

    found = window_from_world(prediction, room.given)

    assert found.scale == pytest.approx(GAUGE.scale)
    assert_close(found.rotation, GAUGE.rotation)
    assert_close(found.translation, GAUGE.translation)
