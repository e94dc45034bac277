# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Ray maps to cameras: exact on exact rays, steady with garbage and noise, refused when there is no answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rays import RayCamera, camera_from_rays
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_angle
from da3_ros.geometry.sim3 import Sim3, rigid
from test.strategies import pinhole_cameras, rigid_transforms, rotations, seeds, sim3s

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

SIZE = (160, 288)  # what the network gives for 280x504 images
SMALL = (40, 60)
EXACT = 1e-5


def camera_of(
    size: tuple[int, int], half_view_rad: float = 0.7, offset: tuple[float, float] = (0.2, -0.1)
) -> PinholeCamera:
    """Square pixels; the principal point is `offset` half images right of and below the middle."""
    h, w = size
    focal = w / 2 / np.tan(half_view_rad)
    return PinholeCamera(size, focal, focal, (w * (1 + offset[0]) - 1) / 2, (h * (1 + offset[1]) - 1) / 2)


@st.composite
def cameras(draw: st.DrawFn) -> PinholeCamera:
    """Like real lenses: 35 to 100 degrees wide, pixels not quite square, the principal point off the middle."""
    offset = (draw(st.floats(-0.3, 0.3)), draw(st.floats(-0.3, 0.3)))
    camera = camera_of(SMALL, draw(st.floats(0.3, 0.9)), offset)
    return replace(camera, fy_px=camera.fy_px * draw(st.floats(0.8, 1.25)))


def rays_of(camera: PinholeCamera, window_from_camera: FloatArray) -> FloatArray:
    directions = camera.rays() @ window_from_camera[:3, :3].T
    origins = np.broadcast_to(window_from_camera[:3, 3], directions.shape)
    return np.concatenate((directions, origins), axis=2)


def sure(rays: FloatArray) -> FloatArray:
    return np.ones(rays.shape[:2])


def with_garbage(rays: FloatArray, where: npt.NDArray[np.bool_], seed: int = 0) -> FloatArray:
    garbage = 2 * np.random.default_rng(seed).normal(size=rays.shape)
    return np.where(where[..., None], garbage, rays)


def scattered(size: tuple[int, int], share: float, seed: int = 0) -> npt.NDArray[np.bool_]:
    return np.random.default_rng(seed).random(size) < share


def assert_found(
    found: RayCamera, camera: PinholeCamera, window_from_camera: FloatArray, tolerance: float = EXACT
) -> None:
    """Rotation in radians, focal lengths relative, principal point in half images, centre in its own size."""
    h, w = camera.size
    assert found.camera.size == camera.size
    assert rotation_angle(found.window_from_camera[:3, :3] @ window_from_camera[:3, :3].T) < tolerance
    np.testing.assert_allclose(found.camera.matrix.diagonal(), camera.matrix.diagonal(), rtol=tolerance)
    assert abs(found.camera.cx_px - camera.cx_px) * 2 / w < tolerance
    assert abs(found.camera.cy_px - camera.cy_px) * 2 / h < tolerance
    centre = window_from_camera[:3, 3]
    np.testing.assert_allclose(found.window_from_camera[:3, 3], centre, atol=tolerance * (np.abs(centre).max() + 1e-9))


@given(pinhole_cameras(), rigid_transforms())
def test_camera_is_found_from_exact_rays(camera: PinholeCamera, window_from_camera: FloatArray) -> None:
    rays = rays_of(camera, window_from_camera)

    assert_found(camera_from_rays(rays, sure(rays)), camera, window_from_camera)


@given(cameras(), rigid_transforms(), seeds, seeds)
def test_camera_is_found_when_30_percent_of_the_rays_are_garbage(
    camera: PinholeCamera, window_from_camera: FloatArray, seed: int, garbage_seed: int
) -> None:
    rays = rays_of(camera, window_from_camera)
    rays = with_garbage(rays, scattered(camera.size, 0.3, garbage_seed), garbage_seed)

    assert_found(camera_from_rays(rays, sure(rays), seed=seed), camera, window_from_camera)


@pytest.mark.parametrize("half_view_rad", [0.2, 0.7, 1.1])
def test_principal_point_is_found_when_it_is_off_the_middle(half_view_rad: float) -> None:
    camera = camera_of(SIZE, half_view_rad, offset=(0.2, -0.1))
    window_from_camera = rigid(matrix_from_rotation_vector([0.4, -2.0, 0.9]), [1.0, -2.0, 0.5])
    rays = with_garbage(rays_of(camera, window_from_camera), scattered(SIZE, 0.3)).astype(np.float32)

    assert_found(camera_from_rays(rays, sure(rays)), camera, window_from_camera)


def test_camera_of_the_image_is_that_of_its_ray_map_resized() -> None:
    image_camera = camera_of((280, 504))
    rays = rays_of(image_camera.resized(SIZE), np.eye(4))

    found = camera_from_rays(rays, sure(rays)).camera.resized((280, 504))

    np.testing.assert_allclose(found.matrix, image_camera.matrix, rtol=1e-9)


