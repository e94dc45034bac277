# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.voxel_map import VoxelMap


def test_voxel_keeps_its_newest_point() -> None:
    voxels = VoxelMap(1.0)
    voxels.add(np.array([[0.1, 0.1, 0.1], [5.0, 0.0, 0.0]]), np.array([[1, 1, 1], [2, 2, 2]], np.uint8))
    voxels.add(np.array([[0.9, 0.9, 0.9]]), np.array([[3, 3, 3]], np.uint8))

    points, colours = voxels.points()

    np.testing.assert_allclose(points, [[5.0, 0.0, 0.0], [0.9, 0.9, 0.9]], rtol=1e-6)
    np.testing.assert_array_equal(colours, [[2, 2, 2], [3, 3, 3]])


def test_unknown_points_are_left_out() -> None:
    voxels = VoxelMap(0.5)
    voxels.add(np.array([[np.nan, 0, 0], [1, 2, 3]]), np.zeros((2, 3), np.uint8))

    assert len(voxels.points()[0]) == 1


def test_oldest_points_make_way_when_the_map_is_full() -> None:
    voxels = VoxelMap(0.1, max_points=3)
    for x in range(5):
        voxels.add(np.array([[float(x), 0.0, 0.0]]), np.full((1, 3), x, np.uint8))

    assert voxels.points()[1][:, 0].tolist() == [2, 3, 4]


def test_map_is_empty_after_clear() -> None:
    voxels = VoxelMap(0.1)
    voxels.add(np.ones((4, 3)), np.zeros((4, 3), np.uint8))
    voxels.clear()

    assert voxels.points()[0].shape == (0, 3)


@given(seed=st.integers(0, 2**32 - 1), batches=st.integers(1, 4))
def test_map_has_one_point_of_every_voxel_however_the_points_come(seed: int, batches: int) -> None:
    generator = np.random.default_rng(seed)
    points = generator.uniform(-3, 3, (200, 3)).astype(np.float32)
    voxels = VoxelMap(0.7)
    for part in np.array_split(points, batches):
        voxels.add(part, np.zeros((len(part), 3), np.uint8))
        voxels.points()

    kept = {tuple(voxel) for voxel in np.floor(voxels.points()[0] / 0.7).astype(int).tolist()}

    assert kept == {tuple(voxel) for voxel in np.floor(points / 0.7).astype(int).tolist()}
    assert len(voxels.points()[0]) == len(kept)


def test_voxel_without_a_size_is_refused() -> None:
    with pytest.raises(ValueError, match="above zero"):
        VoxelMap(0.0)
