# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows, each in its own gauge, to one world: `world_from_window` from the views that windows share.

When the track is lost and where a new one begins is decided here; whether a window is believed in `alignment_report`.
How it is placed is `track`, and the geometry of it `geometry.view_registration`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.pose_errors import PoseErrors, ViewNoise
from da3_ros.geometry.prediction import Prediction, ViewKey
from da3_ros.geometry.sim3 import Sim3
from da3_ros.streaming import track as tracks
from da3_ros.streaming.alignment_report import AlignmentReport, bare_report, fault_of, report_of
from da3_ros.streaming.anchors import Anchors
from da3_ros.streaming.depth_samples import image_size, median_depth, sampled
from da3_ros.streaming.frame import Frame, FrameSet, Window
from da3_ros.streaming.noise_tracker import NoiseTracker
from da3_ros.streaming.track import Alignment, Track


class WindowAligner:
    """Chains windows; remembers the last good one and, while it does not agree, the last bad one.

    Args:
        max_rejected: after so many rejected windows in a row the track is lost. Then two windows that agree with one
            another begin a new segment.
    """

    def __init__(self, max_rejected: int = 3) -> None:
        self._max_rejected = max_rejected
        self.reset()

    def reset(self) -> None:
        """Forget the windows so far, so that the next one begins a new segment."""
        self._track: Track | None = None
        self._anchors = Anchors()
        self._candidate: Track | None = None
        self._world_from_last = Sim3.identity()
        self._rejected = 0
        self._noise = NoiseTracker()

    @property
    def last_window(self) -> Window | None:
        """The window with which the next one should share views: the last good one, or when lost, the last."""
        if self._is_lost and self._candidate is not None:
            return self._candidate.window
        return self._track.window if self._track else None

    @property
    def anchors(self) -> tuple[FrameSet, ...]:
        """Older frame sets, best first, that a window should hold as well: they keep a slow robot from drifting."""
        return () if self._is_lost else self._anchors.near

    @property
    def _is_lost(self) -> bool:
        return self._rejected >= self._max_rejected

    def add(self, window: Window, prediction: Prediction) -> AlignmentReport:
        """Place a window in the world.

        Args:
            window: its views in the order of the prediction.
            prediction: in the window's own gauge.

        Raises:
            ValueError: when the two do not have the same number of views.
        """
        if len(window.views) != len(prediction.depth):
            raise ValueError(f"window of {len(window.views)} views, but prediction of {len(prediction.depth)}")
        fault = fault_of(prediction)
        if fault:
            return self._reject(fault)
        if self._track is None:
            return self._begin(window, prediction, "")
        if self._is_lost:
            return self._find_again(window, prediction)
        shared = tracks.shared_views(self._track, window, prediction)
        if not len(shared):
            return self._begin(window, prediction, _why_nothing_is_shared(self._track, prediction))
        noise = self._noise.noise(self._track.scene_depth)
        try:
            alignment = tracks.align(self._track, prediction, shared, noise)
        except (DegenerateGeometryError, np.linalg.LinAlgError) as error:
            return self._reject(str(error), window, prediction, overlap_views=len(shared))
        report = report_of(self._track, self._world_from_last, window, prediction, alignment, noise)
        if not report.ok:
            return self._reject(report.reason, window, prediction, report)
        return self._accept(window, prediction, alignment, report)

    def _accept(
        self, window: Window, prediction: Prediction, alignment: Alignment, report: AlignmentReport
    ) -> AlignmentReport:
        assert self._track is not None
        before, kept = self._track.unit_variance, self._anchors.kept
        newest, frame = _newest_trusted(window, report.distrusted)
        poses = {known.key: pose for known, pose in zip(self._track.views, self._track.world_from_camera, strict=True)}
        view = window.views.index(frame)
        pose = report.world_from_window.apply_to_poses(prediction.window_from_camera[view])
        rebase = self._anchors.follow(newest, frame.camera, pose, poses, self._track.scene_depth)
        self._track = tracks.extended(self._track, window, prediction, alignment, report.noise, kept, rebase)
        self._world_from_last, self._rejected, self._candidate = report.world_from_window, 0, None
        self._noise.add(alignment.registration.residual, alignment.registration.expected)
        return replace(
            report,
            step_covariance=alignment.registration.covariance if rebase else np.zeros((7, 7)),
            scale_drift=max(self._track.unit_variance - before, 0.0),
        )

    def _begin(self, window: Window, prediction: Prediction, reason: str) -> AlignmentReport:
        self._track = self._fresh(window, prediction)
        self._anchors.begin(window.frame_sets[-1])
        self._world_from_last, self._rejected, self._candidate = Sim3.identity(), 0, None
        noise = self._noise.noise(self._track.scene_depth)
        return bare_report(Sim3.identity(), noise, tracks.own_errors(self._track), reason, new_segment=True)

    def _find_again(self, window: Window, prediction: Prediction) -> AlignmentReport:
        """Lost: a window that agrees with the one before it begins a new segment."""
        candidate, reason = self._candidate, f"lost after {self._rejected} rejected windows"
        if candidate is None:
            return self._reject("lost, and no window before to compare with", window, prediction)
        shared = tracks.shared_views(candidate, window, prediction)
        if not len(shared):
            # As windows of one frame set never do: to wait for two that agree would be to wait for ever.
            return self._begin(window, prediction, reason)
        noise = self._noise.noise(candidate.scene_depth)
        try:
            alignment = tracks.align(candidate, prediction, shared, noise)
        except (DegenerateGeometryError, np.linalg.LinAlgError) as error:
            return self._reject(str(error), window, prediction, overlap_views=len(shared))
        report = report_of(candidate, Sim3.identity(), window, prediction, alignment, noise)
        if report.ok:
            return self._begin(window, prediction, reason)
        return self._reject(report.reason, window, prediction, report)

    def _reject(
        self,
        reason: str,
        window: Window | None = None,
        prediction: Prediction | None = None,
        report: AlignmentReport | None = None,
        overlap_views: int = 0,
    ) -> AlignmentReport:
        self._rejected += 1
        if window is not None and prediction is not None:
            self._candidate = self._fresh(window, prediction)
        if report is None:
            bare = bare_report(
                self._world_from_last, ViewNoise(0.0, 0.0, 0.0), PoseErrors((), np.zeros((0, 0))), reason
            )
            report = replace(bare, inliers=0.0, overlap_views=overlap_views)
        return replace(report, ok=False, lost=self._is_lost, world_from_window=self._world_from_last)

    def _fresh(self, window: Window, prediction: Prediction) -> Track:
        return tracks.begin(
            window, prediction, self._noise.noise(median_depth(sampled(prediction, range(len(window.views)))))
        )


def _why_nothing_is_shared(track: Track, prediction: Prediction) -> str:
    before, now = track.size, image_size(prediction)
    if before != now:
        return f"the engine's images are {now[0]}x{now[1]} now, not {before[0]}x{before[1]}"
    return "no view is shared with the last good window"


def _newest_trusted(window: Window, distrusted: frozenset[ViewKey]) -> tuple[FrameSet, Frame]:
    """The newest frame set of which all is believed, else the newest; and a frame of it that is believed, if any is."""
    whole = (one for one in reversed(window.frame_sets) if not any(frame.key in distrusted for frame in one.frames))
    newest = next(whole, window.frame_sets[-1])
    return newest, next((frame for frame in newest.frames if frame.key not in distrusted), newest.frames[0])
