# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows of an oracle world, chained by an aligner, and where truth comes to lie by each of them."""

from __future__ import annotations

import numpy as np
import pytest

from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import rotation_angle
from da3_ros.geometry.sim3 import Sim3
from da3_ros.streaming.aligner import WindowAligner
from da3_ros.streaming.alignment_report import AlignmentReport
from da3_ros.streaming.frame import FrameSet, Window
from test.streaming.oracle_world import PERIOD_NS, OracleWorld

# Depth is float32, and a wall seen head-on is rounded alike in every pixel: 6e-8 per window.
EXACT = 4e-7


def window_at(world: OracleWorld, first: int, size: int = 4, index: int = 0) -> Window:
    sets = [
        FrameSet(k, k * PERIOD_NS, tuple(world.frame(camera, k * PERIOD_NS) for camera in world.rig))
        for k in range(first, first + size)
    ]
    return Window(index, tuple(sets))


def predict(world: OracleWorld, window: Window) -> Prediction:
    return world.estimate([f.image for f in window.views], keys=[f.key for f in window.views])


def chain(world: OracleWorld, firsts: list[int], size: int = 4, max_rejected: int = 3) -> list[AlignmentReport]:
    """What a new aligner says of windows that begin with these sets."""
    aligner = WindowAligner(max_rejected)
    windows = [window_at(world, first, size) for first in firsts]
    return [aligner.add(window, predict(world, window)) for window in windows]


def world_from_truth(world: OracleWorld, reports: list[AlignmentReport], index: int) -> Sim3:
    """Where truth lies in the world by window `index`; the same for all of them when alignment is exact."""
    return reports[index].world_from_window @ world.gauges[index]


def assert_same(ours: Sim3, theirs: Sim3, tolerance: float) -> None:
    assert ours.scale == pytest.approx(theirs.scale, rel=tolerance)
    assert rotation_angle(ours.rotation @ theirs.rotation.T) < tolerance
    np.testing.assert_allclose(ours.translation, theirs.translation, atol=tolerance * (10 + theirs.scale))
