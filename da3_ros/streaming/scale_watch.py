# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Asks every source of scale about each window, and tells the tracker."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from da3_ros.geometry.prediction import Prediction, ViewKey
from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming.aligner import AlignmentReport
from da3_ros.streaming.conditioning import OdometryAt
from da3_ros.streaming.frame import FrameSet, Window
from da3_ros.streaming.odometry_scale import OdometryScale
from da3_ros.streaming.rig import BODY_FROM_OPTICAL
from da3_ros.streaming.scale import ScaleObservation, ScaleState, ScaleTracker
from da3_ros.streaming.scale_sources import rig_scale

# A frame set waits so long for further windows to see it, and for the external odometry to say where the robot was.
PATIENCE_NS = 1_000_000_000
MAX_WAITING = 256

MetricScale = Callable[[Window, Prediction], ScaleObservation | None]


@dataclass(slots=True)
class _Waiting:
    """One view of a published frame set, until the external odometry is asked about it."""

    key: ViewKey
    world_from_camera: FloatArray
    looks: int = 1


class ScaleWatch:
    """The sources of scale and the tracker that follows them.

    Args:
        tracker: told of everything.
        odometry_at: external odometry, None without.
        metric_scale: asks a model that was trained to predict metres, None without.
    """

    def __init__(self, tracker: ScaleTracker, odometry_at: OdometryAt | None, metric_scale: MetricScale | None) -> None:
        self._tracker = tracker
        self._odometry_at = odometry_at
        self._metric_scale = metric_scale
        self._travelled = OdometryScale()
        self._waiting: deque[_Waiting] = deque(maxlen=MAX_WAITING)

    def forget(self) -> None:
        """A new segment has another unit."""
        self._tracker.forget()
        self._travelled.forget()
        self._waiting.clear()

    def state(self, stamp_ns: int) -> ScaleState:
        """What is known of metres at a time."""
        return self._tracker.state(stamp_ns)

    def look(
        self,
        window: Window,
        prediction: Prediction,
        report: AlignmentReport,
        new_sets: Sequence[FrameSet],
        base_from_camera: Mapping[str, FloatArray],
    ) -> ScaleState:
        """Take in a good window.

        Args:
            window: as the engine saw it.
            prediction: of it.
            report: of its alignment.
            new_sets: its frame sets that no earlier window published.
            base_from_camera: (4, 4) known places of cameras, metres.
        """
        stamp_ns = window.frame_sets[-1].stamp_ns
        self._tracker.advance(report.scale_drift)
        shift_variance = 2 * report.noise.centre**2 / max(report.overlap_views, 1)
        self._travelled.advance(report.scale_drift, shift_variance)
        world_from_camera = report.world_from_window.apply_to_poses(prediction.window_from_camera)
        views = [view for view, frame in enumerate(window.views) if frame.key not in report.distrusted]
        sets = {frame.key: index for index, one in enumerate(window.frame_sets) for frame in one.frames}
        observations = [
            rig_scale(
                base_from_camera,
                [window.views[view].camera for view in views],
                [sets[window.views[view].key] for view in views],
                world_from_camera[views],
                report.noise.centre,
                stamp_ns,
                self._tracker.believed("rig"),
            )
        ]
        self._wait_for(window, world_from_camera, report, new_sets)
        observations += self._travelled_so_far(window, base_from_camera, report.noise.centre)
        if self._metric_scale is not None:
            observations.append(self._metric_scale(window, prediction))
        return self._tracker.observe([one for one in observations if one is not None], stamp_ns)

    def _wait_for(
        self, window: Window, world_from_camera: FloatArray, report: AlignmentReport, new_sets: Sequence[FrameSet]
    ) -> None:
        """Queue one view of each new set; those that wait are known better with every window that sees them."""
        for waiting in self._waiting:
            if waiting.key in report.refined:
                waiting.world_from_camera = report.refined[waiting.key]
                waiting.looks += 1
        places = {frame.key: world_from_camera[view] for view, frame in enumerate(window.views)}
        for new in new_sets:
            frame = next((frame for frame in new.frames if frame.key not in report.distrusted), new.frames[0])
            self._waiting.append(_Waiting(frame.key, places[frame.key]))

    def _travelled_so_far(
        self, window: Window, base_from_camera: Mapping[str, FloatArray], centre_noise: float
    ) -> list[ScaleObservation | None]:
        """Of all sets that no further window will see, and for which the external odometry has come in by now."""
        if self._odometry_at is None:
            return []
        observations = []
        inside = {frame.key for frame in window.views}
        while self._waiting:
            first = self._waiting[0]
            is_late = window.frame_sets[-1].stamp_ns - first.key.stamp_ns >= PATIENCE_NS
            odom_from_base = self._odometry_at(first.key.stamp_ns)
            if not is_late and (odom_from_base is None or first.key in inside):
                break
            self._waiting.popleft()
            if odom_from_base is None:
                continue
            odom_from_camera = odom_from_base @ base_from_camera.get(first.key.camera, BODY_FROM_OPTICAL)
            noise, believed = centre_noise / math.sqrt(first.looks), self._tracker.believed("odom")
            observations.append(
                self._travelled.observe(first.key.stamp_ns, first.world_from_camera, odom_from_camera, noise, believed)
            )
        return observations
