# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from da3_ros.geometry.prediction import ViewKey
from da3_ros.simulation.simulator import Simulation

STAMP_NS = 1_700_000_000_123_456_789


def test_camera_poses_are_base_pose_times_extrinsics(simulation: Simulation) -> None:
    assert [camera.name for camera in simulation.rig.cameras] == ["front", "left", "right"]
    for camera in simulation.rig.cameras:
        expected = simulation.world_from_base(STAMP_NS) @ camera.base_from_camera
        view = simulation.view(ViewKey(camera.name, STAMP_NS))
        np.testing.assert_array_equal(view.world_from_camera, expected)


def test_truth_equals_what_was_rendered(simulation: Simulation) -> None:
    view = simulation.view(ViewKey("left", STAMP_NS))

    truth = simulation.truth(ViewKey("left", STAMP_NS))

    np.testing.assert_array_equal(truth.depth, view.depth)
    np.testing.assert_array_equal(truth.world_from_camera, view.world_from_camera)
    assert truth.camera == view.camera
    assert truth.depth.dtype == np.float32


def test_truth_at_another_size_is_cast_and_not_resampled(simulation: Simulation) -> None:
    key = ViewKey("front", STAMP_NS)
    own = simulation.rig.named("front").camera
    # Three times the pixels: every third one has its centre where a pixel of the small image has it.
    large = own.resized((3 * own.size[0], 3 * own.size[1]))

    truth = simulation.truth(key, large)

    assert truth.camera == large
    shared = truth.depth[1::3, 1::3]
    same_surface = np.abs(shared / simulation.truth(key).depth - 1) < 1e-6
    assert same_surface.mean() > 0.999  # on an edge the last bit of a ray may choose another surface


def test_views_are_kept_and_read_only(simulation: Simulation) -> None:
    key = ViewKey("front", STAMP_NS)

    view = simulation.view(key)

    assert simulation.view(key) is view
    assert simulation.truth(key) is simulation.truth(key)
    for array in (view.image, view.depth, view.world_from_camera, simulation.truth(key).depth):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 0


def test_truth_refuses_a_camera_that_the_rig_does_not_have(simulation: Simulation) -> None:
    with pytest.raises(LookupError, match="rear"):
        simulation.truth(ViewKey("rear", STAMP_NS))
