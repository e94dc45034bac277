#!/usr/bin/env python3
# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 node: cameras in, depth, clouds and poses out. Wiring only."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import cv2
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from da3_ros.geometry.cloud import DepthFilter
from da3_ros.inference.engine import EngineError
from da3_ros.nodes import health
from da3_ros.nodes.camera_input import CameraInput
from da3_ros.nodes.engines import make_engine
from da3_ros.nodes.inference_thread import InferenceThread
from da3_ros.nodes.map_keeper import MapKeeper
from da3_ros.nodes.memory import keep_freed_memory
from da3_ros.nodes.result_publisher import ResultPublisher
from da3_ros.nodes.rig_lookup import RigLookup
from da3_ros.nodes.stream_settings import stream_config
from da3_ros.ros.diagnostics import RateMeter, diagnostics_message
from da3_ros.ros.log_bridge import bridged
from da3_ros.ros.parameter_schema import declare, read, with_changes
from da3_ros.ros.params import NodeParams
from da3_ros.ros.qos import create_output
from da3_ros.streaming.frame import Frame, Window
from da3_ros.streaming.pipeline import Pipeline
from da3_ros.streaming.results import WindowResult

WARM_UP_SIZE = (480, 640)
SILENCE_S = 1.0
INACTIVE = "the node is not active"
RIG_PATIENCE_S = 2.0
_log = logging.getLogger("da3_ros.nodes.da3_node")  # also when this file is run as __main__


