# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of whole sequences when a network sees them as a stream: windows, aligned, are a trajectory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from da3_ros.evaluation.accuracy import Predict
from da3_ros.evaluation.known_frames import Image, KnownRig, checked_image
from da3_ros.evaluation.trajectory_metrics import trajectory_errors
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey
from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming.frame import Frame
from da3_ros.streaming.pipeline import Pipeline
from da3_ros.streaming.results import WindowResult
from da3_ros.streaming.stream_config import StreamConfig

PERIOD_NS = 100_000_000  # stamps only have to differ
WINDOW_SETS, STRIDE = 4, 2


@dataclass(frozen=True, slots=True)
class StreamedTrajectory:
    """The estimated path of a rig against the true one.

    Attributes:
        sequence: name.
        frames: of all cameras.
        placed: how many of them have a pose.
        length_m: of the true path of the first camera, over all frames.
        ate_rmse_m: root mean square distance of the centres of placed frames after one Sim(3) for all cameras; NaN
            where none fits.
        rotation_median_deg: median angle between estimated and true orientation after it; NaN where none fits.
    """

    sequence: str
    frames: int
    placed: int
    length_m: float
    ate_rmse_m: float
    rotation_median_deg: float

    @property
    def ate_share(self) -> float:
        """ATE as a share of the path."""
        return self.ate_rmse_m / self.length_m if self.length_m else float("nan")


def streamed(
    rig: KnownRig, predict: Predict, progress: Callable[[int], None] = lambda done: None
) -> StreamedTrajectory:
    """Push all frames, moment by moment, through the pipeline that a node runs.

    Args:
        rig: of one camera or more; its poses and depth are not used but for the comparison.
        predict: the network.
        progress: told how many moments were pushed.

    Raises:
        DatasetError: when an image cannot be used.
        EngineError: when the network fails.
    """
    names = tuple(camera.name for camera in rig.cameras)
    config = StreamConfig(names, window_size=WINDOW_SETS, window_stride=STRIDE, overlap=WINDOW_SETS - STRIDE)
    pipeline = Pipeline(config, _Engine(predict), time.perf_counter_ns)
    poses: dict[ViewKey, FloatArray] = {}
    for number, moment in enumerate(zip(*(camera.frames for camera in rig.cameras), strict=True)):
        for name, frame in zip(names, moment, strict=True):
            pushed = Frame(name, number * PERIOD_NS, name, checked_image(frame).copy(), frame.calibration)
            _collect(pipeline.feed(pushed), poses)
        progress(number + 1)
    _collect(pipeline.finish(), poses)
    return _compared(rig, poses)


def _collect(results: Sequence[WindowResult], poses: dict[ViewKey, FloatArray]) -> None:
    for result in results:
        for view in (view for new in result.new_sets for view in new.views):
            if np.isfinite(view.odom_from_camera).all():
                poses[ViewKey(view.frame.camera, view.frame.stamp_ns)] = view.odom_from_camera


def _compared(rig: KnownRig, poses: Mapping[ViewKey, FloatArray]) -> StreamedTrajectory:
    true = {
        ViewKey(camera.name, number * PERIOD_NS): frame.world_from_camera
        for camera in rig.cameras
        for number, frame in enumerate(camera.frames)
    }
    centres = np.stack([frame.world_from_camera[:3, 3] for frame in rig.cameras[0].frames])
    length_m = float(np.linalg.norm(np.diff(centres, axis=0), axis=1).sum())
    ate = rotation = float("nan")
    try:
        if poses:
            errors = trajectory_errors(np.stack(list(poses.values())), np.stack([true[key] for key in poses]))
            ate, rotation = errors.ate_rmse, float(np.rad2deg(errors.rotation_median_rad))
    except DegenerateGeometryError:
        pass  # a camera that stands, or goes along a line, does not determine the alignment
    return StreamedTrajectory(rig.name, len(true), len(poses), length_m, ate, rotation)


class _Engine:
    """What is evaluated, as the pipeline asks it."""

    def __init__(self, predict: Predict) -> None:
        self._predict = predict

    def estimate(
        self,
        images: Sequence[Image],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: FloatArray | None = None,
        keys: Sequence[ViewKey] | None = None,
        *,
        effort: Effort = FULL_EFFORT,
    ) -> Prediction:
        del camera_from_world, keys, effort
        return self._predict(images, [camera for camera in cameras or () if camera is not None])
