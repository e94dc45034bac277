# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The engine that thinks nothing still keeps the contract."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import ViewKey
from da3_ros.inference.engine import Engine
from da3_ros.inference.null_engine import NullEngine

CAMERA = PinholeCamera((60, 80), 70.0, 71.0, 41.0, 28.0)
IMAGES = [np.zeros((60, 80, 3), dtype=np.uint8)] * 2


def test_answer_has_the_sizes_and_cameras_that_the_network_would_give() -> None:
    engine: Engine = NullEngine(process_resolution=56)

    found = engine.estimate(IMAGES, [CAMERA, None])

    assert found.depth.shape == (2, 42, 56)
    assert found.depth.dtype == found.confidence.dtype == np.float32
    assert found.cameras[0] == CAMERA.resized((42, 56))
    assert found.cameras[1] == found.predicted_cameras[1]
    np.testing.assert_array_equal(found.window_from_camera, np.stack((np.eye(4),) * 2))


def test_depth_is_constant_where_the_image_shows_something_and_nan_elsewhere() -> None:
    pincushion = replace(CAMERA, distortion_model="plumb_bob", distortion=(0.3, 0.0, 0.0, 0.0))

    found = NullEngine(process_resolution=56).estimate(IMAGES[:1], [pincushion])

    assert np.isnan(found.depth[0, 0, 0])
    assert len(np.unique(found.depth[~np.isnan(found.depth)])) == 1


def test_call_is_refused_when_the_network_would_refuse_it() -> None:
    engine = NullEngine(process_resolution=56)

    with pytest.raises(ValueError, match="2 images came with 1 keys"):
        engine.estimate(IMAGES, keys=[ViewKey("front", 0)])
    with pytest.raises(ValueError, match="no calibration"):
        engine.estimate(IMAGES, None, np.stack((np.eye(4),) * 2))