class Da3Node(LifecycleNode):
    """Configure loads the engine; activate listens and publishes; see docs/node.md for the interface."""

    def __init__(self, node_name: str = "da3_node", **options: Any) -> None:
        super().__init__(node_name, **options)
        self._closing, self._configured, self._active = ExitStack(), ExitStack(), ExitStack()
        self._closing.enter_context(bridged(self.get_logger()))
        self._refusal = ""
        try:
            declare(self, NodeParams)
        except ValueError as error:
            self._refusal = str(error)
        self._params: NodeParams | None = None
        self._inputs: list[CameraInput] = []
        self.add_on_set_parameters_callback(self._on_parameters)

    @property
    def autostart(self) -> bool:
        """Whether to configure and activate without a lifecycle manager."""
        return not self.has_parameter("autostart") or bool(self.get_parameter("autostart").value)

    def destroy_node(self) -> None:
        """Stop the inference thread, free the engine, then destroy the node."""
        self._active.close()
        self._configured.close()
        self._closing.close()
        super().destroy_node()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Check the parameters, load the engine, create the outputs."""
        with self._or_failure("configure"), ExitStack() as undo:
            self._configure(undo)
            self._configured = undo.pop_all()
            return TransitionCallbackReturn.SUCCESS
        return TransitionCallbackReturn.FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the cameras and start the inference thread."""
        with self._or_failure("activate"), ExitStack() as undo:
            self._activate(undo)
            self._active = undo.pop_all()
            return super().on_activate(state)
        return TransitionCallbackReturn.FAILURE

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening and publishing; the engine stays loaded."""
        self._active.close()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the engine and take the topics away."""
        self._configured.close()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """From any state to the end."""
        self._active.close()
        self._configured.close()
        return TransitionCallbackReturn.SUCCESS

    @contextmanager
    def _or_failure(self, transition: str) -> Iterator[None]:
        """Say in one sentence why a transition fails; rclpy itself would swallow it."""
        try:
            yield
        except (ValueError, EngineError) as error:
            _log.error("cannot %s: %s", transition, error)
        except ImportError as error:
            what = f"{error.name} is not installed for {sys.executable}"
            _log.error("cannot %s: %s: install it there, or launch with python:=<another>", transition, what)
        except Exception as error:  # rclpy would swallow it
            _log.error("cannot %s: %s: %s", transition, type(error).__name__, error)
            _log.debug("while trying to %s", transition, exc_info=True)

    def _configure(self, undo: ExitStack) -> None:
        if self._refusal:
            raise ValueError(self._refusal)
        params = read(self, NodeParams)
        self._config = stream_config(params)
        self._engine = make_engine(params)
        undo.callback(delattr, self, "_engine")
        self._engine.warm_up(1, WARM_UP_SIZE)
        self._outputs = ResultPublisher(self, params)
        undo.callback(self._outputs.destroy)
        self._diagnostics = create_output(self.create_publisher, DiagnosticArray, "/diagnostics", depth=10)
        undo.callback(self.destroy_publisher, self._diagnostics)
        for service_type, name, answer in (
            (Trigger, "~/reset", self._on_reset),
            (SetBool, "~/set_enabled", self._on_set_enabled),
            (Trigger, "~/save_map", self._on_save_map),
        ):
            undo.callback(self.destroy_service, self.create_service(service_type, name, answer))
        self._params, self._enabled = params, True
        _log.info("configured: engine '%s', cameras %s", params.engine, list(params.cameras))
        if params.tf_mode == "base" and params.scale_mode == "relative":
            _log.warning(
                "tf_mode is 'base', but the scale is relative: TF between base and cameras is metric, depth not"
            )

    def _activate(self, undo: ExitStack) -> None:
        params = self._params
        assert params is not None
        self._pipeline = Pipeline(self._config, self._engine, time.monotonic_ns)
        self._latencies, self._rate = health.LatencyLog(), RateMeter()
        self._map = MapKeeper(params.map_voxel_size, params.map_file)
        self._result: WindowResult | None = None
        self._before, self._fed_s = self._pipeline.counters(), time.monotonic()
        rig = RigLookup(self, RIG_PATIENCE_S)
        self._rig: RigLookup | None = rig
        undo.callback(self._forget_run)
        undo.callback(rig.destroy)
        undo.callback(self._inputs.clear)
        for name in params.cameras:
            compressed = params.image_transport == "compressed"
            camera = CameraInput(self, name, compressed, self._push, self._pipeline.count_unusable)
            undo.callback(camera.destroy)
            self._inputs.append(camera)
        # Steady time: also when simulated time stands still, somebody must say why nothing comes.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        timer = self.create_timer(params.diagnostics_period_s, self._on_timer, clock=steady)
        undo.callback(self.destroy_timer, timer)
        undo.callback(InferenceThread(self._pipeline, self._handle).stop)

    def _forget_run(self) -> None:
        """Let go of what holds the engine and images."""
        del self._pipeline, self._map, self._result

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
        try:
            result = self._pipeline.process(window)
        except Exception as error:
            reason, stamp_ns = f"window {window.index} failed: {error}", window.frame_sets[-1].stamp_ns
            self._outputs.publish_account(self._pipeline.counters(), reason, stamp_ns)
            raise
        kept = DepthFilter(params.min_confidence, params.edge_threshold, params.min_depth, params.max_depth)
        publish_ns = self._outputs.publish(result, self._pipeline.path, kept)
        self._latencies.add(self._outputs.publish_status(result, self._pipeline.counters(), publish_ns))
        self._rate.tick(time.monotonic_ns())
        self._map.add(result, kept)
        self._result = result
        if not result.report.ok:
            _log.warning("window %d is not used: %s", result.window.index, result.report.reason)

    def _find_rig(self, rig: RigLookup, window: Window, params: NodeParams) -> None:
        """Before the first window: where the cameras sit on the base, as far as TF knows."""
        placed = rig.base_from_camera(params.base_frame, window.frame_sets[-1].frames)
        self._pipeline.place_cameras(placed)
        if not placed:
            first = window.frame_sets[-1].frames[0].camera
            _log.warning("TF does not place any camera on '%s': it is taken at camera '%s'", params.base_frame, first)
        self._rig = None
        if self.executor is not None:
            self.executor.create_task(rig.destroy)  # subscriptions are destroyed on the thread that uses them

    def _on_timer(self) -> None:
        assert self._params is not None
        counters, now_s = self._pipeline.counters(), time.monotonic()
        before, self._before = self._before, counters
        if counters.frames_in != before.frames_in:
            self._fed_s = now_s
        elif counters.in_flight and now_s - self._fed_s > self._silence_s():
            self._pipeline.flush()  # the cameras have stopped: what waits for more will not get it
        if counters.dropped != before.dropped and counters.windows == before.windows and not counters.in_flight:
            self._outputs.publish_account(counters, "images were lost without a window")
        if not self._diagnostics.get_subscription_count():
            return
        cameras = zip(self._pipeline.health(), (camera.state for camera in self._inputs), strict=True)
        rate_hz = self._rate.rate_hz(time.monotonic_ns())
        parts = health.reports(cameras, counters, self._latencies.percentiles(), rate_hz, self._result)
        hardware = f"{self._params.engine} on {self._params.device}"
        now = self.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostics_message(now, self.get_name(), hardware, parts))

    def _silence_s(self) -> float:
        """After how long without any frame the cameras have stopped."""
        slowest_ns = max(camera.period_ns for camera in self._pipeline.health())
        return max(SILENCE_S, 3e-9 * slowest_ns)

    def _on_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        if self._params is not None:
            try:
                self._params = with_changes(self._params, changes)
            except ValueError as error:
                return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = bool(self._inputs)
        response.message = "" if self._inputs else INACTIVE
        if self._inputs:
            self._pipeline.reset()
            self._map.clear()
            for camera in self._inputs:
                camera.forget()
        return response

    def _on_save_map(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = self._map.save() if self._inputs else (False, INACTIVE)
        return response

    def _on_set_enabled(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._enabled = request.data
        response.success = True
        return response


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
