# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The inference side of the stream: one window in, its views placed in odom out. Belongs to one thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey
from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming.aligner import WindowAligner
from da3_ros.streaming.alignment_report import AlignmentReport
from da3_ros.streaming.conditioning import KnownPoses, OdometryAt, known_camera_from_world
from da3_ros.streaming.frame import FrameSet, Window
from da3_ros.streaming.intrinsics import ChosenIntrinsics, IntrinsicsPolicy
from da3_ros.streaming.lone_windows import LoneWindows
from da3_ros.streaming.memory_relief import MemoryRelief, Step
from da3_ros.streaming.odometry import OdometryState
from da3_ros.streaming.placement import Placement
from da3_ros.streaming.results import SetResult
from da3_ros.streaming.rig_calibration import RigEstimate
from da3_ros.streaming.scale import ScaleState
from da3_ros.streaming.scale_watch import ScaleWatch
from da3_ros.streaming.sliding_window import bridge, with_anchors

WARN_PERIOD_S = 30.0
_log = logging.getLogger(__name__)


class Engine(Protocol):
    """Whatever turns the images of one window into depth and cameras."""

    def estimate(
        self,
        images: Sequence[npt.NDArray[np.uint8]],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: FloatArray | None = None,
        keys: Sequence[ViewKey] | None = None,
        *,
        effort: Effort = FULL_EFFORT,
    ) -> Prediction:
        """Answer for V views.

        Args:
            images: V images (H, W, 3) uint8 RGB as taken.
            cameras: calibration of each, None where there is none.
            camera_from_world: (V, 4, 4) known poses to condition on, None without.
            keys: identity of each view; equal keys mean equal pixels.
            effort: how to save memory.

        Raises:
            MemoryError: when there is too little memory for these views, with this effort.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A window that was estimated and aligned.

    Attributes:
        window: as the engine saw it.
        cut_off: frame sets that it could not hold, as memory was short.
        chosen: the engine's answer with the cameras to be published, in the window's gauge.
        report: its place in the world.
        engine_ns: time that the engine took, attempts for which memory was too short included.
        alignment_ns: time that intrinsics and alignment took.
    """

    window: Window
    cut_off: tuple[FrameSet, ...]
    chosen: ChosenIntrinsics
    report: AlignmentReport
    engine_ns: int
    alignment_ns: int


