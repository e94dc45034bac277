# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The renderer against images that one can compute by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch

from da3_ros.evaluation import splat_renderer
from da3_ros.evaluation.harmonics import harmonics_basis, seen_colours
from da3_ros.evaluation.splat_renderer import PIXEL_VARIANCE_PX2, SplatTensors, render
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.gaussians import Gaussians, constant_harmonics
from da3_ros.geometry.rotation import matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from test.closeness import assert_close
from test.geometry.test_gaussian_ply import some_gaussians

CAMERA = PinholeCamera((21, 31), 40.0, 40.0, 15.0, 10.0)
AHEAD = np.eye(4)


def balls(
    means: npt.ArrayLike,
    colours: Sequence[Sequence[float]],
    *,
    scale: npt.ArrayLike = (0.1, 0.1, 0.1),
    opacity: float = 0.8,
    quaternion: Sequence[float] = (1, 0, 0, 0),
) -> SplatTensors:
    count = len(np.asarray(means))
    return SplatTensors.of(
        Gaussians(
            np.asarray(means, np.float32),
            np.tile(np.asarray(scale, np.float32), (count, 1)),
            np.tile(np.asarray(quaternion, np.float32), (count, 1)),
            constant_harmonics(colours),
            np.full(count, opacity, np.float32),
        )
    )


def expected_alpha(covariance: np.ndarray, centre: tuple[float, float], opacity: float) -> np.ndarray:
    """(H, W) of one ellipse; below 1/255 it does not count."""
    v, u = np.mgrid[: CAMERA.size[0], : CAMERA.size[1]]
    offset = np.stack((u - centre[0], v - centre[1]), axis=-1)
    alpha = opacity * np.exp(-0.5 * np.einsum("...i,ij,...j", offset, np.linalg.inv(covariance), offset))
    return np.where(alpha < 1 / 255, 0, alpha)


def test_ball_on_the_optical_axis_is_a_round_bell() -> None:
    out = render(balls([(0, 0, 2)], [(1, 0.5, 0.25)]), CAMERA, AHEAD)

    variance = (40 * 0.1 / 2) ** 2 + PIXEL_VARIANCE_PX2
    alpha = expected_alpha(variance * np.eye(2), (15, 10), 0.8)
    assert_close(out.coverage, alpha)
    assert_close(out.image, alpha[..., None] * (1, 0.5, 0.25))


def test_slanted_ellipsoid_is_the_projection_of_its_covariance() -> None:
    half = np.deg2rad(25) / 2
    scale, mean = np.array([0.2, 0.05, 0.1]), np.array([0.3, -0.2, 2.0])
    splats = balls([mean], [(1, 1, 1)], scale=scale, quaternion=(np.cos(half), 0, 0, np.sin(half)))
    turn = matrix_from_rotation_vector((0.1, -0.2, 0.3))
    pose = rigid(turn, (0.05, 0.1, 0.2))

    out = render(splats, CAMERA, pose)

    axes = turn @ matrix_from_rotation_vector((0, 0, 2 * half)) * scale
    x, y, z = turn @ mean + pose[:3, 3]
    jacobian = np.array([[40 / z, 0, -40 * x / z**2], [0, 40 / z, -40 * y / z**2]])
    covariance = jacobian @ axes @ axes.T @ jacobian.T + PIXEL_VARIANCE_PX2 * np.eye(2)
    assert_close(out.coverage, expected_alpha(covariance, (40 * x / z + 15, 40 * y / z + 10), 0.8), relative=1e-4)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_nearer_ball_hides_the_farther_whatever_their_order(order: tuple[int, int]) -> None:
    means, colours = [(0, 0, 2), (0, 0, 4)], [(1, 0, 0), (0, 1, 0)]
    splats = balls([means[i] for i in order], [colours[i] for i in order])

    out = render(splats, CAMERA, AHEAD, background=(0, 0, 1))

    assert_close(out.image[10, 15], [0.8, 0.2 * 0.8, 0.2 * 0.2])
    assert_close(out.coverage[10, 15], 0.96)


def test_opacity_of_one_still_lets_a_hundredth_through() -> None:
    out = render(balls([(0, 0, 2)], [(1, 1, 1)], opacity=1.0), CAMERA, AHEAD)

    assert_close(out.coverage[10, 15], 0.99)


