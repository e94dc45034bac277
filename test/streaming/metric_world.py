# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The oracle world with images that can be told apart, and a network that knows metres in it, but for its errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey
from da3_ros.streaming.frame import Frame
from da3_ros.streaming.model_scale import MetricDepth
from da3_ros.streaming.pipeline import Pipeline
from da3_ros.streaming.stream_config import StreamConfig
from test.streaming.oracle_world import CAMERA, IMAGE, PERIOD_NS, OracleWorld, depth_of

SKY_ROWS = 8


@dataclass
class MarkedWorld(OracleWorld):
    """Each image says in its pixels which camera took it and when; cameras in `uncalibrated` have no calibration."""

    uncalibrated: frozenset[str] = frozenset()

    def frame(self, camera: str, stamp_ns: int) -> Frame:
        index = stamp_ns // PERIOD_NS
        mark = (index // 256, index % 256, list(self.rig).index(camera))
        calibration = None if camera in self.uncalibrated else CAMERA
        return Frame(camera, stamp_ns, f"{camera}_optical_frame", IMAGE + np.array(mark, np.uint8), calibration)

    def key(self, image: npt.NDArray[np.uint8]) -> ViewKey:
        high, low, camera = (int(value) for value in image[0, 0])
        return ViewKey(list(self.rig)[camera], (256 * high + low) * PERIOD_NS)


@dataclass
class MonocularWorld(MarkedWorld):
    """An engine that sees each view alone, in metres or in no unit, and tells no poses."""

    is_metric: bool = True

    def estimate(
        self,
        images: Sequence[npt.NDArray[np.uint8]],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: npt.ArrayLike | None = None,
        keys: Sequence[ViewKey] | None = None,
        *,
        effort: Effort = FULL_EFFORT,
    ) -> Prediction:
        seen = super().estimate(images, cameras, camera_from_world, keys, effort=effort)
        return replace(
            seen,
            depth=seen.depth / np.float32(self.gauges[-1].scale) if self.is_metric else seen.depth,
            window_from_camera=np.tile(np.eye(4), (len(images), 1, 1)),
            metres_per_unit=1.0 if self.is_metric else math.nan,
            has_poses=False,
        )


@dataclass
class MetricModel:
    """A `MetricDepth`: the truth times the bias of its scene and the errors of each image and pixel.

    `asked` are the views of each call so far; in `blind_calls` it knows nothing.
    """

    world: MarkedWorld
    bias: float = 0.0
    noise: float = 0.0
    blind_calls: frozenset[int] = frozenset()
    sky_rows: int = 0
    seed: int = 0
    asked: list[list[ViewKey]] = field(default_factory=list)

    def __call__(
        self, images: Sequence[npt.NDArray[np.uint8]], cameras: Sequence[PinholeCamera]
    ) -> npt.NDArray[np.float32]:
        assert all(camera == CAMERA for camera in cameras)
        call = len(self.asked)
        self.asked.append([self.world.key(image) for image in images])
        generator = np.random.default_rng((self.seed, call))
        depth = np.stack([depth_of(self.world.pose(key)) for key in self.asked[-1]]).astype(np.float64)
        errors = self.bias + self.noise * generator.normal(size=(len(depth), 1, 1))
        depth *= np.exp(errors + self.noise * generator.normal(size=depth.shape))
        depth[:, : self.sky_rows] = np.nan
        return np.where(call in self.blind_calls, np.nan, depth).astype(np.float32)

    @property
    def asked_sets(self) -> list[int]:
        """Index of the newest set in each call."""
        return [max(key.stamp_ns for key in keys) // PERIOD_NS for keys in self.asked]


def metric_pipeline(world: MarkedWorld, model: MetricDepth | None, **settings: object) -> Pipeline:
    """A pipeline without known places, whose clock ticks once whenever it is looked at."""
    ticks = count(step=1000)
    config = StreamConfig(cameras=tuple(world.rig), **{"scale_mode": "auto", **settings})  # type: ignore[arg-type]
    return Pipeline(config, world, lambda: next(ticks), metric_depth=model)