class WindowProcessor:
    """Engine, intrinsics, aligner, scale and odometry in a row.

    Args:
        engine: the network or what stands for it.
        aligner: places windows in the world.
        scales: follows the world's unit.
        intrinsics: chooses the cameras.
        placement: places the world in odom, and finds the base.
        conditioning: see `known_camera_from_world`.
        odometry_at: external odometry, None without.
        overlap: frame sets that a window shares at least with the last good one.
        now_ns: a clock for stage times; only differences are used.
    """

    def __init__(
        self,
        engine: Engine,
        aligner: WindowAligner | LoneWindows,
        scales: ScaleWatch,
        intrinsics: IntrinsicsPolicy,
        placement: Placement,
        conditioning: str,
        odometry_at: OdometryAt | None,
        overlap: int,
        now_ns: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._aligner = aligner
        self._scales = scales
        self._intrinsics = intrinsics
        self._placement = placement
        self._conditioning, self._odometry_at = conditioning, odometry_at
        self._overlap = overlap
        self._now_ns = now_ns
        self._relief = MemoryRelief()
        self._last_ns: int | None = None  # of the newest set of the window before
        self._is_unconditioned = self._has_focal_warning = False

    @property
    def path(self) -> tuple[OdometryState, ...]:
        """The latest base states, oldest first."""
        return self._placement.path

    @property
    def relief(self) -> tuple[Step, ...]:
        """What windows do without as memory is short, from any thread."""
        return self._relief.steps

    @property
    def rig(self) -> RigEstimate | None:
        """Where the cameras sit against one another, as far as the images tell; None where the robot knows it."""
        return self._placement.rig_estimate

    def reset(self) -> None:
        """Forget world and trajectory, not the shortage of memory: the next window's first base pose is the origin."""
        self._aligner.reset()
        self._scales.forget()
        self._intrinsics.forget()
        self._placement.reset()
        self._last_ns = None

    def place_cameras(self, base_from_camera: Mapping[str, FloatArray]) -> bool:
        """Learn where cameras sit on the base; whether it is another base now, which begins a new world."""
        is_another = self._placement.place_cameras(base_from_camera)
        if is_another:
            self.reset()
        return is_another

    def set_up(self, up_in_base: FloatArray | None) -> None:
        """Learn which way is up in base axes when the next trajectory begins."""
        self._placement.set_up(up_in_base)

    def bridged(self, window: Window) -> Window:
        """The window to process instead of this one, so that it can be aligned; time that went back resets."""
        stamp_ns = window.frame_sets[-1].stamp_ns
        if self._last_ns is not None and stamp_ns < self._last_ns:
            self.reset()
        self._last_ns = stamp_ns
        return self._overlapping(window, self._overlap)

    def _overlapping(self, window: Window, overlap: int) -> Window:
        last = self._aligner.last_window
        if last is None:
            return window
        window = bridge(last, window, overlap)
        # The external odometry may not reach back to anchors, and without one view's pose none can be told.
        anchors = () if self._conditioning == "odom" else self._aligner.anchors
        return with_anchors(window, anchors, last, overlap)

    def place(self, window: Window) -> Placed:
        """Estimate and align, with less of a window where memory is short.

        What else the engine raises, and a shortage that nothing relieves, pass through and leave the trajectory as it
        was.
        """
        whole, start_ns = window, self._now_ns()
        self._relief.begin()
        while True:
            window = self._fitting(whole)
            try:
                known, prediction = self._estimate(window)
                break
            except MemoryError as error:
                if not self._relief.give_up(window, str(error)):
                    raise
            # Tried again out here, where the error no longer holds on to what the failed call had allocated.
        estimated_ns = self._now_ns()
        chosen = self._intrinsics.apply(window, prediction)
        self._tell(known, chosen)
        report = self._aligner.add(window, chosen.prediction)
        seen = {frame_set.index for frame_set in window.frame_sets}
        cut_off = tuple(frame_set for frame_set in whole.frame_sets if frame_set.index not in seen)
        return Placed(window, cut_off, chosen, report, estimated_ns - start_ns, self._now_ns() - estimated_ns)

    def _fitting(self, window: Window) -> Window:
        """As much of a window as there is memory for, still to be aligned."""
        cut = self._relief.cut(window)
        return window if cut is window else self._overlapping(cut, self._relief.overlap(self._overlap))

    def _estimate(self, window: Window) -> tuple[KnownPoses, Prediction]:
        views = window.views
        known = known_camera_from_world(window, self._placement.base_from_camera, self._odometry_at, self._conditioning)
        prediction = self._engine.estimate(
            [frame.image for frame in views],
            cameras=[frame.calibration for frame in views],
            camera_from_world=known.camera_from_world,
            keys=[frame.key for frame in views],
            effort=self._relief.effort,
        )
        return known, prediction

    def _tell(self, known: KnownPoses, chosen: ChosenIntrinsics) -> None:
        """Log once what a user should look at, and again when it comes back, but not each time that it does."""
        is_unconditioned = self._conditioning != "none" and known.camera_from_world is None
        if is_unconditioned and not self._is_unconditioned:
            _log.warning("the network is not told the known poses: %s", known.reason, extra=_seldom("conditioning"))
        if chosen.warning and not self._has_focal_warning:
            _log.warning("%s", chosen.warning, extra=_seldom("focal_length"))
        self._is_unconditioned, self._has_focal_warning = is_unconditioned, bool(chosen.warning)

    def results(self, placed: Placed, new_sets: Sequence[FrameSet]) -> tuple[ScaleState, tuple[SetResult, ...]]:
        """The scale after a window, and what to hand out for its sets that are new; moves the odometry on."""
        window, prediction, report = placed.window, placed.chosen.prediction, placed.report
        if not report.ok:
            return self._scales.state(window.frame_sets[-1].stamp_ns), ()
        if report.new_segment:
            self._scales.forget()
        scale = self._scales.look(window, prediction, report, new_sets, self._placement.base_from_camera)
        self._placement.take(window, prediction, report, scale)
        return scale, tuple(self._placement.place(frame_set) for frame_set in new_sets)


def _seldom(key: str) -> dict[str, str | float]:
    """The `extra` of a record that passes once per period."""
    return {"throttle_key": f"processor/{key}", "throttle_period_s": WARN_PERIOD_S}
