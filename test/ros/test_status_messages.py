# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""WindowStatus: every figure of a window result arrives, and the constants agree."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("da3_ros.msg", reason="NOT RUN: the messages are not built; run `make test`")

from da3_ros.msg import WindowStatus

from da3_ros.geometry.pose_errors import PoseErrors, ViewNoise
from da3_ros.geometry.prediction import ViewKey
from da3_ros.geometry.sim3 import Sim3
from da3_ros.ros.stamps import header
from da3_ros.ros.status_messages import (
    ScaleSource,
    TrackingState,
    account_message,
    tracking_state,
    window_status_message,
)
from da3_ros.streaming.alignment_report import AlignmentReport
from da3_ros.streaming.frame import Frame, FrameSet, Window
from da3_ros.streaming.ledger import Counters
from da3_ros.streaming.results import SetResult, StageTimes, WindowResult
from da3_ros.streaming.scale import ScaleState

HEADER = header(1_700_000_000_000_000_001, "odom")


RIG_SCALE = ScaleState("rig", 2.0, 0.01, 1_500_000_000)
RELATIVE_SCALE = ScaleState("relative", 1.0, math.inf, 0)


def report_of(
    ok: bool = True, new_segment: bool = False, lost: bool = False, distrusted: tuple[ViewKey, ...] = ()
) -> AlignmentReport:
    return AlignmentReport(
        ok=ok,
        reason="",
        new_segment=new_segment,
        lost=lost,
        world_from_window=Sim3(2.5, np.eye(3), np.zeros(3)),
        scale_ratio=1.25,
        scale_sigma=0.001,
        residual=0.0625,
        inliers=0.75,
        overlap_views=6,
        noise=ViewNoise(0.001, 0.01, 0.02),
        errors=PoseErrors((), np.zeros((0, 0))),
        step_covariance=np.zeros((7, 7)),
        pivot=np.zeros(3),
        scale_drift=0.0,
        distrusted=frozenset(distrusted),
    )


def result_of(report: AlignmentReport, scale: ScaleState) -> WindowResult:
    image = np.zeros((1, 1, 3), np.uint8)
    sets = tuple(
        FrameSet(index, index, tuple(Frame(camera, index, camera, image, None) for camera in ("left", "right")))
        for index in range(4)
    )
    times = StageTimes(queue_ns=1_500_000, engine_ns=20_000_000, alignment_ns=3_000_000, metric_ns=500_000)
    new_sets = (SetResult(sets[-1], (), None, frozenset()),)
    return WindowResult(Window(9, sets), report, scale, times, new_sets, rig=None, focal_difference=0.0625)


COUNTERS = Counters(
    frames_in=100,
    sets=40,
    windows=10,
    frames_published=60,
    dropped={"bad_step": 3, "superseded": 29},
    in_flight=8,
)


def test_status_holds_every_figure_of_the_window() -> None:
    distrusted = (ViewKey("right", 2), ViewKey("left", 1), ViewKey("right", 1))
    result = result_of(report_of(distrusted=distrusted), RIG_SCALE)

    status = window_status_message(result, COUNTERS, publish_ns=4_000_000, latency_ns=250_000_000, header=HEADER)

    assert status.header == HEADER
    assert (status.index, status.views, status.frame_sets, status.new_frame_sets) == (9, 8, 4, 1)
    assert (status.tracking_state, status.reason) == (WindowStatus.TRACKING_OK, "")
    assert (status.residual, status.inliers, status.overlap_views) == (0.0625, 0.75, 6)
    assert list(status.distrusted_cameras) == ["left", "right"]
    assert status.focal_difference == 0.0625
    assert (status.scale_source, status.scale) == (WindowStatus.SCALE_RIG, 5.0)
    assert (status.scale_sigma, status.scale_age) == (0.01, 1.5)
    assert (status.frames_in, status.frames_published, status.frames_in_flight) == (100, 60, 8)
    assert status.frames_in == status.frames_published + status.frames_in_flight + sum(status.drop_counts)
    assert list(status.drop_causes) == ["bad_step", "superseded"]
    assert list(status.drop_counts) == [3, 29]
    assert list(status.stages) == ["queue", "engine", "alignment", "metric_model", "publish"]
    assert status.stage_ms.tolist() == [1.5, 20.0, 3.0, 0.5, 4.0]
    assert status.latency_ms == 250.0


def test_status_never_passes_a_relative_scale_off_as_a_known_one() -> None:
    status = window_status_message(result_of(report_of(), RELATIVE_SCALE), COUNTERS, 0, 0, HEADER)

    assert status.scale_source == WindowStatus.SCALE_RELATIVE
    assert math.isinf(status.scale_sigma)


@pytest.mark.parametrize(
    ("ok", "new_segment", "lost", "state"),
    [
        (True, False, False, TrackingState.OK),
        (True, True, False, TrackingState.STARTED),
        (False, False, False, TrackingState.REJECTED),
        (False, False, True, TrackingState.LOST),
    ],
)
def test_tracking_state_follows_from_the_alignment(
    ok: bool, new_segment: bool, lost: bool, state: TrackingState
) -> None:
    assert tracking_state(report_of(ok, new_segment, lost)) == state


def test_tracking_state_is_none_where_windows_share_nothing_by_design() -> None:
    lone = replace(report_of(True, new_segment=True), has_track=False)

    assert tracking_state(lone) == TrackingState.NONE
    assert tracking_state(replace(lone, ok=False)) == TrackingState.REJECTED


@pytest.mark.parametrize(
    ("report", "state"),
    [
        (report_of(), TrackingState.OK),
        (report_of(new_segment=True), TrackingState.OK),
        (report_of(ok=False, lost=True), TrackingState.LOST),
    ],
)
def test_account_says_nothing_against_the_track_and_metres_that_the_last_window_left(
    report: AlignmentReport, state: TrackingState
) -> None:
    status = account_message(COUNTERS, "window 10 failed: no memory", result_of(report, RIG_SCALE), HEADER)

    assert (status.tracking_state, status.reason) == (state, "window 10 failed: no memory")
    assert (status.scale_source, status.scale_sigma, status.scale_age) == (WindowStatus.SCALE_RIG, 0.01, 1.5)
    assert math.isnan(status.scale)
    assert (status.frames_in, list(status.drop_counts)) == (100, [3, 29])


def test_account_knows_of_no_metres_before_the_first_window() -> None:
    status = account_message(COUNTERS, "images were lost without a window", None, HEADER)

    assert status.tracking_state == WindowStatus.TRACKING_REJECTED
    assert (status.scale_source, status.scale_sigma) == (WindowStatus.SCALE_RELATIVE, math.inf)


def test_every_constant_of_the_message_has_its_name_in_the_code() -> None:
    named = {f"TRACKING_{state.name}": state.value for state in TrackingState}
    named |= {f"SCALE_{source.name}": source.value for source in ScaleSource}
    message_names = {name for name in dir(type(WindowStatus)) if name.startswith(("TRACKING_", "SCALE_"))}
    assert message_names == set(named)
    assert all(getattr(WindowStatus, name) == value for name, value in named.items())
