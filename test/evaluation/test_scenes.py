# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from da3_ros.evaluation.datasets import DatasetError
from da3_ros.evaluation.external_odometry import OdometryErrors, external_odometry
from da3_ros.evaluation.oracle_windows import oracle_windows
from da3_ros.evaluation.scenes import (
    SIZE,
    START_NS,
    Scene,
    arrive,
    recorded_scene,
    simulated_scene,
    stop_and_go,
)
from da3_ros.geometry.prediction import ViewKey
from da3_ros.geometry.sim3 import rigid_inverse
from da3_ros.inference.oracle import OracleNoise
from da3_ros.simulation.rig import single_camera_rig, stereo_rig


@pytest.fixture(scope="module")
def room() -> Scene:
    return simulated_scene(stereo_rig(0.1, SIZE), "handheld", 2.0)


def test_simulated_scene_has_all_cameras_at_every_stamp(room: Scene) -> None:
    frames = list(room.frames())

    assert [(frame.camera, frame.stamp_ns) for frame in frames[:3]] == [
        ("left", START_NS), ("right", START_NS), ("left", START_NS + 100_000_000)
    ]  # fmt: skip
    assert len(frames) == 40
    assert frames[0].calibration == room.calibrations["left"]
    assert frames[0].image.shape == (*SIZE, 3)


def test_truth_of_a_view_is_where_the_rig_holds_the_camera(room: Scene) -> None:
    stamp_ns = room.stamps_ns[7]

    left, right = (room.truth(ViewKey(camera, stamp_ns)) for camera in ("left", "right"))

    expected = room.world_from_base(stamp_ns) @ room.base_from_camera["left"]
    np.testing.assert_allclose(left.world_from_camera, expected, atol=1e-12)
    baseline = np.linalg.norm(left.world_from_camera[:3, 3] - right.world_from_camera[:3, 3])
    assert baseline == pytest.approx(0.1)
    assert left.depth.shape == SIZE
    assert (left.depth > 0).all()


def test_stop_and_go_stands_and_drives_in_turns() -> None:
    times = np.arange(0, 12, 0.1)

    speeds = np.diff([stop_and_go(second) for second in times]) / 0.1

    standing = (times[:-1] % 6 >= 4) & (times[:-1] % 6 < 5.85)
    assert np.abs(speeds[standing]).max() < 1e-9
    assert speeds[~standing].min() >= 0
    assert 1.2 < speeds.max() < 1.5


def test_arrival_ends_in_standing_for_good() -> None:
    assert arrive(0.0) == 0
    assert arrive(8.0) == arrive(50.0) == 6


def test_windows_lie_in_the_gauges_that_they_are_given_with(room: Scene) -> None:
    windows = list(oracle_windows(room, size=8, stride=4, noise=OracleNoise()))

    assert [len(one.window.frame_sets) for one in windows] == [8, 8, 8, 8]
    assert windows[1].window.frame_sets[0].stamp_ns == room.stamps_ns[4]
    for one in windows:
        moved = one.window_from_truth.apply_to_poses(one.truth_from_camera)
        np.testing.assert_allclose(one.prediction.window_from_camera, moved, atol=1e-9)
        true_depth = np.stack([room.truth(view.key).depth for view in one.window.views])
        np.testing.assert_allclose(one.prediction.depth, one.window_from_truth.scale * true_depth, rtol=1e-5)


def test_noise_of_windows_depends_on_the_seed_alone(room: Scene) -> None:
    first, again, other = (next(oracle_windows(room, seed=seed)).prediction.depth for seed in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_odometry_without_errors_is_the_true_motion_since_the_start(room: Scene) -> None:
    odometry = external_odometry(room.world_from_base, START_NS, OdometryErrors())
    later_ns = START_NS + 1_234_567_890

    np.testing.assert_allclose(odometry(START_NS), np.eye(4), atol=1e-12)
    expected = rigid_inverse(room.world_from_base(START_NS)) @ room.world_from_base(later_ns)
    np.testing.assert_allclose(odometry(later_ns), expected, atol=1e-12)


def test_odometry_errs_in_scale_and_time_as_asked(room: Scene) -> None:
    exact = external_odometry(room.world_from_base, START_NS, OdometryErrors())
    wrong = external_odometry(room.world_from_base, START_NS, OdometryErrors(scale=1.02, delay_ns=50_000_000))
    stamp_ns = START_NS + 1_000_000_000

    expected = exact(stamp_ns - 50_000_000)
    np.testing.assert_allclose(wrong(stamp_ns)[:3, 3], 1.02 * expected[:3, 3], atol=1e-12)
    np.testing.assert_allclose(wrong(stamp_ns)[:3, :3], expected[:3, :3], atol=1e-12)


def test_odometry_noise_is_the_same_whenever_it_is_asked() -> None:
    scene = simulated_scene(single_camera_rig(SIZE), "standing", 1.0)
    noisy = external_odometry(scene.world_from_base, START_NS, OdometryErrors(position_m=0.001))
    stamps = [START_NS + index * 10_000_000 for index in range(300)]

    positions = np.array([noisy(stamp_ns)[:3, 3] for stamp_ns in stamps])

    assert positions.std() == pytest.approx(0.001, rel=0.1)
    np.testing.assert_array_equal(noisy(stamps[3]), noisy(stamps[3]))


@pytest.mark.parametrize(
    ("name", "frames", "path_m"), [("hololens_indoor", 63, 29.3), ("livingroom1_redwood", 53, 3.6)]
)
def test_recorded_scene_is_the_sequence_with_its_depth(
    shared_data: Path, name: str, frames: int, path_m: float
) -> None:
    scene = recorded_scene(shared_data / name)

    assert len(scene.stamps_ns) == frames
    assert scene.path_length_m == pytest.approx(path_m, abs=0.05)
    (camera,) = scene.calibrations
    first = next(scene.frames())
    truth = scene.truth(first.key)
    assert truth.depth.shape == first.image.shape[:2]
    assert np.isfinite(truth.depth).mean() > 0.5
    placed = scene.world_from_base(first.stamp_ns) @ scene.base_from_camera[camera]
    np.testing.assert_allclose(placed, truth.world_from_camera, atol=1e-12)


def test_sequence_without_depth_is_refused(shared_data: Path) -> None:
    with pytest.raises(DatasetError, match="no depth images"):
        recorded_scene(shared_data / "ddad_rig6")
