#!/usr/bin/env python3
# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 node: cameras in, depth, clouds and poses out. Wiring only."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import cv2
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from da3_ros.inference.engine import EngineError
from da3_ros.nodes.engines import WARM_UP_SIZE, make_engine, with_model
from da3_ros.nodes.memory import hand_back_freed_memory, keep_freed_memory
from da3_ros.nodes.metric_model import make_metric_model
from da3_ros.nodes.result_publisher import ResultPublisher
from da3_ros.nodes.run import Run
from da3_ros.nodes.services import Services
from da3_ros.nodes.stream_settings import stream_config
from da3_ros.ros.log_bridge import bridged
from da3_ros.ros.parameter_schema import declare, read, with_changes
from da3_ros.ros.params import NodeParams
from da3_ros.ros.qos import create_output

GIL_SWITCH_S = 2e-4
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
        self._run: Run | None = None
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
        params = with_model(read(self, NodeParams))
        stream_config(params)  # contradictions are refused now, not at activation
        if params.max_memory_mb:
            hand_back_freed_memory()  # or the process would take more than its calls do
        self._engine = make_engine(params)
        undo.callback(delattr, self, "_engine")
        self._engine.warm_up(1, WARM_UP_SIZE)
        self._metric_depth = make_metric_model(params)
        undo.callback(delattr, self, "_metric_depth")
        self._outputs = ResultPublisher(self, params)
        undo.callback(self._outputs.destroy)
        self._diagnostics = create_output(self.create_publisher, DiagnosticArray, "/diagnostics", depth=10)
        undo.callback(self.destroy_publisher, self._diagnostics)
        self._offered = Services(self, lambda: self._run)
        undo.callback(self._offered.destroy)
        self._params = params
        answering = f"network {params.model}" if params.engine == "network" else f"engine '{params.engine}'"
        _log.info("configured: %s, cameras %s", answering, list(params.cameras))
        if not params.has_track:
            _log.info("window_size is 1: there is depth, but no track, so ~/odom, ~/path, poses and TF are silent")
        if params.require_metric:
            _log.info("require_metric: but for ~/status, nothing is published while metres are not known")
        if params.tf_mode == "base" and params.scale_mode == "relative":
            _log.warning(
                "tf_mode is 'base', but the scale is relative: TF between base and cameras is metric, depth not"
            )

    def _activate(self, undo: ExitStack) -> None:
        wants_images = self._offered.wants_images
        run = Run(self, self._current, self._engine, self._metric_depth, self._outputs, self._diagnostics, wants_images)
        undo.callback(setattr, self, "_run", None)
        undo.callback(run.close)
        self._run = run

    def _current(self) -> NodeParams:
        assert self._params is not None
        return self._params

    def _on_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        if self._params is not None:
            try:
                self._params = with_changes(self._params, changes)
            except ValueError as error:
                return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)


def main() -> int:
    """Run the node until it is told to end."""
    keep_freed_memory()
    cv2.setNumThreads(1)  # its idle threads spin beside the network's, and images of this size gain nothing
    # The executor must get its turn while the inference thread computes in numpy, or images queue up for seconds.
    sys.setswitchinterval(GIL_SWITCH_S)
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
