# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What is said of each window: how it lies in the world, how well that is known, and whether it is believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from da3_ros.geometry.pose_errors import PoseErrors, ViewNoise
from da3_ros.geometry.prediction import Prediction, ViewKey
from da3_ros.geometry.rotation import FloatArray, rotation_angle
from da3_ros.geometry.sim3 import Sim3
from da3_ros.streaming import track as tracks
from da3_ros.streaming.depth_samples import median_depth, sampled
from da3_ros.streaming.frame import Window
from da3_ros.streaming.track import Alignment, Track

# A window below this share of agreeing pixels, or beyond so many expected deviations, is rejected.
MIN_INLIERS = 0.3
MAX_DEVIATIONS = 10.0
# A camera does not move further between two frame sets than so many times the scene's depth.
MAX_STEP_DEPTHS = 3.0
# Nor does it turn by more than this, plus so much for every second in between.
MAX_TURN_RAD = 1.2
MAX_TURN_RAD_PER_S = 2.0
# In so many images cameras may do what they cannot; these are not believed, but the window is.
MAX_ODD_SHARE = 0.25
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
        has_track: False where windows share nothing by design: each is a world of its own, and nobody is to be told of
            a reset.
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
    has_track: bool = True


def bare_report(
    world_from_window: Sim3, noise: ViewNoise, errors: PoseErrors, reason: str, new_segment: bool = False
) -> AlignmentReport:
    """Of a window that was compared with no other."""
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


def report_of(
    track: Track,
    world_from_last: Sim3,
    window: Window,
    prediction: Prediction,
    alignment: Alignment,
    noise: ViewNoise,
) -> AlignmentReport:
    """Of a window that was aligned to a track; what the track makes of it afterwards is still zero.

    Args:
        track: before the window.
        world_from_last: of the last good window.
        window: the new one.
        prediction: of it.
        alignment: of it to the track.
        noise: of one view, world units.
    """
    covariance = alignment.registration.covariance
    compared = [ratio.inliers for ratio in alignment.ratios if np.isfinite(ratio.log_ratio)]  # the sky cannot be
    inliers = float(np.mean(compared)) if compared else 0.0
    odd = _odd_views(window, prediction)
    reason = _doubt(window, odd, inliers, alignment.registration.deviations)
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
        distrusted=_distrusted(window, odd, alignment),
    )


def fault_of(prediction: Prediction) -> str:
    """Why a prediction cannot be true, whatever came before."""
    if not np.isfinite(prediction.window_from_camera).all():
        return "a predicted camera pose is not finite"
    if not (np.isfinite(prediction.depth) & (prediction.depth > 0)).any():
        return "no pixel has a depth"
    return ""


def _doubt(window: Window, odd: list[int], inliers: float, deviations: FloatArray) -> str:
    """Why a window is not believed, empty when it is."""
    if inliers < MIN_INLIERS:
        return f"the depths of only {inliers:.0%} of the shared pixels agree"
    if np.median(deviations) > MAX_DEVIATIONS:
        return f"the shared cameras disagree by {np.median(deviations):.0f} times the expected noise"
    cameras = np.array([frame.camera for frame in window.views])
    is_odd = np.isin(np.arange(len(cameras)), odd)
    odd_share = float(np.median([is_odd[cameras == name].mean() for name in set(cameras)]))
    if odd_share > MAX_ODD_SHARE:
        return f"cameras jump or turn further than a camera can, in {odd_share:.0%} of their images"
    return ""


def _odd_views(window: Window, prediction: Prediction) -> list[int]:
    """Views to which and from which their camera moves or turns further than a camera can."""
    cameras = np.array([frame.camera for frame in window.views])
    seconds = np.array([frame.stamp_ns for frame in window.views]) * 1e-9
    longest = MAX_STEP_DEPTHS * median_depth(sampled(prediction, range(len(window.views))))
    odd: list[int] = []
    for name in dict.fromkeys(cameras.tolist()):
        views = np.flatnonzero(cameras == name)
        poses, times = prediction.window_from_camera[views], seconds[views]
        steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1) / longest
        turns = rotation_angle(np.swapaxes(poses[:-1, :3, :3], 1, 2) @ poses[1:, :3, :3])
        turns /= MAX_TURN_RAD + MAX_TURN_RAD_PER_S * np.diff(times)
        far = np.maximum(steps, turns) > 1
        before, after = np.append(True, far), np.append(far, True)
        if far.any():
            odd += views[before & after].tolist()
    return odd


def _distrusted(window: Window, odd: list[int], alignment: Alignment) -> frozenset[ViewKey]:
    """The odd views, and all of cameras that contradict the other window; a single camera stands with its window."""
    weights, ratios = alignment.registration.weights, alignment.ratios
    views = window.views
    by_camera: dict[str, list[bool]] = {}
    for (_, view), weight, ratio in zip(alignment.shared, weights, ratios, strict=True):
        contradicts = weight < MIN_WEIGHT or (np.isfinite(ratio.log_ratio) and ratio.inliers < MIN_INLIERS)
        by_camera.setdefault(views[view].camera, []).append(contradicts)
    jumping = frozenset(views[view].key for view in odd)
    bad = {camera for camera, contradicts in by_camera.items() if np.mean(contradicts) >= 0.5}
    # When most contradict, nobody is left to say who is right.
    if 2 * len(bad) > len(by_camera) or len(by_camera) == 1:
        return jumping
    return jumping | {frame.key for frame in views if frame.camera in bad}
