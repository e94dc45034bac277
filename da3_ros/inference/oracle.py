# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""An engine that answers from truth instead of a network: for tests and demonstrations, and named so everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey, ViewTruth
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import Sim3
from da3_ros.inference.depth_sampling import sample_depth
from da3_ros.inference.engine import EngineError, Image, check_keys
from da3_ros.inference.network_cameras import check_known_poses
from da3_ros.inference.oracle_faults import (
    FAULTS,
    OracleFault,
    blind_motions,
    blob_depth,
    faulty_views,
    garbage_depth,
    garbage_poses,
)
from da3_ros.inference.oracle_noise import (
    DepthImages,
    confidence_of,
    depth_edges,
    depth_noise,
    random_gauge,
    random_motions,
    window_generator,
)
from da3_ros.inference.preprocess import Preprocessor, ProcessedViews

Truth = Callable[[ViewKey, PinholeCamera | None, Image], ViewTruth]
"""What is true of a view: (key, camera, source image) -> truth.

With a camera the depth is wanted on that camera's pixels, yet may come on those of any other camera at the same place.
With None the truth's own camera is wanted: the one that took the source image. Raises LookupError for an unknown view.
"""


REFERENCE_DEPTH_M = 3.0


@dataclass(frozen=True, slots=True)
class OracleNoise:
    """How far an oracle's answers are from the truth; all standard deviations.

    Attributes:
        depth_smooth: of waves over the image, relative to depth.
        depth_pixel: of each pixel by itself, relative to depth.
        position_m: of each coordinate of a camera centre, metres, in a scene at 3 m.
        position_by_depth: in other scenes the centres err in proportion to the depth, as the network's own unit comes
            from the scene; otherwise by `position_m` everywhere.
        rotation_rad: of a camera's rotation about each axis, radians.
        confidence: of the logarithm of what confidence is wrong by; at 0 it tells the size of every error.
        garbage_pixels: share of pixels, anywhere, whose depth is random.
        random_gauge: every window gets its own random Sim(3); otherwise all windows are in world and in metres.
        seed: other seeds give other noise and gauges.
    """

    depth_smooth: float = 0.0
    depth_pixel: float = 0.0
    position_m: float = 0.0
    position_by_depth: bool = True
    rotation_rad: float = 0.0
    confidence: float = 0.0
    garbage_pixels: float = 0.0
    random_gauge: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        sigmas = (self.depth_smooth, self.depth_pixel, self.position_m, self.rotation_rad, self.confidence)
        if not all(0 <= sigma < np.inf for sigma in sigmas):
            raise ValueError(f"an oracle's noise cannot be negative or infinite: {self}")
        if not 0 <= self.garbage_pixels <= 1:
            raise ValueError(f"garbage_pixels is a share from 0 to 1, not {self.garbage_pixels}")


class OracleEngine:
    """Answers with the truth, made imperfect. An `Engine`; it needs the keys of the views.

    Noise and gauge depend on the whole window: a view has another error in every window it is part of, and the
    same window always gets the same answer.
    """

    def __init__(
        self,
        truth: Truth,
        noise: OracleNoise | None = None,
        *,
        faults: Sequence[OracleFault] = (),
        process_resolution: int = 504,
    ) -> None:
        self._truth = truth
        self._noise = noise or OracleNoise()
        self._faults = tuple(faults)
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
        """See `Engine.estimate`; known poses are checked and not used, `effort` changes nothing.

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

    def gauge(self, keys: Sequence[ViewKey]) -> Sim3:
        """The window_from_world in which a window of these views is answered: for evaluation, it is never published."""
        if not self._noise.random_gauge:
            return Sim3.identity()
        return random_gauge(window_generator(keys, self._noise.seed, "gauge"))

    def _answer(self, views: ProcessedViews, truths: Sequence[ViewTruth], keys: Sequence[ViewKey]) -> Prediction:
        gauge = self.gauge(keys)
        cameras = tuple(camera for camera in views.cameras if camera is not None)
        known = np.stack([sample_depth(truth, camera) for truth, camera in zip(truths, cameras, strict=True)])
        known[~views.valid] = np.nan
        depth, confidence = self._noisy_depth(known, keys)
        return Prediction(
            images=views.images,
            depth=depth * np.float32(gauge.scale),
            confidence=confidence,
            window_from_camera=gauge.apply_to_poses(self._noisy_poses(truths, keys, _scene_depth(known))),
            cameras=cameras,
            predicted_cameras=cameras,
        )

    def _noisy_poses(self, truths: Sequence[ViewTruth], keys: Sequence[ViewKey], scene_depth_m: float) -> FloatArray:
        """(V, 4, 4) world_from_camera."""
        generator = window_generator(keys, self._noise.seed, "poses")
        poses = np.stack([truth.world_from_camera for truth in truths])
        position_m = self._noise.position_m
        if self._noise.position_by_depth:
            position_m *= scene_depth_m / REFERENCE_DEPTH_M
        poses = poses @ random_motions(generator, len(keys), position_m, self._noise.rotation_rad)
        blind, garbage = (faulty_views(keys, self._faults, kind) for kind in FAULTS)
        poses[blind] = poses[blind] @ blind_motions(generator, len(blind))
        poses[garbage] = garbage_poses(generator, len(garbage))
        return poses

    def _noisy_depth(self, known: DepthImages, keys: Sequence[ViewKey]) -> tuple[DepthImages, DepthImages]:
        """(V, H, W) depth in metres, and confidence."""
        noise = self._noise
        generator = window_generator(keys, noise.seed, "depth")
        edge = np.stack([depth_edges(image) for image in known])
        depth = known * np.exp(depth_noise(generator, known.shape, noise.depth_smooth, noise.depth_pixel))
        if noise.garbage_pixels > 0:
            wrong = generator.random(known.shape, dtype=np.float32) < noise.garbage_pixels
            depth[wrong] = garbage_depth(generator, known.shape)[wrong]
        blind, garbage = (faulty_views(keys, self._faults, kind) for kind in FAULTS)
        depth[blind] = blob_depth(generator, known[blind].shape)
        depth[garbage] = garbage_depth(generator, known[garbage].shape)
        return depth, confidence_of(np.log(depth / known), edge, generator, noise.confidence)


def _scene_depth(depth_m: DepthImages) -> float:
    """Median of what is known, in metres."""
    known = depth_m[depth_m > 0]
    return float(np.median(known)) if len(known) else REFERENCE_DEPTH_M
