# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""WindowStatus messages from window results."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any

from std_msgs.msg import Header

from da3_ros.msg import WindowStatus
from da3_ros.streaming.alignment_report import AlignmentReport
from da3_ros.streaming.ledger import Counters
from da3_ros.streaming.results import WindowResult


class TrackingState(IntEnum):
    """Whether a window continues the track, with the numbers of the message."""

    STARTED = WindowStatus.TRACKING_STARTED
    OK = WindowStatus.TRACKING_OK
    REJECTED = WindowStatus.TRACKING_REJECTED
    LOST = WindowStatus.TRACKING_LOST
    NONE = WindowStatus.TRACKING_NONE


class ScaleSource(IntEnum):
    """Where the scale comes from, with the numbers of the message; the names are those of ScaleState in capitals."""

    RELATIVE = WindowStatus.SCALE_RELATIVE
    FIXED = WindowStatus.SCALE_FIXED
    RIG = WindowStatus.SCALE_RIG
    ODOM = WindowStatus.SCALE_ODOM
    MODEL = WindowStatus.SCALE_MODEL


def tracking_state(report: AlignmentReport) -> TrackingState:
    """The state that an alignment amounts to."""
    if not report.ok:
        return TrackingState.LOST if report.lost else TrackingState.REJECTED
    if not report.has_track:
        return TrackingState.NONE
    return TrackingState.STARTED if report.new_segment else TrackingState.OK


def distrusted_cameras(result: WindowResult) -> list[str]:
    """Names of the cameras with a view in the window that contradicts the others."""
    left_out = {camera for new in result.new_sets for camera in new.disagreeing}
    return sorted(left_out | {key.camera for key in result.report.distrusted})


def account_message(counters: Counters, reason: str, last: WindowResult | None, header: Header) -> WindowStatus:
    """The account of frames when there is no result to tell of: a window failed, or images were lost before any.

    Such a loss says nothing against track and metres: they are told as the last window left them, not as unknown.

    Args:
        counters: the account now.
        reason: what happened, in words.
        last: result of the newest window since the start or a reset; without one nothing is known of metres.
        header: stamp of the newest frame set concerned, 0 without one, and the odometry frame.
    """
    return WindowStatus(
        header=header,
        tracking_state=int(TrackingState.REJECTED if last is None else _standing(last.report)),
        reason=reason,
        residual=math.nan,
        scale_source=WindowStatus.SCALE_RELATIVE if last is None else _scale_source(last),
        scale=math.nan,
        scale_sigma=math.inf if last is None else last.scale.sigma,
        scale_age=math.nan if last is None else last.scale.age_ns * 1e-9,
        latency_ms=math.nan,
        **_account(counters),
    )


def _standing(report: AlignmentReport) -> TrackingState:
    """The state that a window left behind; a start is told once, by that window's own message."""
    state = tracking_state(report)
    return TrackingState.OK if state is TrackingState.STARTED else state


def _scale_source(result: WindowResult) -> int:
    return int(ScaleSource[result.scale.source.upper()])


def _account(counters: Counters) -> dict[str, Any]:
    return {
        "frames_in": counters.frames_in,
        "frames_published": counters.frames_published,
        "frames_in_flight": counters.in_flight,
        "drop_causes": list(counters.dropped),
        "drop_counts": list(counters.dropped.values()),
    }


def window_status_message(
    result: WindowResult, counters: Counters, publish_ns: int, latency_ns: int, header: Header
) -> WindowStatus:
    """What became of a window.

    Args:
        result: of the window.
        counters: the account of frames after it.
        publish_ns: time that making and publishing its other messages took, nanoseconds.
        latency_ns: from the stamp of its newest frame set to now, nanoseconds.
        header: stamp of its newest frame set, and the odometry frame.
    """
    report, scale, times = result.report, result.scale, result.times
    stages_ns = {
        "queue": times.queue_ns,
        "engine": times.engine_ns,
        "alignment": times.alignment_ns,
        "metric_model": times.metric_ns,
        "publish": publish_ns,
    }
    return WindowStatus(
        header=header,
        index=result.window.index,
        views=len(result.window.views),
        frame_sets=len(result.window.frame_sets),
        new_frame_sets=len(result.new_sets),
        tracking_state=int(tracking_state(report)),
        reason=report.reason,
        residual=report.residual,
        inliers=report.inliers,
        overlap_views=report.overlap_views,
        distrusted_cameras=distrusted_cameras(result),
        focal_difference=result.focal_difference,
        scale_source=_scale_source(result),
        scale=report.world_from_window.scale * scale.metres_per_unit,
        scale_sigma=scale.sigma,
        scale_age=scale.age_ns * 1e-9,
        **_account(counters),
        stages=list(stages_ns),
        stage_ms=[duration_ns * 1e-6 for duration_ns in stages_ns.values()],
        latency_ms=latency_ns * 1e-6,
    )