@pytest.mark.parametrize("side", [np.s_[:, :20], np.s_[:, -20:], np.s_[:14], np.s_[-14:]])
def test_camera_is_found_when_one_side_of_the_map_is_garbage(side: tuple[slice, ...]) -> None:
    camera, window_from_camera = camera_of(SMALL), rigid(matrix_from_rotation_vector([0.1, 0.8, 0.0]), [1.0, 2.0, 3.0])
    where = np.zeros(SMALL, dtype=bool)
    where[side] = True
    rays = with_garbage(rays_of(camera, window_from_camera), where)

    assert_found(camera_from_rays(rays, sure(rays)), camera, window_from_camera)


def test_camera_is_found_when_garbage_agrees_with_another_camera() -> None:
    camera, window_from_camera = camera_of(SMALL), rigid(np.eye(3), [1.0, 2.0, 3.0])
    other = rays_of(camera_of(SMALL, 0.4), rigid(matrix_from_rotation_vector([0.0, 0.6, 0.0]), [2.0, 2.0, 3.0]))
    rays = np.where(scattered(SMALL, 0.3)[..., None], other, rays_of(camera, window_from_camera))

    assert_found(camera_from_rays(rays, sure(rays)), camera, window_from_camera)


def test_camera_is_found_when_garbage_is_the_surest() -> None:
    camera, window_from_camera = camera_of(SMALL), rigid(np.eye(3), [1.0, 2.0, 3.0])
    where = scattered(SMALL, 0.3)
    rays = with_garbage(rays_of(camera, window_from_camera), where)

    found = camera_from_rays(rays, np.where(where, 100.0, 1.0))

    assert_found(found, camera, window_from_camera)


def with_noise(rays: FloatArray, sigma: float, seed: int = 0) -> FloatArray:
    """Of `sigma` radians on directions and `sigma` units on origins."""
    length = np.linalg.norm(rays[..., :3], axis=2, keepdims=True)
    scale = np.concatenate((np.repeat(length, 3, axis=2), np.ones((*rays.shape[:2], 3))), axis=2)
    return rays + sigma * scale * np.random.default_rng(seed).normal(size=rays.shape)


def angles_between(a: FloatArray, b: FloatArray) -> FloatArray:
    """Radians between directions (h, w, 3)."""
    cosine = np.sum(a * b, axis=2) / (np.linalg.norm(a, axis=2) * np.linalg.norm(b, axis=2))
    return np.arccos(np.minimum(cosine, 1.0))


@given(cameras(), rotations(), seeds)
def test_camera_is_nearer_than_a_sixth_of_the_noise(camera: PinholeCamera, rotation: FloatArray, seed: int) -> None:
    window_from_camera = rigid(rotation, [1.0, 2.0, 3.0])
    rays = with_noise(rays_of(camera, window_from_camera), 0.02, seed)
    rays = with_garbage(rays, scattered(SMALL, 0.3, seed), seed)

    found = camera_from_rays(rays, sure(rays))

    seen = found.camera.rays() @ found.window_from_camera[:3, :3].T
    assert angles_between(seen, camera.rays() @ rotation.T).mean() < 0.02 / 6
    assert np.linalg.norm(found.window_from_camera[:3, 3] - (1.0, 2.0, 3.0)) < 0.02 / 6


def test_focal_lengths_are_right_on_average_when_rays_are_noisy() -> None:
    camera = camera_of(SMALL, 0.9)
    rays = rays_of(camera, np.eye(4))

    found = [camera_from_rays(with_noise(rays, 0.03, seed), sure(rays)).camera for seed in range(30)]

    error = np.mean([(each.fx_px / camera.fx_px - 1, each.fy_px / camera.fy_px - 1) for each in found], axis=0)
    assert np.abs(error).max() < 0.001


def test_disagreement_is_the_median_angle_of_the_rays() -> None:
    rays = rays_of(camera_of(SMALL), np.eye(4))
    noisy, skewed = with_noise(rays, 0.005), rays.copy()
    skewed[..., 0] += 0.3 * skewed[..., 1]  # what our cameras do not have

    assert camera_from_rays(noisy, sure(rays)).disagreement_rad == pytest.approx(1.1774 * 0.005, rel=0.05)  # Rayleigh
    assert camera_from_rays(skewed, sure(rays)).disagreement_rad > 0.02


@given(cameras(), sim3s(), seeds)
def test_camera_moves_with_the_window(camera: PinholeCamera, other_from_window: Sim3, seed: int) -> None:
    generator = np.random.default_rng(seed)
    window_from_camera = rigid(matrix_from_rotation_vector(generator.normal(size=3)), generator.normal(size=3))
    rays = rays_of(camera, window_from_camera) + 0.003 * generator.normal(size=(*SMALL, 6))
    moved = np.concatenate(
        (rays[..., :3] @ other_from_window.rotation.T, other_from_window.apply(rays[..., 3:])), axis=2
    )

    ours, theirs = camera_from_rays(rays, sure(rays)), camera_from_rays(moved, sure(rays))

    expected = other_from_window.apply_to_poses(ours.window_from_camera)
    assert_found(theirs, ours.camera, expected, tolerance=1e-6)


