# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Asks every source of scale about each window, and tells the tracker."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming.alignment_report import AlignmentReport
from da3_ros.streaming.conditioning import OdometryAt
from da3_ros.streaming.frame import FrameSet, Window
from da3_ros.streaming.model_scale import ModelScale
from da3_ros.streaming.odometry_scale import OdometryScale, window_scale
from da3_ros.streaming.scale import ScaleObservation, ScaleState, ScaleTracker
from da3_ros.streaming.scale_sources import rig_scale
from da3_ros.streaming.simultaneous import at_set_stamps

# A frame set waits so long for the external odometry to say where the robot was.
PATIENCE_NS = 1_000_000_000
MAX_WAITING = 256
# What happened in a longer time between two frame sets is for the external odometry alone to say, and it drifts.
MAX_GAP_NS = 500_000_000


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """One camera of a frame set, as a window predicts it at the set's stamp."""

    camera: str
    stamp_ns: int
    world_from_camera: FloatArray


class ScaleWatch:
    """The sources of scale and the tracker that follows them.

    Args:
        tracker: told of everything.
        odometry_at: external odometry, None without.
        model_scale: asks networks that were trained to predict metres.
    """

    def __init__(self, tracker: ScaleTracker, odometry_at: OdometryAt | None, model_scale: ModelScale) -> None:
        self._tracker = tracker
        self._odometry_at = odometry_at
        self._model_scale = model_scale
        self._travelled = OdometryScale()
        self._waiting: deque[_Place] = deque(maxlen=MAX_WAITING)
        self._followed = ""  # whose way is gathered while no camera has a place

    def forget(self) -> None:
        """A new segment has another unit."""
        self._tracker.forget()
        self._model_scale.forget()
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
        observations = self._told_by_places(window, prediction, report, new_sets, base_from_camera)
        if self._tracker.hears("model"):
            is_metric = self._tracker.state(stamp_ns).is_metric
            observations.append(self._model_scale.observe(window, prediction, report, is_metric))
        return self._tracker.observe([one for one in observations if one is not None], stamp_ns)

    def _told_by_places(
        self,
        window: Window,
        prediction: Prediction,
        report: AlignmentReport,
        new_sets: Sequence[FrameSet],
        base_from_camera: Mapping[str, FloatArray],
    ) -> list[ScaleObservation | None]:
        """What the rig and the external odometry say against the places of cameras as the window predicts them."""
        if not prediction.has_poses:
            return []
        stamp_ns = window.frame_sets[-1].stamp_ns
        world_from_camera = at_set_stamps(
            window, report.world_from_window.apply_to_poses(prediction.window_from_camera)
        )
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
        if self._odometry_at is not None:
            new, begin_ns, recent = {one.index for one in new_sets}, _begin_of_motion_ns(window), []
            for one in window.frame_sets:
                place = _place_of(one, window, world_from_camera, report, base_from_camera)
                if place is not None and one.index in new:
                    self._waiting.append(place)
                if place is not None and one.stamp_ns >= begin_ns:
                    recent.append(place)
            observations.append(self._travelled_within(recent, base_from_camera, report.noise.centre))
            observations += self._travelled_so_far(stamp_ns, base_from_camera, report.noise.centre)
        return observations

    def _travelled_within(
        self, places: Sequence[_Place], base_from_camera: Mapping[str, FloatArray], centre_noise: float
    ) -> ScaleObservation | None:
        """Of one window, for a robot that is fast enough; then what was gathered over several is not needed."""
        is_placed = bool(base_from_camera)
        if not is_placed:
            places = [place for place in places if place.camera == places[-1].camera]
        if not places:
            return None
        told = [self._odom_from_camera(place, base_from_camera) for place in places]
        poses = np.stack([place.world_from_camera for place in places])
        stamps_ns = [place.stamp_ns for place in places]
        found = window_scale(stamps_ns, poses, told, centre_noise, self._tracker.believed("odom"), is_placed)
        if found is not None:
            self._travelled.forget()
            self._waiting.clear()
        return found

    def _travelled_so_far(
        self, now_ns: int, base_from_camera: Mapping[str, FloatArray], centre_noise: float
    ) -> list[ScaleObservation | None]:
        """Of all frame sets for which the external odometry has come in by now, over as many windows as it takes."""
        observations = []
        while self._waiting:
            place = self._waiting[0]
            odom_from_camera = self._odom_from_camera(place, base_from_camera)
            if odom_from_camera is None and now_ns - place.stamp_ns < PATIENCE_NS:
                break
            self._waiting.popleft()
            if not base_from_camera and place.camera != self._followed:
                self._travelled.forget()
                self._followed = place.camera
            observations.append(
                self._travelled.observe(
                    place.stamp_ns,
                    place.world_from_camera,
                    odom_from_camera,
                    centre_noise,
                    self._tracker.believed("odom"),
                    is_placed=bool(base_from_camera),
                )
            )
        return observations

    def _odom_from_camera(self, place: _Place, base_from_camera: Mapping[str, FloatArray]) -> FloatArray | None:
        """Of the base where no camera has a place."""
        odom_from_base = None if self._odometry_at is None else self._odometry_at(place.stamp_ns)
        if odom_from_base is None:
            return None
        return np.asarray(odom_from_base @ base_from_camera.get(place.camera, np.eye(4)))


def _place_of(
    frame_set: FrameSet,
    window: Window,
    world_from_camera: FloatArray,
    report: AlignmentReport,
    base_from_camera: Mapping[str, FloatArray],
) -> _Place | None:
    """The first camera of a set that is trusted, of those with a place on the base if any has one."""
    trusted = (frame for frame in frame_set.frames if frame.key not in report.distrusted)
    frame = next((frame for frame in trusted if not base_from_camera or frame.camera in base_from_camera), None)
    if frame is None:
        return None
    return _Place(frame.camera, frame_set.stamp_ns, world_from_camera[window.views.index(frame)])


def _begin_of_motion_ns(window: Window) -> int:
    """Since when the window follows the robot without a gap: anchors and what a pause has cut off lie before."""
    stamps_ns = [one.stamp_ns for one in window.frame_sets]
    begin_ns = stamps_ns[-1]
    for stamp_ns in reversed(stamps_ns[:-1]):
        if begin_ns - stamp_ns > MAX_GAP_NS:
            break
        begin_ns = stamp_ns
    return begin_ns
