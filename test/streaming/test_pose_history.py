# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Poses between poses: on the way, never beyond, never across a gap or a jump of time."""

from __future__ import annotations

import numpy as np
import pytest

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.streaming.pose_history import PoseHistory

MS = 1_000_000


def pose(seconds: float) -> FloatArray:
    """A drive at 2 m/s that turns by 0.6 rad/s about a slanted axis."""
    axis = np.array([0.6, 0.0, 0.8])
    return rigid(matrix_from_rotation_vector(0.6 * seconds * axis), [2 * seconds, 1.0, 0.0])


def known(value: FloatArray | None) -> FloatArray:
    assert value is not None
    return value


def history(*stamps_ms: int, length: int = 100) -> PoseHistory:
    poses = PoseHistory(length)
    for stamp_ms in stamps_ms:
        poses.add(stamp_ms * MS, pose(stamp_ms * 1e-3))
    return poses


@pytest.mark.parametrize("stamp_ms", [1000, 1001, 1070, 1100, 1199])
def test_pose_between_two_is_where_a_steady_drive_was(stamp_ms: int) -> None:
    np.testing.assert_allclose(known(history(1000, 1100, 1200).at(stamp_ms * MS)), pose(stamp_ms * 1e-3), atol=1e-12)


@pytest.mark.parametrize("stamp_ns", [1000 * MS - 1, 1200 * MS + 1])
def test_nothing_is_known_beyond_the_poses(stamp_ns: int) -> None:
    assert history(1000, 1100, 1200).at(stamp_ns) is None


def test_nothing_is_known_in_a_gap_of_more_than_200_ms_but_at_its_ends() -> None:
    poses = history(1000, 1200, 1401)

    assert poses.at(1199 * MS) is not None
    assert poses.at(1300 * MS) is None
    assert poses.at(1401 * MS) is not None


def test_nothing_is_known_before_the_first_pose() -> None:
    assert PoseHistory().at(1) is None
    assert PoseHistory().newest_ns is None


def test_poses_that_come_late_or_twice_are_ignored() -> None:
    poses = history(1000, 1100)
    poses.add(1050 * MS, np.eye(4))
    poses.add(1100 * MS, np.eye(4))

    np.testing.assert_allclose(known(poses.at(1075 * MS)), pose(1.075), atol=1e-12)
    assert poses.newest_ns == 1100 * MS


def test_all_poses_are_forgotten_when_time_jumps_back() -> None:
    poses = history(5000, 5100)
    poses.add(1000 * MS, pose(1.0))

    assert poses.at(5050 * MS) is None
    assert poses.newest_ns == 1000 * MS


def test_memory_is_bounded() -> None:
    poses = history(*range(0, 1000, 10), length=5)

    assert poses.at(940 * MS) is None
    assert poses.at(955 * MS) is not None
