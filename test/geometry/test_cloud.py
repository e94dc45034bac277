# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Clouds: the exact unprojection of their depth, and depth without what cannot be trusted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.cloud import DepthFilter, beyond_sky, clean_depth, organised_cloud

KEEP_ALL = DepthFilter(min_confidence=0.0)
NAN = np.nan


def surely(depth: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.full(depth.shape, 10.0, dtype=np.float32)


def kept(depth: npt.ArrayLike, rule: DepthFilter, confidence: npt.ArrayLike | None = None) -> list[list[bool]]:
    """Which pixels keep their depth, bit for bit."""
    given = np.asarray(depth, dtype=np.float32)
    sure = surely(given) if confidence is None else np.asarray(confidence, dtype=np.float32)
    cleaned = clean_depth(given, sure, rule)
    assert ((cleaned == given) | np.isnan(cleaned)).all()
    stays: list[list[bool]] = np.isfinite(cleaned).tolist()
    return stays


def random_view(rng: np.random.Generator, size: tuple[int, int]) -> tuple[npt.NDArray[np.float32], PinholeCamera]:
    depth = rng.uniform(0.2, 60.0, size).astype(np.float32)
    depth[rng.random(size) < 0.2] = NAN
    focal, centre = rng.uniform(0.4, 2.0, 2) * size[1], rng.uniform(0.3, 0.7, 2) * size[::-1]
    return depth, PinholeCamera(size, *focal, *centre)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40))
def test_cloud_is_the_unprojection_of_its_depth_by_its_camera(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    depth, camera = random_view(rng, (height, width))
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)

    points = organised_cloud(depth, image, camera)[..., :3]

    np.testing.assert_allclose(points, camera.rays() * depth[..., None], rtol=3e-7, equal_nan=True)
    np.testing.assert_array_equal(points[..., 2], depth)


def test_points_of_a_cloud_project_to_their_own_pixels() -> None:
    depth, camera = random_view(np.random.default_rng(3), (30, 40))
    depth = np.nan_to_num(depth, nan=1.0)

    cloud = organised_cloud(depth, np.zeros((30, 40, 3), np.uint8), camera)

    pixels = np.stack(np.meshgrid(np.arange(40), np.arange(30)), axis=-1)
    np.testing.assert_allclose(camera.project(cloud[..., :3]), pixels, atol=1e-4)


def test_cloud_packs_red_green_and_blue_into_one_number() -> None:
    image = np.array([[[0x12, 0x34, 0x56], [255, 0, 1]]], dtype=np.uint8)
    camera = PinholeCamera((1, 2), 1.0, 1.0, 0.0, 0.0)

    cloud = organised_cloud(np.ones((1, 2), np.float32), image, camera)

    assert cloud[..., 3].view(np.uint32).tolist() == [[0x00123456, 0x00FF0001]]


def test_cloud_is_refused_when_image_depth_and_camera_do_not_belong_together() -> None:
    depth, image = np.ones((4, 6), np.float32), np.zeros((4, 6, 3), np.uint8)
    camera = PinholeCamera((4, 6), 5.0, 5.0, 2.5, 1.5)

    with pytest.raises(ValueError, match="not those of a camera"):
        organised_cloud(depth, image, camera.resized((8, 12)))
    with pytest.raises(ValueError, match="not those of a camera"):
        organised_cloud(depth, image[:, :5], camera)
    with pytest.raises(ValueError, match="distortion"):
        organised_cloud(depth, image, PinholeCamera((4, 6), 5.0, 5.0, 2.5, 1.5, "plumb_bob", (0.1,)))


def test_depth_is_unknown_where_it_is_no_distance() -> None:
    assert kept([[1.0, 0.0, -1.0, NAN, np.inf, -np.inf]], KEEP_ALL) == [[True, False, False, False, False, False]]


def test_depth_is_unknown_where_confidence_is_low_or_nan() -> None:
    rule = DepthFilter(min_confidence=1.5)

    assert kept([[2.0, 2.0, 2.0, 2.0]], rule, [[1.0, 1.5, 9.0, NAN]]) == [[False, True, True, False]]


def test_depth_is_unknown_where_it_is_out_of_range() -> None:
    rule = DepthFilter(min_depth=0.5, max_depth=4.0)

    assert kept([[0.25, 0.5, 2.0, 4.0, 4.5]], rule) == [[False, True, True, True, False]]


def test_range_has_no_end_when_max_depth_is_zero() -> None:
    assert kept([[0.001, 1e6]], DepthFilter()) == [[True, True]]


@pytest.mark.parametrize("turned", [False, True])
def test_pixels_between_near_and_far_are_unknown(turned: bool) -> None:
    row = np.array([[1.0, 1.0, 1.0, 1.5, 2.0, 2.0, 2.0]] * 3)
    expected = np.array([[True, True, False, False, False, True, True]] * 3)
    rule = DepthFilter(edge_threshold=0.05)

    assert kept(row.T if turned else row, rule) == (expected.T if turned else expected).tolist()


def test_edges_are_kept_when_the_jump_is_within_the_threshold() -> None:
    row = [[1.0, 1.04, 1.08, 1.04]]

    assert kept(row, DepthFilter(edge_threshold=0.05)) == [[True] * 4]
    assert kept(row, DepthFilter(edge_threshold=0.03)) == [[False] * 4]


def test_edges_are_kept_when_the_threshold_is_zero() -> None:
    assert kept([[1.0, 5.0, 1.0]], DepthFilter(edge_threshold=0.0)) == [[True] * 3]


def test_edge_test_spares_the_neighbours_of_unknown_pixels() -> None:
    assert kept([[1.0, NAN, 9.0], [1.0, 1.0, NAN]], DepthFilter(edge_threshold=0.05)) == [
        [True, False, True],
        [True, True, False],
    ]


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 100.0))
def test_edge_test_does_not_depend_on_the_unit_of_depth(seed: int, unit: float) -> None:
    depth = np.random.default_rng(seed).choice(np.array([1.0, 1.02, 1.3], np.float32), (6, 7))
    rule = DepthFilter(edge_threshold=0.1)

    assert kept(depth * np.float32(unit), rule) == kept(depth, rule)


def test_cleaning_leaves_its_input_alone() -> None:
    depth = np.array([[1.0, 9.0, 1.0]], np.float32)

    clean_depth(depth, surely(depth), DepthFilter(edge_threshold=0.05, max_depth=2.0))

    assert depth.tolist() == [[1.0, 9.0, 1.0]]


def test_cleaning_is_refused_when_shapes_differ() -> None:
    with pytest.raises(ValueError, match="must be alike"):
        clean_depth(np.ones((4, 5), np.float32), np.ones((5, 4), np.float32), KEEP_ALL)


def test_sky_is_infinitely_far_and_all_else_as_it_was() -> None:
    depth = np.array([[NAN, NAN, 2.0]], np.float32)

    np.testing.assert_array_equal(beyond_sky(depth, np.array([[True, False, False]])), [[np.inf, NAN, 2.0]])
    assert beyond_sky(depth, None) is depth
