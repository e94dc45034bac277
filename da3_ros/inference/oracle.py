# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""An engine that answers from truth instead of a network: for tests and demonstrations, and named so everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import Prediction, ViewKey, ViewTruth
from da3_ros.geometry.sim3 import Sim3
from da3_ros.inference.depth_sampling import sample_depth
from da3_ros.inference.engine import EngineError, Image, check_keys
from da3_ros.inference.network_cameras import check_known_poses
from da3_ros.inference.oracle_noise import noisy_depth, random_gauge, random_motions, window_generator
from da3_ros.inference.preprocess import Preprocessor, ProcessedViews

Truth = Callable[[ViewKey, PinholeCamera | None, Image], ViewTruth]
"""What is true of a view: (key, camera, source image) -> truth.

With a camera the depth is wanted on that camera's pixels, yet may come on those of any other camera at the same place.
With None the truth's own camera is wanted: the one that took the source image. Raises LookupError for an unknown view.
"""


@dataclass(frozen=True, slots=True)
class OracleNoise:
    """How far an oracle's answers are from the truth.

    Attributes:
        depth: typical standard deviation of depth, relative.
        position_m: standard deviation of each coordinate of a camera centre, metres.
        rotation_rad: standard deviation of a camera's rotation about each axis, radians.
        random_gauge: every window gets its own random Sim(3); otherwise all windows are in world and in metres.
        seed: other seeds give other noise and gauges.
    """

    depth: float = 0.0
    position_m: float = 0.0
    rotation_rad: float = 0.0
    random_gauge: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if not all(0 <= sigma < np.inf for sigma in (self.depth, self.position_m, self.rotation_rad)):
            raise ValueError(f"an oracle's noise cannot be negative or infinite: {self}")


class OracleEngine:
    """Answers with the truth, made imperfect. An `Engine`; it needs the keys of the views.

    Noise and gauge depend on the whole window: a view has another error in every window it is part of, and the
    same window always gets the same answer.
    """

    def __init__(self, truth: Truth, noise: OracleNoise | None = None, *, process_resolution: int = 504) -> None:
        self._truth = truth
        self._noise = noise or OracleNoise()
        self._preprocessor = Preprocessor(process_resolution)

    def estimate(
        self,
        images: Sequence[Image],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: npt.ArrayLike | None = None,
        keys: Sequence[ViewKey] | None = None,
    ) -> Prediction:
        """See `Engine.estimate`; known poses are checked and not used.

        Raises:
            ValueError: also without keys.
            EngineError: when nothing is known about a view.
        """
        if keys is None:
            raise ValueError("the oracle needs the key of every view to know the truth about it")
        check_keys(keys, len(images))
        check_known_poses(camera_from_world, cameras, len(images))
        given = cameras or [None] * len(images)
        calibrations = [
            self._ask(key, None, image).camera if camera is None else camera
            for key, camera, image in zip(keys, given, images, strict=True)
        ]
        views = self._preprocessor.process(images, calibrations)
        truths = [self._ask(key, camera, image) for key, camera, image in zip(keys, views.cameras, images, strict=True)]
        return self._answer(views, truths, keys)

    def warm_up(self, views: int, size: tuple[int, int]) -> None:
        """See `Engine.warm_up`: there is nothing to do."""

    def _ask(self, key: ViewKey, camera: PinholeCamera | None, image: Image) -> ViewTruth:
        try:
            return self._truth(key, camera, image)
        except LookupError as error:
            raise EngineError(f"the oracle knows nothing about camera '{key.camera}' at {key.stamp_ns} ns") from error

    def _answer(self, views: ProcessedViews, truths: Sequence[ViewTruth], keys: Sequence[ViewKey]) -> Prediction:
        noise = self._noise
        gauge = random_gauge(window_generator(keys, noise.seed, "gauge")) if noise.random_gauge else Sim3.identity()
        generator = window_generator(keys, noise.seed, "noise")
        motions = random_motions(generator, len(keys), noise.position_m, noise.rotation_rad)
        world_from_camera = np.stack([truth.world_from_camera for truth in truths]) @ motions
        cameras = tuple(camera for camera in views.cameras if camera is not None)
        depths, confidences = [], []
        for truth, camera, valid in zip(truths, cameras, views.valid, strict=True):
            known = np.where(valid, sample_depth(truth, camera), np.float32(np.nan))
            depth, confidence = noisy_depth(known, noise.depth, generator)
            depths.append(depth * np.float32(gauge.scale))
            confidences.append(confidence)
        return Prediction(
            images=views.images,
            depth=np.stack(depths),
            confidence=np.stack(confidences),
            window_from_camera=gauge.apply_to_poses(world_from_camera),
            cameras=cameras,
            predicted_cameras=cameras,
        )
