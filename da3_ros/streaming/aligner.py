# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows, each in its own gauge, to one world: `world_from_window` from the views that two windows share.

Scale first, from the depths of the same pixels, as it is observable without any motion. Then rotation and translation
from the shared cameras, as one camera fixes both; a joint robust refinement of all three ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.depth_scale import DepthScale, depth_scale
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.registration import CameraNoise, register_cameras
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import Sim3
from da3_ros.streaming.frame import Window

# Pixels compared per window, spread over the shared views by a fixed stride.
PIXEL_BUDGET = 20_000
# What to expect of a predicted camera: 0.2 degrees, and 1 cm at 3 m scene depth.
ROTATION_NOISE_RAD = 3.5e-3
CENTRE_NOISE_PER_DEPTH = 3.3e-3
MIN_SCALE_SIGMA = 1e-3
# A window below this share of agreeing pixels, or beyond so many assumed deviations, is rejected.
MIN_INLIERS = 0.3
MAX_DEVIATIONS = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentReport:
    """How one window lies in the world, and how well that is known.

    Attributes:
        ok: whether `world_from_window` may be used for this window.
        reason: why not, or why a new segment begins; empty in the normal case.
        new_segment: this window's pose does not follow from the windows before it.
        world_from_window: the alignment; of the last good window when not ok.
        scale_ratio: units of the last good window per unit of this one; 1 at a new segment.
        scale_sigma: relative standard deviation of the alignment's scale.
        residual: median relative disagreement of the depths of shared pixels.
        inliers: share of the compared pixels whose depths agree.
        overlap_views: views shared with the last good window.
        covariance: (7, 7) of rotation vector (radians, world axes), translation at the middle of the shared cameras
            (world units) and log scale, for this window's step alone; zero at a new segment.
    """

    ok: bool
    reason: str
    new_segment: bool
    world_from_window: Sim3
    scale_ratio: float
    scale_sigma: float
    residual: float
    inliers: float
    overlap_views: int
    covariance: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Aligned:
    window: Window
    prediction: Prediction
    world_from_window: Sim3


class WindowAligner:
    """Chains windows; remembers the last good one.

    Args:
        begin_segment: says where in the world a window lies that follows from nothing.
        max_rejected: after so many rejected windows in a row the next begins a new segment.
    """

    def __init__(self, begin_segment: Callable[[Window, Prediction], Sim3], max_rejected: int = 3) -> None:
        self._begin_segment = begin_segment
        self._max_rejected = max_rejected
        self.reset()

    def reset(self) -> None:
        """Forget the last window, so that the next one begins a new segment."""
        self._last: _Aligned | None = None
        self._rejected = 0

    @property
    def last_window(self) -> Window | None:
        """The last good window, with which the next one should share views."""
        return self._last.window if self._last else None

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
            return self._reject(fault, overlap_views=0)
        if self._last is None:
            return self._begin(window, prediction, "")
        shared = _shared_views(self._last, window, prediction)
        if len(shared) == 0:
            return self._begin(window, prediction, "no view is shared with the last good window")
        try:
            report = _align(self._last, prediction, shared)
        except DegenerateGeometryError as error:
            report = self._reject(str(error), len(shared))
        if report.ok:
            self._accept(window, prediction, report)
            return report
        if self._rejected >= self._max_rejected:
            return self._begin(window, prediction, f"lost after {self._rejected} rejected windows: {report.reason}")
        self._rejected += 1
        return replace(report, world_from_window=self._last.world_from_window)

    def _begin(self, window: Window, prediction: Prediction, reason: str) -> AlignmentReport:
        report = _report(self._begin_segment(window, prediction), reason=reason, new_segment=True)
        self._accept(window, prediction, report)
        return report

    def _accept(self, window: Window, prediction: Prediction, report: AlignmentReport) -> None:
        self._last = _Aligned(window, prediction, report.world_from_window)
        self._rejected = 0

    def _reject(self, reason: str, overlap_views: int) -> AlignmentReport:
        held = self._last.world_from_window if self._last else Sim3.identity()
        return replace(_report(held, reason=reason), ok=False, overlap_views=overlap_views, inliers=0.0)


