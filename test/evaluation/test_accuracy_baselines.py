# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Answers view by view, of cameras of unlike shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from da3_ros.evaluation.accuracy_baselines import blind_predict, one_by_one
from da3_ros.evaluation.known_frames import Image
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import Prediction

CAMERAS = tuple(PinholeCamera.from_field_of_view(size, 1.0) for size in ((42, 70), (70, 42), (56, 70)))


def red_is_depth(
    images: Sequence[Image], cameras: Sequence[PinholeCamera], camera_from_world: npt.ArrayLike | None = None, /
) -> Prediction:
    """Depth is the red of the pixels that the network would see."""
    prediction = blind_predict(70)(images, cameras, camera_from_world)
    return replace(prediction, depth=prediction.images[..., 0].astype(np.float32))


def test_views_of_unlike_shapes_answered_one_by_one_lie_on_the_pixels_of_the_window() -> None:
    generator = np.random.default_rng(1)
    images = [generator.integers(1, 255, size=(*camera.size, 3), dtype=np.uint8) for camera in CAMERAS]

    depth = one_by_one(red_is_depth, images, CAMERAS)

    assert depth.shape == (3, 42, 42)
    np.testing.assert_array_equal(depth, red_is_depth(images, CAMERAS).depth)
