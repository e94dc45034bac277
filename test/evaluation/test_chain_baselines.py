# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The baselines are right where they can be: a comparison with a broken rival proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from da3_ros.evaluation.chain_baselines import Step, camera_centres, chain, dense_points
from da3_ros.evaluation.oracle_windows import NETWORK_NOISE, OracleWindow, oracle_windows
from da3_ros.evaluation.scenes import SIZE, Scene, simulated_scene
from da3_ros.evaluation.trajectory_metrics import trajectory_errors
from da3_ros.inference.oracle import OracleNoise
from da3_ros.simulation.rig import single_camera_rig


@pytest.fixture(scope="module")
def curve() -> Scene:
    return simulated_scene(single_camera_rig(SIZE), "handheld", 4.0)


def error_of(windows: Sequence[OracleWindow], step: Step) -> float:
    """Trajectory error in metres."""
    poses = chain([(one.window, one.prediction) for one in windows], step)
    truth = {
        view.key: pose for one in windows for view, pose in zip(one.window.views, one.truth_from_camera, strict=True)
    }
    assert list(poses) == list(truth)
    return trajectory_errors(np.stack(list(poses.values())), np.stack(list(truth.values()))).ate_rmse


@pytest.mark.parametrize("step", [camera_centres, dense_points])
def test_exact_windows_are_chained_exactly(curve: Scene, step: Step) -> None:
    windows = list(oracle_windows(curve, noise=OracleNoise()))

    assert error_of(windows, step) < 1e-5


@pytest.mark.parametrize(("step", "limit_m"), [(camera_centres, 0.5), (dense_points, 0.05)])
def test_noisy_windows_are_chained_as_well_as_the_method_can(curve: Scene, step: Step, limit_m: float) -> None:
    error = error_of(list(oracle_windows(curve)), step)

    assert 0.005 < error < limit_m


def test_points_withstand_a_share_of_garbage_pixels(curve: Scene) -> None:
    windows = list(oracle_windows(curve, noise=replace(NETWORK_NOISE, garbage_pixels=0.1)))

    assert error_of(windows, dense_points) < 0.3


def test_chain_goes_on_where_centres_tell_nothing() -> None:
    standing = simulated_scene(single_camera_rig(SIZE), "standing", 2.0)
    windows = list(oracle_windows(standing, noise=OracleNoise()))

    poses = chain([(one.window, one.prediction) for one in windows], camera_centres)

    assert len(poses) == 20
    assert np.isfinite(np.stack(list(poses.values()))).all()