def _report(world_from_window: Sim3, reason: str, new_segment: bool = False) -> AlignmentReport:
    return AlignmentReport(
        ok=True,
        reason=reason,
        new_segment=new_segment,
        world_from_window=world_from_window,
        scale_ratio=1.0,
        scale_sigma=0.0,
        residual=0.0,
        inliers=1.0,
        overlap_views=0,
        covariance=np.zeros((7, 7)),
    )


def _fault_of(prediction: Prediction) -> str:
    if not np.isfinite(prediction.window_from_camera).all():
        return "a predicted camera pose is not finite"
    if not (prediction.depth > 0).any():
        return "no pixel has a depth"
    return ""


def _shared_views(last: _Aligned, window: Window, prediction: Prediction) -> npt.NDArray[np.intp]:
    """(N, 2) index of each shared view in the last window and in this one; none when the image size has changed."""
    if last.prediction.depth.shape[1:] != prediction.depth.shape[1:]:
        return np.empty((0, 2), dtype=np.intp)
    last_index = {frame.key: index for index, frame in enumerate(last.window.views)}
    pairs = [(last_index[frame.key], index) for index, frame in enumerate(window.views) if frame.key in last_index]
    return np.array(pairs, dtype=np.intp).reshape(-1, 2)


def _align(last: _Aligned, prediction: Prediction, shared: npt.NDArray[np.intp]) -> AlignmentReport:
    before, now = shared.T
    step = _stride(len(shared), prediction.depth.shape[1:])
    depth_before = _sampled(last.prediction.depth, before, step)
    weight = np.sqrt(
        _sampled(last.prediction.confidence, before, step) * _sampled(prediction.confidence, now, step),
    )
    scale = depth_scale(depth_before, _sampled(prediction.depth, now, step), weight)
    world_from_last = last.world_from_window
    noise = CameraNoise(
        rotation_rad=ROTATION_NOISE_RAD,
        centre=CENTRE_NOISE_PER_DEPTH * world_from_last.scale * float(np.nanmedian(depth_before)),
        log_scale=max(scale.sigma, MIN_SCALE_SIGMA),
    )
    registration = register_cameras(
        world_from_last.apply_to_poses(last.prediction.window_from_camera[before]),
        prediction.window_from_camera[now],
        world_from_last.scale * scale.ratio,
        noise,
        weights=np.maximum(scale.view_inliers, np.finfo(float).eps),
    )
    world_from_window = registration.target_from_source
    return AlignmentReport(
        ok=not (reason := _doubt(scale, registration.deviations)),
        reason=reason,
        new_segment=False,
        world_from_window=world_from_window,
        scale_ratio=world_from_window.scale / world_from_last.scale,
        scale_sigma=float(np.sqrt(registration.covariance[6, 6])),
        residual=scale.residual,
        inliers=scale.inliers,
        overlap_views=len(shared),
        covariance=registration.covariance,
    )


def _doubt(scale: DepthScale, deviations: FloatArray) -> str:
    if scale.inliers < MIN_INLIERS:
        return f"the depths of only {scale.inliers:.0%} of the shared pixels agree"
    if np.median(deviations) > MAX_DEVIATIONS:
        return f"the shared cameras disagree by {np.median(deviations):.0f} times the expected noise"
    return ""


def _stride(views: int, size: tuple[int, ...]) -> int:
    return max(1, int(np.sqrt(views * size[0] * size[1] / PIXEL_BUDGET)))


def _sampled(images: FloatArray, views: npt.NDArray[np.intp], step: int) -> FloatArray:
    """(V, H, W) -> (N, pixels): every step-th row and column of some views."""
    return np.stack([images[view, step // 2 :: step, step // 2 :: step].ravel() for view in views])
