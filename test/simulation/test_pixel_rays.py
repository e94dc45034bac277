# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.simulation.pixel_rays import pixel_rays, ray_grid
from test.strategies import pinhole_cameras

SIZE = (24, 32)
WIDE = PinholeCamera(SIZE, 20.0, 21.0, 15.2, 11.7)
small = st.floats(-0.05, 0.05)


def _worst_pixel_error(camera: PinholeCamera) -> float:
    columns, rows = np.meshgrid(np.arange(camera.size[1]), np.arange(camera.size[0]))
    back = camera.project(3.7 * pixel_rays(camera))
    return float(np.abs(back - np.stack((columns, rows), axis=-1)).max())


def _distorted(model: str, coefficients: tuple[float, ...]) -> PinholeCamera:
    return PinholeCamera(SIZE, WIDE.fx_px, WIDE.fy_px, WIDE.cx_px, WIDE.cy_px, model, coefficients)


@given(camera=pinhole_cameras())
def test_pixel_rays_project_back_onto_their_pixels(camera: PinholeCamera) -> None:
    assert _worst_pixel_error(camera) < 1e-9


@settings(max_examples=25)
@given(k1=st.floats(-0.15, 0.3), k2=small, p1=small, p2=small)
def test_pixel_rays_invert_brown_distortion(k1: float, k2: float, p1: float, p2: float) -> None:
    assert _worst_pixel_error(_distorted("plumb_bob", (k1, abs(k2), p1 / 5, p2 / 5))) < 1e-8


@settings(max_examples=25)
@given(k1=small, k2=small, k4=small)
def test_pixel_rays_invert_rational_distortion(k1: float, k2: float, k4: float) -> None:
    camera = _distorted("rational_polynomial", (0.2 + k1, 0.05 + k2, 0.001, -0.001, 0.0, 0.1 + k4, 0.02, 0.0))

    assert _worst_pixel_error(camera) < 1e-8


@settings(max_examples=25)
@given(k1=small, k2=small)
def test_pixel_rays_invert_fisheye_distortion(k1: float, k2: float) -> None:
    assert _worst_pixel_error(_distorted("equidistant", (k1 / 3, k2 / 9, 0.0, 0.0))) < 1e-8


def test_pixel_rays_are_nan_where_a_fisheye_looks_backwards() -> None:
    camera = PinholeCamera((41, 41), 10.0, 10.0, 20.0, 20.0, "equidistant", (0.0, 0.0, 0.0, 0.0))
    angle = np.hypot(*(np.indices((41, 41)) - 20)) / 10

    rays = pixel_rays(camera)

    seen = np.isfinite(rays[..., 0])
    assert seen[angle < 1.5].all()
    assert not seen[angle > np.pi / 2].any()


def test_pixel_rays_are_nan_beyond_the_fold_of_the_lens_model() -> None:
    # r (1 - 0.5 r^2) never exceeds 0.54, so that the corners cannot be reached.
    rays = pixel_rays(_distorted("plumb_bob", (-0.5,)))

    assert np.isnan(rays[0, 0]).all()
    assert np.isfinite(rays[12, 15]).all()


def test_ray_grid_moves_by_the_shift() -> None:
    grid, moved = ray_grid(WIDE), ray_grid(WIDE, (0.25, -0.5))

    assert float(moved.x[0, 3] - grid.x[0, 3]) == pytest.approx(0.25 / WIDE.fx_px)
    assert float(moved.y[3, 0] - grid.y[3, 0]) == pytest.approx(-0.5 / WIDE.fy_px)
