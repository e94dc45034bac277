# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the pipeline hands out: per window, per new frame set, per view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming.alignment_report import AlignmentReport
from da3_ros.streaming.frame import Frame, FrameSet, Window
from da3_ros.streaming.odometry import OdometryState
from da3_ros.streaming.rig_calibration import RigEstimate
from da3_ros.streaming.scale import ScaleState


@dataclass(frozen=True, slots=True, eq=False)
class ViewResult:
    """One image and what was found out about it; all images have the same (H, W).

    Attributes:
        frame: the source, with its exact stamp and frame_id.
        image: (H, W, 3) uint8 RGB, rectified.
        camera: intrinsics of exactly these images, without distortion.
        depth: (H, W) float32 z along the optical axis, metres, or the segment's unit while the scale is relative; NaN
            where unknown.
        confidence: (H, W) float32, at least 1, larger is surer; 0 in the sky.
        sky: (H, W) where the view shows the sky, its depth being NaN; None when that is not known, or not trusted.
        odom_from_camera: (4, 4) float64 rigid, optical frame, in the unit of depth; NaN where there is no track.
        trusted: False when the view contradicts the others: its depth is withheld, all NaN.
    """

    frame: Frame
    image: npt.NDArray[np.uint8]
    camera: PinholeCamera
    depth: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]
    sky: npt.NDArray[np.bool_] | None
    odom_from_camera: FloatArray
    trusted: bool


@dataclass(frozen=True, slots=True, eq=False)
class SetResult:
    """One frame set that is handed out for the first and only time.

    Attributes:
        frame_set: the source.
        views: one per frame, in its order.
        odometry: the base at that instant; None while no camera of the set has a known place on the base, and where
            there is no track.
        disagreeing: cameras left out of the base's pose: garbage, or not where TF says they are.
    """

    frame_set: FrameSet
    views: tuple[ViewResult, ...]
    odometry: OdometryState | None
    disagreeing: frozenset[str]


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Where the time of a window went, nanoseconds.

    Attributes:
        queue_ns: from the making of its newest frame set to the start of processing.
        engine_ns: the network call with its pre-processing.
        alignment_ns: intrinsics, alignment, scale and odometry.
        metric_ns: the network that is asked for metres; 0 when it is not.
    """

    queue_ns: int
    engine_ns: int
    alignment_ns: int
    metric_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class WindowResult:
    """One processed window.

    Attributes:
        window: as it was given to the engine.
        report: how it lies in the world.
        scale: whether depth and poses are in metres.
        times: by stage.
        new_sets: the sets that no earlier window handed out, oldest first; none when the window was rejected, or
            withheld as its scale is relative.
        rig: where the cameras sit against one another as the images tell; None when unknown or known from elsewhere.
        focal_difference: see ChosenIntrinsics.
    """

    window: Window
    report: AlignmentReport
    scale: ScaleState
    times: StageTimes
    new_sets: tuple[SetResult, ...]
    rig: RigEstimate | None
    focal_difference: float
