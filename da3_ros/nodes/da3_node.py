#!/usr/bin/env python3
# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 node: cameras in, depth, clouds and poses out. Wiring only."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import ExitStack
from typing import Any

import cv2
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from da3_ros.geometry.cloud import DepthFilter
from da3_ros.inference.engine import Engine, EngineError
from da3_ros.nodes import health
from da3_ros.nodes.camera_input import CameraInput
from da3_ros.nodes.engines import make_engine
from da3_ros.nodes.inference_thread import InferenceThread
from da3_ros.nodes.memory import keep_freed_memory
from da3_ros.nodes.result_publisher import ResultPublisher
from da3_ros.nodes.rig_lookup import RigLookup
from da3_ros.ros.diagnostics import RateMeter, diagnostics_message
from da3_ros.ros.log_bridge import bridged
from da3_ros.ros.parameter_schema import declare, read, with_changes
from da3_ros.ros.params import NodeParams
from da3_ros.ros.qos import overridable
from da3_ros.streaming.frame import Frame, Window
from da3_ros.streaming.pipeline import Pipeline, StreamConfig
from da3_ros.streaming.results import WindowResult
from da3_ros.streaming.scale import fixed_scale, relative_scale

WARM_UP_SIZE = (480, 640)
RIG_TIMEOUT_S = 1.0
_log = logging.getLogger("da3_ros.nodes.da3_node")  # also when this file is run as __main__


