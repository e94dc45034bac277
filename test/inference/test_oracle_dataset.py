# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The oracle on a real sequence: images in, the sequence's own depth and poses out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from da3_ros.evaluation.datasets import dataset_truth, load_dataset
from da3_ros.geometry.prediction import ViewKey
from da3_ros.inference.oracle import OracleEngine, OracleNoise


@pytest.mark.parametrize("calibrated", [True, False])
def test_oracle_answers_with_the_depth_and_poses_of_the_sequence(shared_data: Path, calibrated: bool) -> None:
    folder = shared_data / "livingroom1_redwood"
    frames = load_dataset(folder)[3:6]
    engine = OracleEngine(dataset_truth(folder), OracleNoise(random_gauge=False), process_resolution=504)

    found = engine.estimate(
        [frame.read_image() for frame in frames],
        [frame.calibration if calibrated else None for frame in frames],
        keys=[ViewKey("front", stamp_ns) for stamp_ns in range(3)],
    )

    assert found.cameras == tuple(frame.calibration.resized((378, 504)) for frame in frames)
    np.testing.assert_allclose(found.window_from_camera, [frame.world_from_camera for frame in frames], atol=1e-12)
    for frame, depth in zip(frames, found.depth, strict=True):
        assert frame.depth_file is not None
        truth = frame.depth_file.read()
        rows, cols = np.nonzero(~np.isnan(depth))
        nearest = truth[
            np.rint((rows + 0.5) * 480 / 378 - 0.5).astype(int), np.rint((cols + 0.5) * 640 / 504 - 0.5).astype(int)
        ]
        assert np.isnan(depth).mean() < 0.01
        assert np.nanmedian(np.abs(depth[rows, cols] / nearest - 1)) < 0.002
