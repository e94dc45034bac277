# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Views in odom: the base from all cameras of a set, the cameras from the base, and the rig where nobody knows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from da3_ros.geometry.pose_errors import ViewNoise
from da3_ros.geometry.prediction import Prediction, ViewKey
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import Sim3
from da3_ros.streaming.alignment_report import AlignmentReport
from da3_ros.streaming.conditioning import OdometryAt
from da3_ros.streaming.frame import Frame, FrameSet, Window
from da3_ros.streaming.odometry import Odometry, OdometryState, told_in_metres
from da3_ros.streaming.results import SetResult, ViewResult
from da3_ros.streaming.rig import BasePose, Rig
from da3_ros.streaming.rig_calibration import RigCalibration, RigEstimate
from da3_ros.streaming.scale import ScaleState
from da3_ros.streaming.simultaneous import SIMULTANEOUS_NS, at_set_stamps

# The rig's calibration changes slowly: it is worked out anew after this time.
CALIBRATION_PERIOD_NS = 1_000_000_000
# A camera that contradicts the base for so many windows in a row, and never itself, is misplaced in TF.
MISPLACED_AFTER = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Current:
    """The good window whose sets are being placed."""

    prediction: Prediction
    report: AlignmentReport
    scale: ScaleState
    views: Mapping[ViewKey, int]
    window_from_camera: FloatArray  # (V, 4, 4) at the stamps of the frame sets


