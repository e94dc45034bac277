# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""In the place of the aligner where windows are one frame set each: nothing is shared, so there is depth and no track.

So it is for networks that see every image alone, and for any engine when a robot cannot wait for more.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from da3_ros.geometry.pose_errors import PoseErrors
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.sim3 import Sim3
from da3_ros.streaming.alignment_report import AlignmentReport, bare_report
from da3_ros.streaming.depth_samples import median_depth, sampled
from da3_ros.streaming.frame import FrameSet, Window
from da3_ros.streaming.noise_tracker import NoiseTracker


class LoneWindows:
    """Takes every window as a world of its own, in the window's gauge. Offers what `WindowAligner` does."""

    last_window: Window | None = None
    anchors: tuple[FrameSet, ...] = ()

    def __init__(self) -> None:
        self._noise = NoiseTracker()

    def reset(self) -> None:
        """Nothing is remembered."""

    def add(self, window: Window, prediction: Prediction) -> AlignmentReport:
        """See `WindowAligner.add`. Good is also a window without any depth: a camera may look at nothing but sky.

        Raises:
            ValueError: when the two do not have the same number of views.
        """
        if len(window.views) != len(prediction.depth):
            raise ValueError(f"window of {len(window.views)} views, but prediction of {len(prediction.depth)}")
        noise = self._noise.noise(median_depth(sampled(prediction, range(len(window.views)))))
        report = bare_report(Sim3.identity(), noise, PoseErrors((), np.zeros((0, 0))), "", new_segment=True)
        if np.isfinite(prediction.window_from_camera).all():
            return replace(report, has_track=False)
        return replace(report, has_track=False, ok=False, new_segment=False, reason="a predicted pose is not finite")
