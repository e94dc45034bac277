# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What lives while da3_node is active: inputs, the pipeline, the inference thread, the timer."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode

from da3_ros.geometry.cloud import DepthFilter
from da3_ros.inference.engine import Engine
from da3_ros.nodes import health
from da3_ros.nodes.camera_input import CameraInput
from da3_ros.nodes.inference_thread import InferenceThread
from da3_ros.nodes.map_keeper import MapKeeper
from da3_ros.nodes.progress import Flow, Progress
from da3_ros.nodes.result_publisher import ResultPublisher
from da3_ros.nodes.rig_keeper import RigKeeper
from da3_ros.nodes.robot import Robot
from da3_ros.nodes.stream_settings import stream_config
from da3_ros.ros.diagnostics import RateMeter, diagnostics_message
from da3_ros.ros.log_bridge import throttled
from da3_ros.ros.params import NodeParams
from da3_ros.streaming.camera_health import CameraHealth
from da3_ros.streaming.frame import Frame, Window
from da3_ros.streaming.ledger import Counters
from da3_ros.streaming.model_scale import MetricDepth
from da3_ros.streaming.pipeline import Pipeline
from da3_ros.streaming.results import WindowResult

SILENCE_S = 1.0
_log = logging.getLogger(__name__)


class Run:
    """One activation of the node, from its making until `close`.

    Args:
        node: owner of subscriptions and timer.
        params: the parameters at this moment; some may change.
        engine: answers the windows.
        metric_depth: is asked for metres, None without.
        outputs: takes the results.
        diagnostics: publisher of /diagnostics.
        wants_images: whether images that come are processed.
    """

    def __init__(
        self,
        node: LifecycleNode,
        params: Callable[[], NodeParams],
        engine: Engine,
        metric_depth: MetricDepth | None,
        outputs: ResultPublisher,
        diagnostics: Any,
        wants_images: Callable[[], bool],
    ) -> None:
        self._node, self._params, self._outputs, self._diagnostics = node, params, outputs, diagnostics
        self._wants_images = wants_images
        self._latencies, self._rate = health.LatencyLog(), RateMeter()
        self.map = MapKeeper(params().map_voxel_size, params().map_file)
        self.rig = RigKeeper(params().rig_file)
        self._result: WindowResult | None = None
        self.inputs: list[CameraInput] = []
        with ExitStack() as undo:
            self._start(engine, metric_depth, undo)
            self._closing = undo.pop_all()

    def _start(self, engine: Engine, metric_depth: MetricDepth | None, undo: ExitStack) -> None:
        params = self._params()
        self._robot = Robot(self._node, params)
        undo.callback(self._robot.destroy)
        has_odometry = bool(params.odometry_topic or params.odometry_frame)
        odometry_at = self._robot.odometry_at if has_odometry else None
        origin_at, now_ns = self._robot.origin_at, time.monotonic_ns
        self.pipeline = Pipeline(stream_config(params), engine, now_ns, odometry_at, metric_depth, origin_at)
        self._before, self._fed_s = self.pipeline.counters(), time.monotonic()
        self._progress = Progress(self._fed_s)
        for name in params.cameras:
            compressed = params.image_transport == "compressed"
            camera = CameraInput(self._node, name, compressed, self._push, self.pipeline.count_unusable)
            undo.callback(camera.destroy)
            self.inputs.append(camera)
        # Steady time: also when simulated time stands still, somebody must say why nothing comes.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        timer = self._node.create_timer(params.diagnostics_period_s, self._on_timer, clock=steady)
        undo.callback(self._node.destroy_timer, timer)
        undo.callback(InferenceThread(self.pipeline, self._handle).stop)
        undo.callback(self._robot.stop)

    def close(self) -> None:
        """End after the window in hand."""
        self._closing.close()

    def reset(self) -> None:
        """Begin a new trajectory."""
        self._robot.begin()
        self.pipeline.reset()
        self._result = None  # nothing of it holds on the new trajectory, least of all its scale
        self.map.clear()
        self.rig.clear()
        for camera in self.inputs:
            camera.forget()

    def _push(self, frame: Frame) -> None:
        if self._wants_images():
            self.pipeline.push(frame)
        else:
            self.pipeline.count_unusable("disabled")

    def _handle(self, window: Window) -> None:
        """On the inference thread: one window from pixels to messages."""
        params = self._params()
        self._robot.prepare(window, self.pipeline)
        try:
            result = self.pipeline.process(window)
        except Exception as error:
            reason, stamp_ns = f"window {window.index} failed: {error}", window.frame_sets[-1].stamp_ns
            self._outputs.publish_account(self.pipeline.counters(), reason, self._result, stamp_ns)
            raise
        kept = DepthFilter(params.min_confidence, params.edge_threshold, params.min_depth, params.max_depth)
        owns = self._robot.tf_owner.may_publish
        publish_ns = self._outputs.publish(result, self.pipeline.path, kept, owns, self.rig.add(result))
        self._latencies.add(self._outputs.publish_status(result, self.pipeline.counters(), publish_ns))
        self._rate.tick(time.monotonic_ns())
        self.map.add(result, kept)
        self._result = result
        if not result.report.ok:
            _log.warning("window %d is not used: %s", result.window.index, result.report.reason)

    def _on_timer(self) -> None:
        counters, now_s = self.pipeline.counters(), time.monotonic()
        before, self._before = self._before, counters
        if counters.frames_in != before.frames_in:
            self._fed_s = now_s
        elif counters.in_flight and now_s - self._fed_s > self._silence_s():
            self.pipeline.flush()  # the cameras have stopped: what waits for more will not get it
        if _lost(counters) != _lost(before) and counters.windows == before.windows and not counters.in_flight:
            self._outputs.publish_account(counters, "images were lost without a window", self._result)
        self._robot.look()
        self._diagnose(counters, now_s)

    def _diagnose(self, counters: Counters, now_s: float) -> None:
        cameras = list(zip(self.pipeline.health(), (camera.state for camera in self.inputs), strict=True))
        received = {one.camera: state.received for one, state in cameras}
        used = {one.camera: one.frames_used for one, _ in cameras}
        # Also when nobody listens to the diagnostics: whoever comes later is told since when.
        flow = self._progress.look(counters, received, used, self._wants_images(), now_s)
        for text in set(health.shared_frames(cameras).values()):
            _log.warning("%s", text, extra=throttled(text, math.inf))
        if self._diagnostics.get_subscription_count():
            self._publish_diagnostics(cameras, flow, counters)

    def _publish_diagnostics(
        self, cameras: Sequence[tuple[CameraHealth, health.InputState]], flow: Flow, counters: Counters
    ) -> None:
        params = self._params()
        rate_hz = self._rate.rate_hz(time.monotonic_ns())
        percentiles, given_up, robot = self._latencies.percentiles(), self.pipeline.relief, self._robot.state
        parts = health.reports(cameras, flow, counters, percentiles, rate_hz, self._result, given_up, robot)
        hardware = f"{params.engine} on {params.device}"
        now = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostics_message(now, self._node.get_name(), hardware, parts))

    def _silence_s(self) -> float:
        """After how long without any frame the cameras have stopped."""
        slowest_ns = max(camera.period_ns for camera in self.pipeline.health())
        return max(SILENCE_S, 3e-9 * slowest_ns)


def _lost(counters: Counters) -> int:
    """Frames lost, but for those that were not wanted."""
    return sum(frames for cause, frames in counters.dropped.items() if cause != "disabled")