@given(cameras(), seeds)
def test_lengths_of_directions_do_not_matter(camera: PinholeCamera, seed: int) -> None:
    generator = np.random.default_rng(seed)
    rays = rays_of(camera, np.eye(4))
    rays[..., :3] *= np.exp(3 * generator.normal(size=(*SMALL, 1)))

    assert_found(camera_from_rays(rays, sure(rays)), camera, np.eye(4))


def test_rays_without_confidence_or_not_finite_are_left_out() -> None:
    camera, window_from_camera = camera_of(SMALL), rigid(np.eye(3), [1.0, 2.0, 3.0])
    rays, confidence = rays_of(camera, window_from_camera), np.ones(SMALL)
    confidence[scattered(SMALL, 0.8, seed=1)] = 0.0
    rays = with_garbage(rays, confidence == 0)
    rays[confidence == 0, 0] = np.nan
    rays[scattered(SMALL, 0.1, seed=2), 4] = np.inf
    confidence[scattered(SMALL, 0.1, seed=3)] = np.nan

    assert_found(camera_from_rays(rays, confidence), camera, window_from_camera)


def test_same_rays_give_the_same_camera_twice_and_stay_as_they_are() -> None:
    rays = with_garbage(rays_of(camera_of(SMALL), np.eye(4)), scattered(SMALL, 0.3)) + 0.01
    before = rays.copy()

    first, second = (camera_from_rays(rays, sure(rays), seed=5) for _ in range(2))

    np.testing.assert_array_equal(first.window_from_camera, second.window_from_camera)
    assert (first.camera, first.disagreement_rad) == (second.camera, second.disagreement_rad)
    np.testing.assert_array_equal(rays, before)


def fan(*axes: float) -> FloatArray:
    """Rays of a camera with each axis stretched: zero makes them lie in a plane or be parallel."""
    rays = rays_of(camera_of(SMALL), np.eye(4))
    rays[..., :3] *= axes
    return rays


@pytest.mark.parametrize("turn", [0.0, 0.7])
@pytest.mark.parametrize("noise", [0.0, 1e-7, 0.01])
@pytest.mark.parametrize(
    "rays",
    [fan(0.0, 0.0, 1.0), fan(1.0, 0.0, 1.0), fan(0.0, 1.0, 1.0), fan(-1.0, 1.0, 1.0), fan(-1.0, -1.0, -1.0)],
    ids=["parallel", "flat", "upright", "mirrored", "backwards"],
)
def test_rays_are_refused_when_no_camera_has_them(rays: FloatArray, noise: float, turn: float) -> None:
    turned = rays[..., :3] @ matrix_from_rotation_vector([turn, 0.2 * turn, 0.0]).T
    turned += noise * np.random.default_rng(0).normal(size=turned.shape)

    with pytest.raises(DegenerateGeometryError, match="rays"):
        camera_from_rays(np.concatenate((turned, rays[..., 3:]), axis=2), sure(rays))


def test_rays_are_refused_when_the_noise_is_that_of_no_camera() -> None:
    rays = with_noise(rays_of(camera_of(SMALL, 1.0), np.eye(4)), 0.3)

    with pytest.raises(DegenerateGeometryError, match="half of them are more than"):
        camera_from_rays(rays, sure(rays))


@given(seeds)
def test_garbage_is_refused(seed: int) -> None:
    rays = np.random.default_rng(seed).normal(size=(*SMALL, 6))

    with pytest.raises(DegenerateGeometryError, match="rays"):
        camera_from_rays(rays, sure(rays))


@pytest.mark.parametrize(
    ("ray", "confidence", "missing"),
    [
        *((1.0, none, "confidence") for none in (0.0, -1.0, np.nan)),
        *((none, 1.0, "direction") for none in (0.0, np.nan)),
    ],
)
def test_rays_are_refused_when_none_is_usable(ray: float, confidence: float, missing: str) -> None:
    with pytest.raises(DegenerateGeometryError, match=f"no ray has .*{missing}"):
        camera_from_rays(np.full((*SMALL, 6), ray), np.full(SMALL, confidence))


def test_rays_of_a_wrong_shape_are_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"\(h, w, 6\).*\(40, 60, 3\)"):
        camera_from_rays(np.ones((*SMALL, 3)), np.ones(SMALL))
    with pytest.raises(ValueError, match=r"\(60, 40\)"):
        camera_from_rays(np.ones((*SMALL, 6)), np.ones((60, 40)))


def test_reference_is_right_only_when_the_principal_point_is_in_the_middle() -> None:
    middle, off = camera_of(SMALL, offset=(0.0, 0.0)), camera_of(SMALL, offset=(0.2, -0.1))

    right, wrong = (
        camera_from_rays(rays, sure(rays), reference_compatible=True)
        for rays in (rays_of(middle, np.eye(4)), rays_of(off, np.eye(4)))
    )

    assert_found(right, middle, np.eye(4))
    assert rotation_angle(wrong.window_from_camera[:3, :3]) > 0.1
    assert wrong.camera.cx_px < middle.cx_px < off.cx_px
