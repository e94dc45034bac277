# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras that see one after the other are placed as if they had seen together."""

from __future__ import annotations

import numpy as np

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.streaming.frame import FrameSet, Window
from da3_ros.streaming.scale_sources import rig_scale
from da3_ros.streaming.simultaneous import at_set_stamps
from test.streaming.oracle_world import PERIOD_NS, THREE, OracleWorld, Trajectory, curve, straight

LATE_NS = {"front": 0, "left": 33_000_000, "right": -20_000_000}


def late_window(world: OracleWorld, sets: int) -> Window:
    return Window(
        0,
        tuple(
            FrameSet(k, k * PERIOD_NS, tuple(world.frame(name, k * PERIOD_NS + LATE_NS[name]) for name in world.rig))
            for k in range(1, sets + 1)
        ),
    )


def poses_of(world: OracleWorld, window: Window) -> FloatArray:
    return np.stack([world.pose(frame.key) for frame in window.views])


def together(world: OracleWorld, window: Window, trajectory: Trajectory) -> FloatArray:
    return np.stack(
        [trajectory(one.stamp_ns * 1e-9) @ world.rig[frame.camera] for one in window.frame_sets for frame in one.frames]
    )


def test_cameras_are_moved_exactly_when_the_robot_moves_steadily() -> None:
    world = OracleWorld(THREE, straight)
    window = late_window(world, 4)

    moved = at_set_stamps(window, poses_of(world, window))

    np.testing.assert_allclose(moved, together(world, window, straight), atol=1e-12)


def test_cameras_are_moved_to_second_order_on_a_curve() -> None:
    world = OracleWorld(THREE, curve)
    window = late_window(world, 4)
    raw, true = poses_of(world, window), together(world, window, curve)

    error = np.abs(at_set_stamps(window, raw) - true).max()

    assert error < 0.1 * np.abs(raw - true).max()


def test_metres_are_right_when_cameras_see_one_after_the_other() -> None:
    world = OracleWorld(THREE, straight)
    window = late_window(world, 4)
    sets = [index for index, one in enumerate(window.frame_sets) for _ in one.frames]
    names = [frame.camera for frame in window.views]

    raw, moved = (
        rig_scale(THREE, names, sets, poses, 1e-3, 0, 1.0)
        for poses in (poses_of(world, window), at_set_stamps(window, poses_of(world, window)))
    )

    assert moved is not None
    assert abs(moved.log_metres_per_unit) < 1e-4
    assert raw is None or abs(raw.log_metres_per_unit) > 1e-3


def test_poses_stay_when_all_cameras_see_together_or_only_once() -> None:
    world = OracleWorld(THREE, curve)
    poses = rigid(matrix_from_rotation_vector(np.ones((3, 3))), np.ones((3, 3)))

    assert at_set_stamps(late_window(world, 1), poses) is not None
    np.testing.assert_array_equal(at_set_stamps(late_window(world, 1), poses), poses)
    same = Window(0, (FrameSet(0, 0, tuple(world.frame(name, 0) for name in THREE)),))
    assert at_set_stamps(same, poses) is poses
