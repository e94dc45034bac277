# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What /diagnostics says: why nothing comes out, camera by camera, and how fast what comes out is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from da3_ros.nodes.progress import Flow
from da3_ros.nodes.robot_health import RobotState, robot_reports
from da3_ros.ros.diagnostics import Level, TaskReport
from da3_ros.ros.status_messages import TrackingState, distrusted_cameras, tracking_state
from da3_ros.streaming.camera_health import CameraHealth
from da3_ros.streaming.intrinsics import REPORTED_DIFFERENCE
from da3_ros.streaming.ledger import Counters
from da3_ros.streaming.memory_relief import Step
from da3_ros.streaming.results import WindowResult
from da3_ros.streaming.scale import ScaleState

HELD_NS = 5_000_000_000
DISABLED = "disabled by ~/set_enabled"


class LatencyLog:
    """The newest latencies, for percentiles."""

    def __init__(self, length: int = 200) -> None:
        self._latencies_ms: deque[float] = deque(maxlen=length)

    def add(self, latency_ms: float) -> None:
        """Note one."""
        self._latencies_ms.append(latency_ms)

    def percentiles(self) -> dict[str, float]:
        """p50 and p95 in milliseconds; empty before the first."""
        values = list(self._latencies_ms)
        if not values:
            return {}
        p50, p95 = np.percentile(values, (50, 95))
        return {"latency_p50_ms": float(p50), "latency_p95_ms": float(p95)}


@dataclass(frozen=True, slots=True)
class InputState:
    """One camera's subscription.

    Attributes:
        topic: full name of the image topic.
        publishers: matched publishers.
        reliability: of the subscription.
        calibrated: whether a usable camera_info has come.
        refused_infos: camera_info messages that were not usable, by cause.
        received: images that came, usable or not.
        frame_id: of the newest image.
        refusal: why the newest image cannot be used, in words; empty when it can.
    """

    topic: str
    publishers: int
    reliability: str
    calibrated: bool
    refused_infos: Mapping[str, int]
    received: int
    frame_id: str
    refusal: str


def camera_report(health: CameraHealth, state: InputState, flow: Flow, shared: str = "") -> TaskReport:
    """One camera: the first thing that is wrong with it, or that all is well.

    Args:
        health: how it takes part in the frame sets.
        state: its subscription.
        flow: what has stood still for too long.
        shared: which cameras have its frame too, in words; empty when none has.
    """
    values: dict[str, str | int | float | bool] = {
        "topic": state.topic,
        "publishers": state.publishers,
        "reliability": state.reliability,
        "frames_in": health.frames_in,
        "frames_used": health.frames_used,
        "rate_hz": 1e9 / health.period_ns if health.period_ns else 0.0,
        "lag_ms": health.lag_ns * 1e-6,
        "calibrated": state.calibrated,
        "refused_camera_infos": sum(state.refused_infos.values()),
        **{f"refused_{cause}": messages for cause, messages in sorted(state.refused_infos.items())},
    }
    task = f"camera {health.camera}".strip()
    if not flow.is_enabled:
        return TaskReport(task, Level.OK, DISABLED, values)
    if not (state.publishers or state.received):
        return TaskReport(task, Level.ERROR, f"nobody publishes {state.topic}", values)
    fault = _camera_fault(health, state, flow) or shared
    if fault:
        return TaskReport(task, Level.WARN, fault, values)
    if state.refused_infos and not state.calibrated:
        return TaskReport(task, Level.WARN, "camera_info is not usable: the network's own focal length is used", values)
    if not state.calibrated:
        return TaskReport(task, Level.OK, "running without camera_info: the network's own focal length is used", values)
    return TaskReport(task, Level.OK, "running", values)


def _camera_fault(health: CameraHealth, state: InputState, flow: Flow) -> str:
    """The first thing that keeps a camera's images from being used; empty when they are."""
    received, used = flow.received[health.camera], flow.used[health.camera]
    if not state.publishers:
        return f"nobody publishes {state.topic} any more"
    if received.seconds:
        return f"silent: no image has come for {received.seconds:.0f} s"
    if state.refusal:
        return f"its images are refused: {state.refusal}"
    if health.problem:
        return health.problem
    if used.seconds:
        return f"none of its images has been used for {used.seconds:.0f} s: {used.causes or 'they wait for others'}"
    return ""


def shared_frames(cameras: Iterable[tuple[CameraHealth, InputState]]) -> dict[str, str]:
    """By camera, which of them have one frame between them, in words: no place in TF can be right for all of these."""
    sharing: dict[str, list[str]] = {}
    for health, state in cameras:
        sharing.setdefault(state.frame_id, []).append(health.camera)
    return {
        camera: f"cameras {', '.join(names)} share frame '{frame_id}': give each driver its own frame_id"
        for frame_id, names in sharing.items()
        if frame_id and len(names) > 1
        for camera in names
    }