class Placement:
    """Follows the base and places views.

    Args:
        base_from_camera: see Rig.
        reference: the camera that others are calibrated against, and whose axes the base has where no place is known.
        path_length: see Odometry.
        is_metric_only: see Odometry.
        origin_at: where odom has the base by somebody else's account, at a stamp; asked when a trajectory begins.
    """

    def __init__(
        self,
        base_from_camera: Mapping[str, FloatArray],
        reference: str,
        path_length: int,
        is_metric_only: bool = False,
        origin_at: OdometryAt | None = None,
    ) -> None:
        self._reference, self._origin_at = reference, origin_at
        self._rig = Rig(base_from_camera, reference)
        self._odometry = Odometry(path_length, is_metric_only)
        self._calibration = RigCalibration(reference)
        self._estimate: RigEstimate | None = None
        self._estimated_ns = 0
        self._current: _Current | None = None
        # Cameras that contradicted the base in the newest window, and for how many windows in a row.
        self._disagreeing: set[str] = set()
        self._disagreed: Counter[str] = Counter()

    @property
    def path(self) -> tuple[OdometryState, ...]:
        """The latest base states, oldest first."""
        return self._odometry.path

    @property
    def base_from_camera(self) -> Mapping[str, FloatArray]:
        """Places that are known, (4, 4) each, metres."""
        return self._rig.base_from_camera

    @property
    def rig_estimate(self) -> RigEstimate | None:
        """The calibrated rig; None while nothing is known of it, or where the robot knows it."""
        return None if self._rig.base_from_camera else self._estimate

    def reset(self) -> None:
        """The next base pose is the origin."""
        self._odometry.reset()
        self._forget_rig()
        self._current = None
        self._disagreeing.clear()
        self._disagreed.clear()

    def set_up(self, up_in_base: FloatArray | None) -> None:
        """See Odometry."""
        self._odometry.set_up(up_in_base)

    def place_cameras(self, base_from_camera: Mapping[str, FloatArray]) -> bool:
        """Learn where cameras sit; whether the base is another now than it was."""
        known = self._rig.base_from_camera
        self._rig = Rig(base_from_camera, self._reference)
        same = known and all(
            name in base_from_camera and np.array_equal(place, base_from_camera[name]) for name, place in known.items()
        )
        return not same

    def take(self, window: Window, prediction: Prediction, report: AlignmentReport, scale: ScaleState) -> None:
        """Take in a good window before its sets are placed."""
        views = {frame.key: view for view, frame in enumerate(window.views)}
        simultaneous = at_set_stamps(window, prediction.window_from_camera)
        self._current = _Current(prediction, report, scale, views, simultaneous)
        again = self._disagreeing - {key.camera for key in report.distrusted}
        self._disagreed = Counter({camera: self._disagreed[camera] + 1 for camera in again})
        self._disagreeing = set()
        if not report.new_segment:
            self._odometry.advance(report, scale)
            return
        if not scale.is_metric:
            self._forget_rig()
        if not report.has_track:
            return
        metric = Sim3(scale.metres_per_unit, np.eye(3), np.zeros(3)) @ report.world_from_window
        # A new segment may well see where the base was last: then no motion is lost between the two.
        sets = sorted(window.frame_sets, key=lambda frame_set: frame_set.stamp_ns != self._odometry.last_stamp_ns)
        found = (self._base_pose(frame_set, metric, None) for frame_set in sets)
        first = next((base for base in found if base is not None), None)
        if first is None:
            self._odometry.begin_segment(np.eye(4), report, scale, self._origin(sets[0].stamp_ns))
        else:
            self._odometry.begin_segment(first.odom_from_base, report, scale, self._origin(first.stamp_ns))

    def place(self, frame_set: FrameSet) -> SetResult:
        """One set of the window that was taken in; sets in time order."""
        current = self._current
        assert current is not None
        odom_from_window = self._odom_from_window(current)
        last = self.path[-1] if self.path else None
        base = self._base_pose(frame_set, odom_from_window, last)
        views = self._views_of(frame_set.frames, current)
        simultaneous = odom_from_window.apply_to_poses(current.window_from_camera[views])
        poses, state = np.full_like(simultaneous, np.nan), None
        if current.report.has_track:
            poses = odom_from_window.apply_to_poses(current.prediction.window_from_camera[views])
            if base is not None:
                used = [index for index, frame in enumerate(frame_set.frames) if frame.key in base.views]
                state = self._odometry.follow(base, simultaneous[used])
        if not self._rig.base_from_camera and len(frame_set.frames) > 1 and current.prediction.has_poses:
            self._calibrate(frame_set, simultaneous, current)
        disagreeing = base.disagreeing if base else frozenset()
        self._disagreeing |= {key.camera for key in disagreeing}
        # What goes on to contradict the others but not itself is no garbage: its place on the base is wrong.
        garbage = {key for key in disagreeing if self._disagreed[key.camera] < MISPLACED_AFTER}
        distrusted = current.report.distrusted | garbage
        results = [
            self._view_result(frame, view, pose, base if state else None, odom_from_window, frame.key not in distrusted)
            for frame, view, pose in zip(frame_set.frames, views, poses, strict=True)
        ]
        told = None if state is None else told_in_metres(state, current.scale)
        return SetResult(frame_set, tuple(results), told, frozenset(key.camera for key in disagreeing))

    def _origin(self, stamp_ns: int) -> FloatArray | None:
        if self._origin_at is None or self._odometry.last_stamp_ns is not None:
            return None
        return self._origin_at(stamp_ns)

    def _odom_from_window(self, current: _Current) -> Sim3:
        """Where there is no track, of its scale alone."""
        if current.report.has_track:
            return self._odometry.odom_from_world @ current.report.world_from_window
        return Sim3(current.scale.metres_per_unit, np.eye(3), np.zeros(3)) @ current.report.world_from_window

    def _base_pose(self, frame_set: FrameSet, odom_from_window: Sim3, last: OdometryState | None) -> BasePose | None:
        current = self._current
        assert current is not None
        frames = tuple(frame for frame in frame_set.frames if frame.key not in current.report.distrusted)
        if not frames or not current.prediction.has_poses:
            return None
        return self._rig.base_pose(
            frames,
            odom_from_window.apply_to_poses(current.window_from_camera[self._views_of(frames, current)]),
            self._noise(current, odom_from_window.scale / current.report.world_from_window.scale),
            prior=None if last is None else last.odom_from_base,
            scale_sigma=current.scale.sigma,
            stamp_ns=frame_set.stamp_ns,
        )

    def _view_result(
        self,
        frame: Frame,
        view: int,
        odom_from_camera: FloatArray,
        base: BasePose | None,
        odom_from_window: Sim3,
        trusted: bool,
    ) -> ViewResult:
        assert self._current is not None
        prediction = self._current.prediction
        if base is not None and abs(frame.stamp_ns - base.stamp_ns) <= SIMULTANEOUS_NS:
            # As whoever follows TF from the base to this camera finds it.
            chained = self._rig.camera_pose(frame.camera, base.odom_from_base)
            odom_from_camera = odom_from_camera if chained is None else chained
        depth, confidence = prediction.depth[view] * np.float32(odom_from_window.scale), prediction.confidence[view]
        sky = None if prediction.sky is None else prediction.sky[view]
        return ViewResult(
            frame=frame,
            image=prediction.images[view],
            camera=prediction.cameras[view],
            depth=depth if trusted else np.full_like(depth, np.nan),
            confidence=confidence if sky is None else np.where(sky, np.float32(0), confidence),
            sky=sky if trusted else None,
            odom_from_camera=odom_from_camera,
            trusted=trusted,
        )

    def _calibrate(self, frame_set: FrameSet, poses: FloatArray, current: _Current) -> None:
        trusted = [index for index, frame in enumerate(frame_set.frames) if frame.key not in current.report.distrusted]
        names = [frame_set.frames[index].camera for index in trusted]
        noise = self._noise(current, self._odom_from_window(current).scale / current.report.world_from_window.scale)
        self._calibration.add(names, poses[trusted], noise, current.scale.is_metric)
        if frame_set.stamp_ns - self._estimated_ns >= CALIBRATION_PERIOD_NS:
            self._estimate, self._estimated_ns = self._calibration.estimate(current.scale.sigma), frame_set.stamp_ns

    def _forget_rig(self) -> None:
        self._calibration.forget()
        self._estimate, self._estimated_ns = None, 0

    @staticmethod
    def _noise(current: _Current, metres_per_unit: float) -> ViewNoise:
        noise = current.report.noise
        return ViewNoise(noise.rotation_rad, noise.centre * metres_per_unit, noise.log_depth)

    @staticmethod
    def _views_of(frames: tuple[Frame, ...], current: _Current) -> list[int]:
        return [current.views[frame.key] for frame in frames]
