# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Distances between clouds against brute force, and alignment by cameras whatever their motion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from da3_ros.evaluation.reconstruction_metrics import (
    camera_alignment,
    lifted_points,
    reconstruction_errors,
    thinned,
)
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_angle
from da3_ros.geometry.sim3 import Sim3, rigid
from test.closeness import assert_close
from test.strategies import seeds, sim3s

DEPTH = np.full((4, 2, 2), 2.0)


def cloud(seed: int, count: int = 80) -> FloatArray:
    return np.random.default_rng(seed).uniform(-1, 1, size=(count, 3))


def cameras_at(centres: FloatArray) -> FloatArray:
    turns = matrix_from_rotation_vector(0.1 * np.random.default_rng(3).normal(size=(len(centres), 3)))
    return rigid(turns, centres)


@given(seeds)
def test_errors_are_those_of_all_distances(seed: int) -> None:
    ours, truth = cloud(seed), cloud(seed + 1, 60)
    distances = np.linalg.norm(ours[:, None] - truth, axis=2)

    errors = reconstruction_errors(ours, truth, 0.3)

    precision, recall = np.mean(distances.min(axis=1) < 0.3), np.mean(distances.min(axis=0) < 0.3)
    assert errors.accuracy == pytest.approx(distances.min(axis=1).mean())
    assert errors.completeness == pytest.approx(distances.min(axis=0).mean())
    assert (errors.precision, errors.recall) == pytest.approx((precision, recall))
    assert errors.f_score == pytest.approx(2 * precision * recall / (precision + recall))
    assert errors.overall == pytest.approx((errors.accuracy + errors.completeness) / 2)


def test_cloud_is_perfect_against_itself_and_worthless_far_away() -> None:
    points = cloud(1)

    same, far = reconstruction_errors(points, points, 0.05), reconstruction_errors(points + 9, points, 0.05)

    assert (same.f_score, same.accuracy) == (1.0, 0.0)
    assert far.f_score == 0.0


def test_missing_half_costs_recall_and_not_precision() -> None:
    points = np.stack(np.meshgrid(np.arange(10.0), np.arange(10.0), [0.0]), axis=-1).reshape(-1, 3)

    errors = reconstruction_errors(points[:50], points, 0.5)

    assert (errors.precision, errors.recall) == (1.0, 0.5)


def test_empty_cloud_is_degenerate() -> None:
    with pytest.raises(DegenerateGeometryError, match="without points"):
        reconstruction_errors(np.empty((0, 3)), cloud(1), 0.1)


@given(seeds)
def test_thinning_keeps_the_mean_of_every_voxel(seed: int) -> None:
    points = cloud(seed, 200)
    cells: dict[tuple[int, ...], list[FloatArray]] = {}
    for point in points:
        key = tuple(int(number) for number in np.floor((point - points.min(axis=0)) / 0.4))
        cells.setdefault(key, []).append(point)

    kept = thinned(points, 0.4)

    assert len(kept) == len(cells)
    expected = np.array([np.mean(members, axis=0) for _, members in sorted(cells.items())])
    assert_close(kept, expected)


def test_thinning_of_nothing_is_nothing() -> None:
    assert thinned(np.empty((0, 3)), 0.1).shape == (0, 3)


def test_pixels_are_lifted_to_where_they_are() -> None:
    camera = PinholeCamera((2, 2), 2.0, 2.0, 0.0, 0.0)
    depth = np.array([[[4.0, np.nan], [2.0, np.nan]]])

    (points,) = lifted_points(depth, [camera], rigid(np.eye(3), [0.0, 0.0, 10.0])[None])

    assert_close(points, [[0, 0, 14], [0, 1, 12]])


@given(sim3s())
def test_alignment_finds_the_gauge_of_spread_cameras_past_one_that_is_lost(gauge: Sim3) -> None:
    true = cameras_at(np.random.default_rng(7).uniform(-2, 2, size=(8, 3)))
    estimated = gauge.inverse().apply_to_poses(true)
    estimated[2, :3, 3] += 50 / gauge.scale

    found = camera_alignment(estimated, true, DEPTH, DEPTH)

    points = cloud(1)
    assert_close(found.apply(gauge.inverse().apply(points)), points, 1e-6)


def test_alignment_leaves_out_a_camera_that_is_lost_wherever_the_origin_of_the_world_is() -> None:
    here = cameras_at(np.random.default_rng(7).uniform(-2, 2, size=(8, 3)))
    estimated, there = here.copy(), here.copy()
    estimated[2, :3, 3] += [2.0, 0, 0]
    there[:, :3, 3] += [60.0, 0, 0]

    found = camera_alignment(estimated, there, DEPTH, DEPTH)

    good = np.arange(8) != 2
    assert_close(found.apply(estimated[good, :3, 3]), there[good, :3, 3], 1e-6)


@pytest.mark.parametrize(
    "centres",
    [np.zeros((4, 3)), np.arange(4.0)[:, None] * [1.0, 0, 0], np.array([[0.0, 0, 0], [1.0, 2, 3]])],
    ids=["standing", "line", "two"],
)
def test_alignment_goes_by_orientation_and_depth_when_centres_do_not_tell(centres: FloatArray) -> None:
    gauge = Sim3(2.5, matrix_from_rotation_vector([0.3, -0.2, 0.9]), np.array([1.0, 2.0, 3.0]))
    true = cameras_at(centres)

    found = camera_alignment(gauge.inverse().apply_to_poses(true), true, DEPTH / 2.5, DEPTH)

    points = cloud(1)
    assert_close(found.apply(gauge.inverse().apply(points)), points, 1e-6)


def test_alignment_of_noisy_centres_near_a_line_keeps_the_orientation() -> None:
    generator = np.random.default_rng(2)
    true = cameras_at(np.arange(5.0)[:, None] * [1.0, 0, 0] + 0.01 * generator.normal(size=(5, 3)))
    estimated = true.copy()
    estimated[:, :3, 3] += 0.02 * generator.normal(size=(5, 3))

    found = camera_alignment(estimated, true, np.tile(DEPTH, (2, 1, 1))[:5], np.tile(DEPTH, (2, 1, 1))[:5])

    assert rotation_angle(found.rotation) < 0.01
