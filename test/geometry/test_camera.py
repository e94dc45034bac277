# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras agree with OpenCV, and resizing and cropping keep every ray on its pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from test.strategies import pinhole_cameras, seeds

PLUMB_BOB = PinholeCamera((48, 64), 60.0, 58.0, 30.5, 25.0, "plumb_bob", (-0.3, 0.1, 0.002, -0.001, 0.02))
PLUMB_BOB_4 = PinholeCamera((48, 64), 60.0, 58.0, 30.5, 25.0, "plumb_bob", (-0.2, 0.05, 0.001, 0.003))
RATIONAL = PinholeCamera(
    (48, 64), 60.0, 58.0, 30.5, 25.0, "rational_polynomial", (0.4, 0.1, 1e-3, -2e-3, 0.01, 0.7, 0.2, 0.02)
)
EQUIDISTANT = PinholeCamera((48, 64), 30.0, 29.0, 31.0, 24.0, "equidistant", (0.05, -0.01, 0.002, -1e-4))
BROWN = [PLUMB_BOB, PLUMB_BOB_4, RATIONAL]


def points_before(camera: PinholeCamera, seed: int = 0) -> FloatArray:
    """Points within the image of the undistorted camera."""
    generator = np.random.default_rng(seed)
    directions = camera.rays()[generator.integers(0, camera.size[0], 50), generator.integers(0, camera.size[1], 50)]
    return directions * generator.uniform(0.2, 9.0, (50, 1))


@pytest.mark.parametrize("camera", BROWN)
def test_projection_agrees_with_opencv(camera: PinholeCamera) -> None:
    points = points_before(camera)

    theirs, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), camera.matrix, np.array(camera.distortion))
    np.testing.assert_allclose(camera.project(points), theirs[:, 0], atol=1e-10)


def test_projection_agrees_with_opencv_when_the_lens_is_a_fish_eye() -> None:
    points = points_before(EQUIDISTANT)[:, None]

    theirs, _ = cv2.fisheye.projectPoints(
        points, np.zeros(3), np.zeros(3), EQUIDISTANT.matrix, np.array(EQUIDISTANT.distortion)
    )
    np.testing.assert_allclose(EQUIDISTANT.project(points), theirs, atol=1e-10)


@pytest.mark.parametrize("camera", BROWN)
def test_undistortion_map_agrees_with_opencv(camera: PinholeCamera) -> None:
    height, width = camera.size
    map_u, map_v = cv2.initUndistortRectifyMap(
        camera.matrix, np.array(camera.distortion), np.eye(3), camera.matrix, (width, height), cv2.CV_32FC1
    )

    np.testing.assert_allclose(camera.undistortion_map(), np.stack((map_u, map_v), axis=-1), atol=1e-4)


def test_undistortion_map_agrees_with_opencv_when_the_lens_is_a_fish_eye() -> None:
    height, width = EQUIDISTANT.size
    map_u, map_v = cv2.fisheye.initUndistortRectifyMap(
        EQUIDISTANT.matrix,
        np.array(EQUIDISTANT.distortion),
        np.eye(3),
        EQUIDISTANT.matrix,
        (width, height),
        cv2.CV_32FC1,
    )

    np.testing.assert_allclose(EQUIDISTANT.undistortion_map(), np.stack((map_u, map_v), axis=-1), atol=1e-4)


@given(pinhole_cameras())
def test_rays_project_onto_their_own_pixels(camera: PinholeCamera) -> None:
    rows, cols = np.mgrid[: camera.size[0], : camera.size[1]]

    np.testing.assert_allclose(camera.project(2.5 * camera.rays()), np.stack((cols, rows), axis=-1), atol=1e-10)


@given(pinhole_cameras(), seeds)
def test_cropped_camera_sees_the_same_rays(camera: PinholeCamera, seed: int) -> None:
    generator = np.random.default_rng(seed)
    top, left = generator.integers(0, camera.size[0]), generator.integers(0, camera.size[1])
    size = (camera.size[0] - int(top), camera.size[1] - int(left))

    cropped = camera.cropped(int(top), int(left), size)

    np.testing.assert_allclose(cropped.rays(), camera.rays()[top:, left:], atol=1e-12)


@given(pinhole_cameras(), st.integers(1, 60), st.integers(1, 60))
def test_resized_camera_keeps_the_borders_of_the_image(camera: PinholeCamera, height: int, width: int) -> None:
    resized = camera.resized((height, width))

    for corner in ((-0.5, -0.5), (camera.size[1] - 0.5, camera.size[0] - 0.5)):
        ray = [(corner[0] - camera.cx_px) / camera.fx_px, (corner[1] - camera.cy_px) / camera.fy_px, 1.0]
        theirs = (np.array(corner) + 0.5) * (width / camera.size[1], height / camera.size[0]) - 0.5
        np.testing.assert_allclose(resized.project(ray), theirs, atol=1e-9)
    np.testing.assert_allclose(resized.resized(camera.size).matrix, camera.matrix, atol=1e-9)


def test_field_of_view_reaches_from_border_to_border() -> None:
    camera = PinholeCamera.from_field_of_view((40, 60), np.deg2rad(90))

    assert camera.fx_px == pytest.approx(30.0)
    np.testing.assert_allclose(camera.project([1.0, 0.0, 1.0]), [59.5, 19.5])


def test_projection_is_nan_when_a_point_is_behind_the_camera() -> None:
    assert np.isnan(PLUMB_BOB.project([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])).all()


@pytest.mark.parametrize(
    ("camera", "distorted"),
    [
        (PLUMB_BOB, True),
        (PLUMB_BOB.undistorted(), False),
        (PinholeCamera((4, 4), 1, 1, 1, 1, "plumb_bob", (0.0,) * 5), False),
        (PinholeCamera((4, 4), 1, 1, 1, 1, "equidistant", (0.0,) * 4), True),
    ],
)
def test_camera_knows_whether_it_bends_lines(camera: PinholeCamera, distorted: bool) -> None:
    assert camera.is_distorted == distorted
    assert distorted != np.allclose(camera.undistortion_map(), camera.undistorted().undistortion_map())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((4, 4), np.nan, 1.0, 0.0, 0.0), "NaN or infinity"),
        (((4, 4), 0.0, 1.0, 0.0, 0.0), "above zero"),
        (((0, 4), 1.0, 1.0, 0.0, 0.0), "above zero"),
        (((4, 4), 1.0, 1.0, 0.0, 0.0, "fov"), "not one of none, plumb_bob"),
        (((4, 4), 1.0, 1.0, 0.0, 0.0, "plumb_bob", (np.inf,)), "NaN or infinity"),
    ],
)
def test_camera_is_refused_when_its_numbers_mean_nothing(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PinholeCamera(*arguments)


def test_crop_is_refused_when_it_leaves_the_image() -> None:
    with pytest.raises(ValueError, match="leaves the image"):
        PLUMB_BOB.cropped(1, 0, PLUMB_BOB.size)
