# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""An engine that thinks nothing: it measures what everything else costs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey
from da3_ros.inference.engine import Image, check_keys
from da3_ros.inference.network_cameras import check_known_poses
from da3_ros.inference.preprocess import Preprocessor

_DEPTH = 1.0
_CONFIDENCE = 5.0
_HORIZONTAL_RAD = math.radians(60)


class NullEngine:
    """Answers every view with a flat wall straight ahead and a camera that stands still. An `Engine`."""

    def __init__(self, *, process_resolution: int = 504) -> None:
        self._preprocessor = Preprocessor(process_resolution)

    def estimate(
        self,
        images: Sequence[Image],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: npt.ArrayLike | None = None,
        keys: Sequence[ViewKey] | None = None,
        *,
        effort: Effort = FULL_EFFORT,
    ) -> Prediction:
        """See `Engine.estimate`; known poses and keys are checked and not used, `effort` changes nothing."""
        check_keys(keys, len(images))
        check_known_poses(camera_from_world, cameras, len(images))
        views = self._preprocessor.process(images, cameras)
        V, H, W, _ = views.images.shape
        guess = PinholeCamera.from_field_of_view((H, W), _HORIZONTAL_RAD)
        return Prediction(
            images=views.images,
            depth=_where(views.valid, _DEPTH, np.nan),
            confidence=_where(views.valid, _CONFIDENCE, 1.0),
            window_from_camera=np.tile(np.eye(4), (V, 1, 1)),
            cameras=tuple(camera or guess for camera in views.cameras),
            predicted_cameras=(guess,) * V,
        )

    def warm_up(self, views: int, size: tuple[int, int]) -> None:
        """See `Engine.warm_up`: there is nothing to do."""


def _where(valid: npt.NDArray[np.bool_], value: float, otherwise: float) -> npt.NDArray[np.float32]:
    """A constant with holes; without holes it takes no memory, as what is measured is the cost of everything else."""
    if valid.all():
        return np.broadcast_to(np.float32(value), valid.shape)
    return np.where(valid, np.float32(value), np.float32(otherwise))
