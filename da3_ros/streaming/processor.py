# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The inference side of the stream: one window in, its views placed in the world out. Belongs to one thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import Prediction, ViewKey
from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming.aligner import AlignmentReport, WindowAligner
from da3_ros.streaming.frame import FrameSet, Window
from da3_ros.streaming.odometry import Odometry, OdometryState
from da3_ros.streaming.results import SetResult, ViewResult
from da3_ros.streaming.scale import ScaleState
from da3_ros.streaming.sliding_window import bridge


class Engine(Protocol):
    """Whatever turns the images of one window into depth and cameras."""

    def estimate(
        self,
        images: Sequence[npt.NDArray[np.uint8]],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: FloatArray | None = None,
        keys: Sequence[ViewKey] | None = None,
    ) -> Prediction:
        """Answer for V views.

        Args:
            images: V images (H, W, 3) uint8 RGB as taken.
            cameras: calibration of each, None where there is none.
            camera_from_world: (V, 4, 4) known poses to condition on, None without.
            keys: identity of each view; equal keys mean equal pixels.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A window that was estimated and aligned.

    Attributes:
        window: as the engine saw it.
        prediction: the engine's answer, in the window's gauge.
        report: its place in the world.
        engine_ns: time that the engine took.
        alignment_ns: time that the alignment took.
    """

    window: Window
    prediction: Prediction
    report: AlignmentReport
    engine_ns: int
    alignment_ns: int


class WindowProcessor:
    """Engine, aligner and odometry in a row.

    Args:
        engine: the network or what stands for it.
        scale: what is known about metres.
        base_from_camera: see Odometry.
        overlap: frame sets that a window shares at least with the last good one.
        max_rejected: see WindowAligner.
        path_length: see Odometry.
        now_ns: a clock for stage times; only differences are used.
    """

    def __init__(
        self,
        engine: Engine,
        scale: ScaleState,
        base_from_camera: Mapping[str, FloatArray],
        overlap: int,
        max_rejected: int,
        path_length: int,
        now_ns: Callable[[], int],
    ) -> None:
        self.scale = scale
        self._engine = engine
        self._overlap = overlap
        self._now_ns = now_ns
        self._odometry = Odometry(base_from_camera, path_length)
        self._aligner = WindowAligner(
            lambda window, prediction: self._odometry.begin_segment(window, prediction, self.scale), max_rejected
        )

    @property
    def path(self) -> tuple[OdometryState, ...]:
        """The latest base states, oldest first."""
        return self._odometry.path

    def reset(self) -> None:
        """Forget world and trajectory: the next window's first base pose is the origin."""
        self._aligner.reset()
        self._odometry.reset()

    def place_cameras(self, base_from_camera: Mapping[str, FloatArray]) -> None:
        """Learn where cameras sit on the base; the next window begins a new world."""
        self._aligner.reset()
        self._odometry.place_cameras(base_from_camera)

    def bridged(self, window: Window) -> Window:
        """The window to process instead of this one, so that it can be aligned; time that went back resets."""
        last = self._aligner.last_window
        if last is not None and window.frame_sets[0].stamp_ns < last.frame_sets[0].stamp_ns:
            self.reset()
            last = None
        return window if last is None else bridge(last, window, self._overlap)

    def place(self, window: Window) -> Placed:
        """Estimate and align. What the engine raises passes through and leaves the trajectory as it was."""
        views = window.views
        start_ns = self._now_ns()
        prediction = self._engine.estimate(
            [frame.image for frame in views],
            cameras=[frame.calibration for frame in views],
            keys=[frame.key for frame in views],
        )
        estimated_ns = self._now_ns()
        report = self._aligner.add(window, prediction)
        return Placed(window, prediction, report, estimated_ns - start_ns, self._now_ns() - estimated_ns)

    def results(self, placed: Placed, new_sets: Sequence[FrameSet]) -> tuple[SetResult, ...]:
        """What to hand out for the sets of a good window that are new; moves the odometry on."""
        if placed.report.ok:
            self._odometry.advance(placed.report)
        view_results = _view_results(placed, new_sets)
        return tuple(self._set_result(frame_set, view_results) for frame_set in new_sets)

    def _set_result(self, frame_set: FrameSet, view_results: Mapping[ViewKey, ViewResult]) -> SetResult:
        views = tuple(view_results[frame.key] for frame in frame_set.frames)
        odometry = self._odometry.follow(frame_set.frames, [view.world_from_camera for view in views])
        return SetResult(frame_set, views, odometry)


def _view_results(placed: Placed, new_sets: Sequence[FrameSet]) -> dict[ViewKey, ViewResult]:
    wanted = {frame.key for frame_set in new_sets for frame in frame_set.frames}
    prediction, world_from_window = placed.prediction, placed.report.world_from_window
    world_from_camera = world_from_window.apply_to_poses(prediction.window_from_camera)
    return {
        frame.key: ViewResult(
            frame=frame,
            image=prediction.images[index],
            camera=prediction.cameras[index],
            depth=prediction.depth[index] * np.float32(world_from_window.scale),
            confidence=prediction.confidence[index],
            world_from_camera=world_from_camera[index],
        )
        for index, frame in enumerate(placed.window.views)
        if frame.key in wanted
    }