def stream_report(flow: Flow, counters: Counters, latencies: Mapping[str, float], rate_hz: float) -> TaskReport:
    """The whole stream: whether windows come now, rates, latencies and where frames were lost."""
    values: dict[str, str | int | float | bool] = {
        "window_rate_hz": rate_hz,
        **latencies,
        "frames_in": counters.frames_in,
        "frames_published": counters.frames_published,
        "frames_in_flight": counters.in_flight,
        "frame_sets": counters.sets,
        "windows": counters.windows,
        **{f"dropped_{cause}": frames for cause, frames in sorted(counters.dropped.items())},
    }
    images, windows = flow.images, flow.windows
    if not flow.is_enabled:
        return TaskReport("stream", Level.OK, DISABLED, values)
    if not counters.frames_in:
        return TaskReport("stream", Level.WARN, "no image has come yet", values)
    if images.seconds:
        return TaskReport("stream", Level.WARN, f"no image has come for {images.seconds:.0f} s", values)
    if not counters.windows:
        return TaskReport("stream", Level.WARN, "images come, but no window is complete yet", values)
    if windows.seconds:
        why = windows.causes or "the engine takes longer than usual"
        text = f"images come, but no window for {windows.seconds:.0f} s: {why}"
        return TaskReport("stream", Level.WARN, text, values)
    return TaskReport("stream", Level.OK, "running", values)


def tracking_report(result: WindowResult | None) -> TaskReport:
    """How the newest window lies in the world: the first thing that is wrong, or where metres come from."""
    if result is None:
        return TaskReport("tracking", Level.STALE, "no window yet")
    report, scale = result.report, result.scale
    state = tracking_state(report)
    distrusted = ", ".join(distrusted_cameras(result))
    values: dict[str, str | int | float | bool] = {
        "state": state.name.lower(),
        "scale_source": scale.source,
        "scale": report.world_from_window.scale * scale.metres_per_unit,
        "scale_sigma": scale.sigma,
        "scale_age_s": scale.age_ns * 1e-9,
        "residual": report.residual,
        "overlap_views": report.overlap_views,
        "inliers": report.inliers,
        "distrusted_cameras": distrusted,
        "focal_difference": result.focal_difference,
    }
    if state is TrackingState.LOST:
        return TaskReport("tracking", Level.ERROR, f"lost: {report.reason}", values)
    if not report.ok:
        return TaskReport("tracking", Level.WARN, f"window not used: {report.reason}", values)
    if distrusted:
        text = f"contradicts the other cameras, garbage or misplaced in TF: {distrusted}"
        return TaskReport("tracking", Level.WARN, text, values)
    if result.focal_difference > REPORTED_DIFFERENCE:
        difference = f"{result.focal_difference:.0%}"
        text = f"the network sees a focal length {difference} off camera_info's: is that of these images?"
        return TaskReport("tracking", Level.WARN, text, values)
    return TaskReport("tracking", Level.OK, scale_text(scale, report.has_track), values)


def memory_report(given_up: Sequence[Step]) -> TaskReport:
    """What windows do without because memory is short."""
    names = ", ".join(step.value for step in given_up)
    values: dict[str, str | int | float | bool] = {"given_up": names or "nothing"}
    if given_up:
        return TaskReport("memory", Level.WARN, f"short of memory: {names}", values)
    return TaskReport("memory", Level.OK, "enough for whole windows", values)


def scale_text(scale: ScaleState, has_track: bool = True) -> str:
    """Whether published lengths are metres, by whose word, and how surely."""
    what = "tracking" if has_track else "depth without a track"
    if not scale.is_metric:
        return f"{what}, up to scale"
    held = f", not observed for {scale.age_ns * 1e-9:.0f} s" if scale.age_ns > HELD_NS else ""
    return f"{what}, in metres by {scale.source}, sigma {scale.sigma:.2%}{held}"


def reports(
    cameras: Sequence[tuple[CameraHealth, InputState]],
    flow: Flow,
    counters: Counters,
    latencies: Mapping[str, float],
    rate_hz: float,
    result: WindowResult | None,
    given_up: Sequence[Step],
    robot: RobotState,
) -> list[TaskReport]:
    """All parts of one /diagnostics message."""
    shared = shared_frames(cameras)
    camera_reports = [camera_report(health, state, flow, shared.get(health.camera, "")) for health, state in cameras]
    stream = stream_report(flow, counters, latencies, rate_hz)
    return [*camera_reports, stream, tracking_report(result), memory_report(given_up), *robot_reports(robot)]