class Da3Node(LifecycleNode):
    """Configure loads the engine; activate listens and publishes; see docs/node.md for the interface."""

    def __init__(self, node_name: str = "da3_node", **options: Any) -> None:
        super().__init__(node_name, **options)
        self._closing = ExitStack()
        self._closing.enter_context(bridged(self.get_logger()))
        self._refusal = ""
        try:
            declare(self, NodeParams)
        except ValueError as error:
            self._refusal = str(error)
        self._params: NodeParams | None = None
        self._engine: Engine | None = None
        self._inputs: list[CameraInput] = []
        self.add_on_set_parameters_callback(self._on_parameters)

    @property
    def autostart(self) -> bool:
        """Whether to configure and activate without a lifecycle manager."""
        return not self.has_parameter("autostart") or bool(self.get_parameter("autostart").value)

    def destroy_node(self) -> None:
        """Stop the inference thread, free the engine, then destroy the node."""
        self._stop()
        self._release()
        self._closing.close()
        super().destroy_node()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Check the parameters, load the engine, create the outputs."""
        try:
            if self._refusal:
                raise ValueError(self._refusal)
            params = read(self, NodeParams)
            self._config = _stream_config(params)
            self._engine = make_engine(params)
            self._engine.warm_up(1, WARM_UP_SIZE)
        except (ValueError, EngineError) as error:
            _log.error("cannot configure: %s", error)
            return TransitionCallbackReturn.FAILURE
        self._params = params
        self._outputs = ResultPublisher(self, params)
        self._diagnostics = self.create_publisher(
            DiagnosticArray, "/diagnostics", 10, qos_overriding_options=overridable()
        )
        self._offered_services = [
            self.create_service(Trigger, "~/reset", self._on_reset),
            self.create_service(SetBool, "~/set_enabled", self._on_set_enabled),
        ]
        self._enabled = True
        _log.info("configured: engine '%s', cameras %s", params.engine, list(params.cameras))
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the cameras and start the inference thread."""
        assert self._params is not None
        assert self._engine is not None
        self._pipeline = Pipeline(self._config, self._engine, time.monotonic_ns)
        self._rig: RigLookup | None = RigLookup(self)
        self._latencies, self._rate = health.LatencyLog(), RateMeter()
        self._result: WindowResult | None = None
        self._frames_seen = -1
        compressed = self._params.image_transport == "compressed"
        refuse = self._pipeline.count_unusable
        self._inputs = [CameraInput(self, name, compressed, self._push, refuse) for name in self._params.cameras]
        self._timer = self.create_timer(self._params.diagnostics_period_s, self._on_timer)
        self._thread = InferenceThread(self._pipeline, self._handle)
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening and publishing; the engine stays loaded."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the engine and take the topics away."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """From any state to the end."""
        self._stop()
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def _stop(self) -> None:
        if not self._inputs:
            return
        self.destroy_timer(self._timer)
        for camera in self._inputs:
            camera.destroy()
        self._inputs = []
        self._thread.stop()
        if self._rig is not None:
            self._rig.destroy()

    def _release(self) -> None:
        if self._engine is None:
            return
        self._engine = None
        self._outputs.destroy()
        self.destroy_publisher(self._diagnostics)
        for service in self._offered_services:
            self.destroy_service(service)

    def _push(self, frame: Frame) -> None:
        if self._enabled:
            self._pipeline.push(frame)
        else:
            self._pipeline.count_unusable("disabled")

    def _handle(self, window: Window) -> None:
        """On the inference thread: one window from pixels to messages."""
        params = self._params
        assert params is not None
        if self._rig is not None:
            self._find_rig(self._rig, window, params)
        result = self._pipeline.process(window)
        kept = DepthFilter(params.min_confidence, params.edge_threshold, params.min_depth, params.max_depth)
        publish_ns = self._outputs.publish(result, self._pipeline.path, kept)
        self._latencies.add(self._outputs.publish_status(result, self._pipeline.counters(), publish_ns))
        self._rate.tick(time.monotonic_ns())
        self._result = result
        if not result.report.ok:
            _log.warning("window %d is not used: %s", result.window.index, result.report.reason)

    def _find_rig(self, rig: RigLookup, window: Window, params: NodeParams) -> None:
        """Before the first window: where the cameras sit on the base, as far as TF knows."""
        placed = rig.base_from_camera(params.base_frame, window.frame_sets[-1].frames, RIG_TIMEOUT_S)
        self._pipeline.place_cameras(placed)
        if not placed:
            first = window.frame_sets[-1].frames[0].camera
            _log.warning("TF does not place any camera on '%s': it is taken at camera '%s'", params.base_frame, first)
        self._rig = None
        if self.executor is not None:
            self.executor.create_task(rig.destroy)  # subscriptions are destroyed on the thread that uses them

    def _on_timer(self) -> None:
        assert self._params is not None
        counters = self._pipeline.counters()
        if counters.frames_in == self._frames_seen and counters.in_flight:
            self._pipeline.flush()  # the cameras have stopped: what waits for more will not get it
        self._frames_seen = counters.frames_in
        if not self._diagnostics.get_subscription_count():
            return
        cameras = zip(self._pipeline.health(), (camera.state for camera in self._inputs), strict=True)
        rate_hz = self._rate.rate_hz(time.monotonic_ns())
        parts = health.reports(cameras, counters, self._latencies.percentiles(), rate_hz, self._result)
        hardware = f"{self._params.engine} on {self._params.device}"
        now = self.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostics_message(now, self.get_name(), hardware, parts))

    def _on_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        if self._params is not None:
            try:
                self._params = with_changes(self._params, changes)
            except ValueError as error:
                return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = bool(self._inputs)
        response.message = "" if self._inputs else "the node is not active"
        if self._inputs:
            self._pipeline.reset()
            for camera in self._inputs:
                camera.forget()
        return response

    def _on_set_enabled(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._enabled = request.data
        response.success = True
        return response


def _stream_config(params: NodeParams) -> StreamConfig:
    return StreamConfig(
        cameras=params.cameras,
        slop_ns=round(params.sync_slop_ms * 1e6),
        missing_camera=params.missing_camera,  # type: ignore[arg-type]  # checked against the same choices
        # A tenth of slack, as stamps jitter: 30 Hz thinned to 10 Hz must take every third image.
        min_period_ns=round(0.9e9 / params.max_rate_hz) if params.max_rate_hz else 0,
        window_size=params.window_size,
        window_stride=params.window_stride,
        min_sets=1,  # the first answer after the first set: a robot should not wait for a whole window
        overlap=params.window_overlap,
        scale=fixed_scale(params.fixed_scale) if params.scale_mode == "fixed" else relative_scale(),
        path_length=params.path_length,
    )


def main() -> int:
    """Run the node until it is told to end."""
    keep_freed_memory()
    cv2.setNumThreads(1)  # its idle threads spin beside the network's, and images of this size gain nothing
    rclpy.init()
    node = Da3Node()
    try:
        if node.autostart:
            for transition in (node.trigger_configure, node.trigger_activate):
                if transition() != TransitionCallbackReturn.SUCCESS:
                    return 1
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
