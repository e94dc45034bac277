# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.rotation import FloatArray, rotation_angle
from da3_ros.simulation.room import Walkway
from da3_ros.simulation.trajectory import PERIOD_NS, TRAJECTORIES, Trajectory

WALKWAY = Walkway((2.3, 1.7), 0.6)
STEP_NS = 20_000_000
MOVING = ("loop", "handheld", "line")
names = st.sampled_from(sorted(TRAJECTORIES))


def _poses(name: str) -> FloatArray:
    trajectory = Trajectory(name, WALKWAY)
    return np.array([trajectory.world_from_base(stamp_ns) for stamp_ns in range(0, PERIOD_NS + STEP_NS, STEP_NS)])


def _speeds(poses: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Metres and radians per second between neighbouring poses."""
    turns = np.swapaxes(poses[:-1, :3, :3], 1, 2) @ poses[1:, :3, :3]
    return np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1) / (STEP_NS / 1e9), rotation_angle(turns) / (
        STEP_NS / 1e9
    )


@given(name=names, stamp_ns=st.integers(0, 2**62), rounds=st.integers(-5, 100))
def test_poses_repeat_exactly_after_whole_periods(name: str, stamp_ns: int, rounds: int) -> None:
    trajectory = Trajectory(name, WALKWAY)

    later = trajectory.world_from_base(stamp_ns + rounds * PERIOD_NS)

    np.testing.assert_array_equal(later, trajectory.world_from_base(stamp_ns))


@given(name=names, stamp_ns=st.integers(0, 2**62))
def test_poses_are_rigid(name: str, stamp_ns: int) -> None:
    pose = Trajectory(name, WALKWAY).world_from_base(stamp_ns)

    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-14)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    np.testing.assert_array_equal(pose[3], (0, 0, 0, 1))


@pytest.mark.parametrize("name", sorted(TRAJECTORIES))
def test_motion_is_smooth_and_no_faster_than_a_walking_robot(name: str) -> None:
    speed, rate = _speeds(_poses(name))

    assert speed.max() < 1.0
    assert rate.max() < 1.0
    assert np.abs(np.diff(speed)).max() < 1.0 * STEP_NS / 1e9  # m/s^2
    assert np.abs(np.diff(rate)).max() < 1.5 * STEP_NS / 1e9  # rad/s^2


@pytest.mark.parametrize("name", sorted(TRAJECTORIES))
def test_paths_keep_to_the_walkway(name: str) -> None:
    line = WALKWAY.centre_line(np.linspace(0, 2 * np.pi, 2000))

    positions = _poses(name)[::10, :2, 3]

    away = np.linalg.norm(positions[:, None] - line, axis=-1).min(axis=1)
    assert away.max() < WALKWAY.half_width_m / 2


def test_each_trajectory_moves_as_its_name_says() -> None:
    standing, line, spin, handheld = (_poses(name) for name in ("standing", "line", "spin", "handheld"))

    assert np.ptp(standing, axis=0).max() == 0
    assert np.ptp(line[:, 0, 3]) > 2
    assert np.ptp(line[:, 1:3, 3], axis=0).max() == 0
    assert np.ptp(line[:, :3, :3], axis=0).max() == 0
    assert np.ptp(spin[:, :3, 3], axis=0).max() == 0
    assert np.ptp(spin[:, 0, 0]) == pytest.approx(2)
    assert np.ptp(handheld[:, 2, 3]) > 0.03
    assert np.arccos(handheld[:, 2, 2]).max() > 0.02


def test_the_loop_looks_where_it_drives() -> None:
    poses = _poses("loop")

    heading, motion = poses[:-1, :2, 0], np.diff(poses[:, :2, 3], axis=0)

    cosine = np.sum(heading * motion, axis=1) / np.linalg.norm(motion, axis=1)
    assert cosine.min() > 0.999


def test_a_trajectory_refuses_unknown_names_and_empty_periods() -> None:
    with pytest.raises(ValueError, match="'circle' is not one of"):
        Trajectory("circle", WALKWAY)
    with pytest.raises(ValueError, match="above zero"):
        Trajectory("loop", WALKWAY, 0)
