# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows, each in its own gauge, to one world: `world_from_window` from the views that windows share.

This module decides: which window is believed, when the track is lost, where a new one begins. How a window is placed
is `streaming.track`, and the geometry of it `geometry.view_registration`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.pose_errors import PoseErrors, ViewNoise
from da3_ros.geometry.prediction import Prediction, ViewKey
from da3_ros.geometry.rotation import FloatArray, rotation_angle
from da3_ros.geometry.sim3 import Sim3
from da3_ros.streaming import track as tracks
from da3_ros.streaming.frame import FrameSet, Window
from da3_ros.streaming.noise_tracker import NoiseTracker
from da3_ros.streaming.track import Alignment, Track

# A window below this share of agreeing pixels, or beyond so many expected deviations, is rejected.
MIN_INLIERS = 0.3
MAX_DEVIATIONS = 10.0
# A camera does not move further between two frame sets than so many times the scene's depth.
MAX_STEP_DEPTHS = 3.0
# An anchor stays one while the newest view has turned and moved (by the scene's depth) less than this against it.
ANCHOR_TURN_RAD = 0.7
ANCHOR_SHIFT_DEPTHS = 0.25
# Views of anchors that are kept at most; the oldest go first.
MAX_ANCHOR_VIEWS = 36
NEAR_ANCHORS = 3
# A view of less weight than this contradicts the others.
MIN_WEIGHT = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentReport:
    """How one window lies in the world, and how well that is known.

    Attributes:
        ok: whether `world_from_window` may be used for this window.
        reason: why not, or why a new segment begins; empty in the normal case.
        new_segment: this window's pose does not follow from the windows before it.
        lost: too many windows in a row were rejected; the next good one begins a new segment.
        world_from_window: the alignment; of the last good window when not ok. The world has the gauge of the window
            that began the segment.
        scale_ratio: units of the last good window per unit of this one; 1 at a new segment.
        scale_sigma: relative standard deviation of the alignment's scale.
        residual: median relative disagreement of the depths of shared pixels; 0 without any.
        inliers: share of the compared pixels whose depths agree.
        overlap_views: views shared with the last good window.
        noise: of one view, world units, as learnt so far.
        errors: of the last published frame set and of this window's new views, both relative to the base, the gauge of
            an earlier window; at a new segment of this window's views alone, relative to its own gauge.
        step_covariance: (7, 7) of this window's gauge against the base, when it becomes the base for the windows to
            come, else zero: rotation vector (radians, world axes), shift of the pivot (world units), log scale.
        pivot: (3,) world; the middle of the shared views.
        scale_drift: variance that the log of the world's unit gained in this step.
        distrusted: views that contradict the other window or the rest of this one.
        refined: (4, 4) world_from_camera of the shared views, from all windows that saw them.
    """

    ok: bool
    reason: str
    new_segment: bool
    lost: bool
    world_from_window: Sim3
    scale_ratio: float
    scale_sigma: float
    residual: float
    inliers: float
    overlap_views: int
    noise: ViewNoise
    errors: PoseErrors
    step_covariance: FloatArray
    pivot: FloatArray
    scale_drift: float
    distrusted: frozenset[ViewKey]
    refined: Mapping[ViewKey, FloatArray] = field(default_factory=dict)


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
        self._anchors: tuple[FrameSet, ...] = ()
        self._near: tuple[FrameSet, ...] = ()
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
        return () if self._is_lost else self._near

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
        fault = _fault_of(prediction)
        if fault:
            return self._reject(fault)
        if self._track is None:
            return self._begin(window, prediction, "")
        if self._is_lost:
            return self._find_again(window, prediction)
        shared = tracks.shared_views(self._track, window, prediction)
        if not len(shared):
            return self._begin(window, prediction, "no view is shared with the last good window")
        noise = self._noise.noise(self._track.scene_depth)
        try:
            alignment = tracks.align(self._track, prediction, shared, noise)
        except DegenerateGeometryError as error:
            return self._reject(str(error), window, prediction, overlap_views=len(shared))
        report = _report_of(self._track, self._world_from_last, window, prediction, alignment, noise)
        if not report.ok:
            return self._reject(report.reason, window, prediction, report)
        return self._accept(window, prediction, alignment, report)

    def _accept(
        self, window: Window, prediction: Prediction, alignment: Alignment, report: AlignmentReport
    ) -> AlignmentReport:
        assert self._track is not None
        before = self._track.unit_variance
        near = self._anchors_near(window, prediction, alignment)
        rebase = not near or self._near[0] is not near[0]
        kept = self._anchors
        newest = window.frame_sets[-1]
        if len(near) < NEAR_ANCHORS:
            near = (*near, newest)
            self._anchors = (*self._anchors, newest)[-max(1, MAX_ANCHOR_VIEWS // len(newest.frames)) :]
        self._track = tracks.extended(
            self._track, window, prediction, alignment, report.noise, kept=kept, rebase=rebase
        )
        self._near = near
        self._world_from_last, self._rejected, self._candidate = report.world_from_window, 0, None
        self._noise.add(alignment.registration.residual, alignment.registration.expected)
        return replace(
            report,
            step_covariance=alignment.registration.covariance if rebase else np.zeros((7, 7)),
            scale_drift=max(self._track.unit_variance - before, 0.0),
            refined={window.views[view].key: self._track.world_from_camera[view] for view in alignment.shared[:, 1]},
        )

    def _anchors_near(self, window: Window, prediction: Prediction, alignment: Alignment) -> tuple[FrameSet, ...]:
        """Anchors that see what the newest set sees: the first so far while it does, then the others, oldest first."""
        assert self._track is not None
        newest = window.frame_sets[-1].frames[0]
        view = window.views.index(newest)
        pose = alignment.world_from_window.apply_to_poses(prediction.window_from_camera[view])
        places = {frame.key: at for at, frame in enumerate(self._track.views)}
        near = []
        for anchor in self._anchors:
            same = [places[frame.key] for frame in anchor.frames if frame.camera == newest.camera]
            if same and _distance(self._track.world_from_camera[same[0]], pose, self._track.scene_depth) < 1.0:
                near.append(anchor)
        near.sort(key=lambda anchor: anchor is not self._near[0])
        return tuple(near[:NEAR_ANCHORS])

    def _begin(self, window: Window, prediction: Prediction, reason: str) -> AlignmentReport:
        self._track = self._fresh(window, prediction)
        self._near = (window.frame_sets[-1],)
        self._anchors = self._near
        self._world_from_last, self._rejected, self._candidate = Sim3.identity(), 0, None
        noise = self._noise.noise(self._track.scene_depth)
        return _bare_report(Sim3.identity(), noise, tracks.own_errors(self._track), reason, new_segment=True)

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
        except DegenerateGeometryError as error:
            return self._reject(str(error), window, prediction, overlap_views=len(shared))
        report = _report_of(candidate, Sim3.identity(), window, prediction, alignment, noise)
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
            bare = _bare_report(
                self._world_from_last, ViewNoise(0.0, 0.0, 0.0), PoseErrors((), np.zeros((0, 0))), reason
            )
            report = replace(bare, inliers=0.0, overlap_views=overlap_views)
        return replace(report, ok=False, lost=self._is_lost, world_from_window=self._world_from_last)

    def _fresh(self, window: Window, prediction: Prediction) -> Track:
        return tracks.begin(window, prediction, self._noise.noise(_median_depth(prediction)))


def _distance(world_from_camera: FloatArray, world_from_other: FloatArray, scene_depth: float) -> float:
    """Of two views, 1 where one sees too little of the other."""
    turn = float(rotation_angle(world_from_camera[:3, :3].T @ world_from_other[:3, :3]))
    shift = float(np.linalg.norm(world_from_camera[:3, 3] - world_from_other[:3, 3]))
    return max(turn / ANCHOR_TURN_RAD, shift / (ANCHOR_SHIFT_DEPTHS * scene_depth))


def _bare_report(
    world_from_window: Sim3, noise: ViewNoise, errors: PoseErrors, reason: str, new_segment: bool = False
) -> AlignmentReport:
    return AlignmentReport(
        ok=True,
        reason=reason,
        new_segment=new_segment,
        lost=False,
        world_from_window=world_from_window,
        scale_ratio=1.0,
        scale_sigma=0.0,
        residual=0.0,
        inliers=1.0,
        overlap_views=0,
        noise=noise,
        errors=errors,
        step_covariance=np.zeros((7, 7)),
        pivot=np.zeros(3),
        scale_drift=0.0,
        distrusted=frozenset(),
    )


def _report_of(
    track: Track,
    world_from_last: Sim3,
    window: Window,
    prediction: Prediction,
    alignment: Alignment,
    noise: ViewNoise,
) -> AlignmentReport:
    covariance = alignment.registration.covariance
    inliers = float(np.mean([ratio.inliers for ratio in alignment.ratios]))
    reason = _doubt(window, prediction, inliers, alignment.registration.deviations)
    return AlignmentReport(
        ok=not reason,
        reason=reason,
        new_segment=False,
        lost=False,
        world_from_window=alignment.world_from_window,
        scale_ratio=alignment.world_from_window.scale / world_from_last.scale,
        scale_sigma=float(np.sqrt(covariance[6, 6])),
        residual=float(np.nanmedian([ratio.residual for ratio in alignment.ratios])),
        inliers=inliers,
        overlap_views=len(alignment.shared),
        noise=noise,
        errors=tracks.published_errors(track, window, prediction, alignment, noise),
        step_covariance=np.zeros((7, 7)),
        pivot=alignment.registration.pivot,
        scale_drift=0.0,
        distrusted=_distrusted(window, alignment),
    )


def _fault_of(prediction: Prediction) -> str:
    """Why a prediction cannot be true, whatever came before."""
    if not np.isfinite(prediction.window_from_camera).all():
        return "a predicted camera pose is not finite"
    if not (prediction.depth > 0).any():
        return "no pixel has a depth"
    return ""


def _doubt(window: Window, prediction: Prediction, inliers: float, deviations: FloatArray) -> str:
    """Why a window is not believed, empty when it is."""
    jump = _largest_step(window, prediction)
    if jump > MAX_STEP_DEPTHS:
        return f"the cameras jump by {jump:.1f} times the depth of the scene"
    if inliers < MIN_INLIERS:
        return f"the depths of only {inliers:.0%} of the shared pixels agree"
    if np.median(deviations) > MAX_DEVIATIONS:
        return f"the shared cameras disagree by {np.median(deviations):.0f} times the expected noise"
    return ""


def _largest_step(window: Window, prediction: Prediction) -> float:
    """Of a camera from one frame set to the next, in scene depths; the median of all cameras."""
    cameras = np.array([frame.camera for frame in window.views])
    centres = prediction.window_from_camera[:, :3, 3]
    steps = [
        np.linalg.norm(np.diff(centres[cameras == name], axis=0), axis=1).max(initial=0.0) for name in set(cameras)
    ]
    return float(np.median(steps)) / _median_depth(prediction)


def _distrusted(window: Window, alignment: Alignment) -> frozenset[ViewKey]:
    """Views of cameras that contradict the other window; with one camera only, just the shared views that do."""
    weights, ratios = alignment.registration.weights, alignment.ratios
    views = window.views
    by_camera: dict[str, list[bool]] = {}
    for (_, view), weight, ratio in zip(alignment.shared, weights, ratios, strict=True):
        contradicts = weight < MIN_WEIGHT or (np.isfinite(ratio.log_ratio) and ratio.inliers < MIN_INLIERS)
        by_camera.setdefault(views[view].camera, []).append(contradicts)
    bad = {camera for camera, contradicts in by_camera.items() if np.mean(contradicts) >= 0.5}
    # When most contradict, nobody is left to say who is right.
    if 2 * len(bad) > len(by_camera) or len(by_camera) == 1:
        return frozenset()
    return frozenset(frame.key for frame in views if frame.camera in bad)


def _median_depth(prediction: Prediction) -> float:
    height, width = prediction.depth.shape[1:]
    step = max(1, int(np.sqrt(height * width / 1000)))
    sampled = prediction.depth[:, ::step, ::step]
    return float(np.median(sampled[sampled > 0])) if (sampled > 0).any() else 1.0
