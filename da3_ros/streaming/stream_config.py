# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What is to be decided before a stream begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming.synchronizer import MissingCamera


@dataclass(frozen=True, slots=True, eq=False)
class StreamConfig:
    """How frames become windows and windows a trajectory.

    Attributes:
        cameras: names; the first is the reference.
        slop_ns: see Synchronizer.
        missing_camera: see Synchronizer.
        queue_size: see Synchronizer.
        min_period_ns: sets that come faster than this on average are dropped as `rate_limited`; 0 takes all.
        window_size: frame sets per engine call. With one there is depth, but no trajectory, as nothing is shared: poses
            are NaN, and no odometry is told.
        window_stride: new frame sets between two windows.
        min_sets: frame sets of the first window, 0 for `window_size`; see SlidingWindow.
        overlap: frame sets that a window shares at least with the last good one.
        max_rejected: rejected windows in a row before the track counts as lost.
        scale_mode: see ScaleTracker.
        fixed_scale: metres per unit of a segment's first window, for scale_mode "fixed".
        require_metric: whether frame sets are withheld, and counted as `not_metric`, while the scale is relative.
        metric_every: see ModelScale.
        metric_views: see ModelScale.
        intrinsics: see IntrinsicsPolicy.
        conditioning: see known_camera_from_world.
        base_from_camera: see Rig.
        path_length: see Odometry.
    """

    cameras: tuple[str, ...]
    slop_ns: int = 0
    missing_camera: MissingCamera = "drop"
    queue_size: int = 16
    min_period_ns: int = 0
    window_size: int = 4
    window_stride: int = 1
    min_sets: int = 0
    overlap: int = 2
    max_rejected: int = 3
    scale_mode: str = "relative"
    fixed_scale: float = 1.0
    require_metric: bool = False
    metric_every: int = 10
    metric_views: int = 1
    intrinsics: str = "auto"
    conditioning: str = "none"
    base_from_camera: Mapping[str, FloatArray] = field(default_factory=dict)
    path_length: int = 1000

    def __post_init__(self) -> None:
        if self.window_size > 1 and not 1 <= self.overlap <= self.window_size - self.window_stride:
            raise ValueError(
                f"overlap {self.overlap} must be at least 1 and leave room for stride {self.window_stride} "
                f"in a window of {self.window_size}"
            )
