# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How accurate a network's answers to windows are, window by window. Numpy in, numbers out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from da3_ros.evaluation.depth_metrics import ScaledDepthErrors, scaled_depth_errors
from da3_ros.evaluation.known_frames import Image
from da3_ros.evaluation.pose_accuracy import (
    MIN_BASELINE_M,
    RelativePoseErrors,
    benchmark_motions,
    pair_motions,
    relative_pose_errors,
)
from da3_ros.evaluation.reconstruction_metrics import (
    VOXEL_SHARE,
    ReconstructionErrors,
    camera_alignment,
    lifted_points,
    reconstruction_errors,
    thinned,
)
from da3_ros.evaluation.trajectory_metrics import trajectory_errors
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray

INDOOR_THRESHOLD_M = 0.05
THRESHOLD_M = {"ETH3D": 0.25}  # by kind of data set, where it is another one

Motions = Callable[[npt.ArrayLike], FloatArray]
"""(V, 4, 4) world_from_camera -> (P, 4, 4), one for each pair in the order of `pair_motions`."""


class Predict(Protocol):
    """What is evaluated, such as `Engine.estimate`.

    `Prediction.cameras` is the truth's, on its pixels; `Prediction.predicted_cameras` is the network's own.
    """

    def __call__(
        self,
        images: Sequence[Image],
        cameras: Sequence[PinholeCamera],
        camera_from_world: npt.ArrayLike | None = None,
        /,
    ) -> Prediction:
        """Answer V images with their true calibrations, and perhaps (V, 4, 4) true poses."""
        ...


@dataclass(frozen=True, slots=True)
class AccuracyRules:
    """What the metrics must be told.

    Attributes:
        min_baseline_m: see `relative_pose_errors`.
        threshold_m: of the F-score, metres; what the DA3 benchmark takes for the data set when None.
        benchmark_poses: whether poses are compared by `benchmark_motions`.
    """

    min_baseline_m: float = MIN_BASELINE_M
    threshold_m: float | None = None
    benchmark_poses: bool = False

    @property
    def motions_of(self) -> Motions:
        """What is compared of poses."""
        return benchmark_motions if self.benchmark_poses else pair_motions

    def threshold_of(self, kind: str) -> float:
        """Metres, for a kind of data set."""
        return self.threshold_m or THRESHOLD_M.get(kind, INDOOR_THRESHOLD_M)


@dataclass(frozen=True, slots=True, eq=False)
class WindowTruth:
    """What is true of V views, on the pixels of a Prediction.

    Attributes:
        depth: (V, H, W) metres, NaN where unknown.
        cameras: V true cameras of these pixels.
        world_from_camera: (V, 4, 4) rigid, metres.
    """

    depth: npt.NDArray[np.float32]
    cameras: tuple[PinholeCamera, ...]
    world_from_camera: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class WindowAccuracy:
    """One window; None and NaN where there is nothing to compare.

    Attributes:
        poses: of all pairs of views.
        depth: under three scalings.
        reconstruction: after alignment by the cameras.
        ate_rmse_m: of the camera centres after the Sim(3) that fits them best; from three views that are not on a line.
        focal_error: mean over the views of |predicted / true - 1| of the focal length.
        is_metric: whether the answer claims metres.
        seconds: that the answer took.
    """

    poses: RelativePoseErrors | None = None
    depth: ScaledDepthErrors | None = None
    reconstruction: ReconstructionErrors | None = None
    ate_rmse_m: float = float("nan")
    focal_error: float = float("nan")
    is_metric: bool = False
    seconds: float = float("nan")


def window_accuracy(
    prediction: Prediction,
    truth: WindowTruth,
    min_baseline_m: float,
    threshold_m: float,
    seconds: float = float("nan"),
    *,
    posed: bool = False,
    motions_of: Motions = pair_motions,
) -> WindowAccuracy:
    """All metrics of one answer.

    Args:
        prediction: in its own gauge.
        truth: on the same pixels.
        min_baseline_m: see `relative_pose_errors`.
        threshold_m: of the F-score.
        seconds: that the answer took.
        posed: the true poses were given. The cloud is what these make of its depth, in the unit that the answer's own
            poses ask for, as in the DA3 benchmark; the answer's poses tell whether it heeds the given ones.
        motions_of: what is compared of poses.
    """
    metres = prediction.metres_per_unit
    is_metric = bool(np.isfinite(metres))
    depth = depth_accuracy(prediction.depth * np.float32(metres if is_metric else 1.0), truth)
    if not prediction.has_poses:
        return WindowAccuracy(depth=depth, is_metric=is_metric, seconds=seconds)
    return WindowAccuracy(
        poses=pose_accuracy(motions_of(prediction.window_from_camera), truth, min_baseline_m, motions_of),
        depth=depth,
        reconstruction=_reconstruction(prediction, truth, threshold_m, posed),
        ate_rmse_m=_trajectory_error(prediction, truth),
        focal_error=_focal_error(prediction),
        is_metric=is_metric,
        seconds=seconds,
    )


def depth_accuracy(depth: npt.ArrayLike, truth: WindowTruth) -> ScaledDepthErrors | None:
    """Of (V, H, W) depth; None where no pixel has both."""
    try:
        return scaled_depth_errors(depth, truth.depth)
    except DegenerateGeometryError:
        return None


def pose_accuracy(
    motions: npt.ArrayLike, truth: WindowTruth, min_baseline_m: float, motions_of: Motions = pair_motions
) -> RelativePoseErrors:
    """Of (P, 4, 4) motions; `motions_of` makes those of the truth."""
    return relative_pose_errors(motions, motions_of(truth.world_from_camera), min_baseline_m)


def _reconstruction(
    prediction: Prediction, truth: WindowTruth, threshold_m: float, posed: bool
) -> ReconstructionErrors | None:
    """Of the points that the network's own cameras and poses make of its depth; posed, that the true ones make of it.

    Points where the truth is not known are left out.
    """
    depth = np.where(np.isfinite(truth.depth), prediction.depth, np.nan)
    voxel = VOXEL_SHARE * threshold_m
    try:
        alignment = camera_alignment(prediction.window_from_camera, truth.world_from_camera, depth, truth.depth)
        if posed:
            ours = lifted_points(depth * alignment.scale, truth.cameras, truth.world_from_camera)
        else:
            points = lifted_points(depth, prediction.predicted_cameras, prediction.window_from_camera)
            ours = [alignment.apply(view) for view in points]
        theirs = lifted_points(truth.depth, truth.cameras, truth.world_from_camera)
        return reconstruction_errors(_cloud(ours, voxel), _cloud(theirs, voxel), threshold_m)
    except DegenerateGeometryError:
        return None


def _cloud(views: Sequence[FloatArray], voxel: float) -> FloatArray:
    return thinned(np.concatenate([thinned(points, voxel) for points in views]), voxel)


def _trajectory_error(prediction: Prediction, truth: WindowTruth) -> float:
    try:
        return trajectory_errors(prediction.window_from_camera, truth.world_from_camera).ate_rmse
    except DegenerateGeometryError:
        return float("nan")


def _focal_error(prediction: Prediction) -> float:
    pairs = zip(prediction.predicted_cameras, prediction.cameras, strict=True)
    return float(np.mean([abs(ours.fx_px / true.fx_px - 1) for ours, true in pairs]))