def test_background_fills_what_is_empty_behind_or_outside() -> None:
    splats = balls([(0, 0, -2), (0, 0, 0.001), (50, 0, 2)], [(1, 1, 1)] * 3)

    out = render(splats, CAMERA, AHEAD, background=(0.1, 0.2, 0.3))

    assert_close(out.image, np.broadcast_to((0.1, 0.2, 0.3), (21, 31, 3)))
    assert not out.coverage.any()


def test_colour_depends_on_where_the_eye_is() -> None:
    gaussians = some_gaussians(1, 4)
    gaussians.means[:], gaussians.scales[:], gaussians.opacities[:] = (0, 0, 2), 0.1, 0.99
    gaussians.harmonics[:] = 0
    gaussians.harmonics[0, 2, 0] = 1.0  # red grows along z

    ahead = render(SplatTensors.of(gaussians), CAMERA, AHEAD).image[10, 15] / 0.99
    back = rigid(matrix_from_rotation_vector((0, np.pi, 0)), (0, 0, 4))
    behind = render(SplatTensors.of(gaussians), CAMERA, back).image[10, 15] / 0.99

    slope = np.sqrt(3 / (4 * np.pi))
    assert_close(ahead, [0.5 + slope, 0.5, 0.5])
    assert_close(behind, [0.5 - slope, 0.5, 0.5])


@pytest.mark.parametrize(("name", "value"), [("TILE_PX", 3), ("TILE_PX", 64), ("AT_ONCE", 1), ("AT_ONCE", 7)])
def test_tiles_and_runs_do_not_change_the_image(monkeypatch: pytest.MonkeyPatch, name: str, value: int) -> None:
    gaussians = some_gaussians(200, 9)
    gaussians.means[:, 2] += 4
    splats = SplatTensors.of(gaussians)
    usual = render(splats, CAMERA, AHEAD)

    monkeypatch.setattr(splat_renderer, name, value)

    # A run ends when less than 1e-4 of the background is left.
    assert_close(render(splats, CAMERA, AHEAD).image, usual.image, relative=1e-3)


def test_gradients_are_finite_and_point_the_right_way() -> None:
    splats = balls([(0, 0, 2), (0.1, 0, 3)], [(0.5, 0.5, 0.5)] * 2)
    for name in SplatTensors.__slots__:
        getattr(splats, name).requires_grad_()

    render(splats, CAMERA, AHEAD).image.sum().backward()

    gradients = {name: getattr(splats, name).grad for name in SplatTensors.__slots__}
    assert all(torch.isfinite(gradient).all() for gradient in gradients.values())
    assert (gradients["opacities"] > 0).all()
    assert (gradients["means"][:, 2] < 0).all()  # nearer is larger


def test_gradient_is_that_of_finite_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splat_renderer, "MIN_ALPHA", 1e-9)  # what is cut off jumps
    splats = balls([(0.05, 0.02, 2)], [(0.5, 0.5, 0.5)])
    splats.means.requires_grad_()
    weights = torch.arange(31)[:, None] / 31  # brighter to the right

    (render(splats, CAMERA, AHEAD).image * weights).sum().backward()

    def brightness(x: float) -> float:
        moved = balls([(x, 0.02, 2)], [(0.5, 0.5, 0.5)])
        return float((render(moved, CAMERA, AHEAD).image.double() * weights).sum())

    assert splats.means.grad is not None
    numeric = (brightness(0.06) - brightness(0.04)) / 0.02
    assert float(splats.means.grad[0, 0]) == pytest.approx(numeric, rel=0.01)


def test_basis_functions_are_orthonormal() -> None:
    z, weight = np.polynomial.legendre.leggauss(8)
    angle = np.arange(16) * 2 * np.pi / 16
    radius = np.sqrt(1 - z**2)[:, None]
    directions = np.stack((radius * np.cos(angle), radius * np.sin(angle), np.tile(z[:, None], 16)), axis=-1)

    basis = harmonics_basis(torch.from_numpy(directions), 16).numpy()

    gram = np.einsum("i,ijk,ijl->kl", weight, basis, basis) * 2 * np.pi / 16
    assert_close(gram, np.eye(16), relative=1e-12)


def test_fewer_coefficients_are_the_first_of_more() -> None:
    directions = torch.nn.functional.normalize(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), dim=-1)

    for coefficients in (1, 4, 9):
        assert_close(harmonics_basis(directions, coefficients), harmonics_basis(directions, 16)[:, :coefficients])


def test_colours_are_never_below_zero() -> None:
    assert seen_colours(torch.full((1, 1, 3), -9.0), torch.tensor([[0.0, 0.0, 1.0]])).eq(0).all()
