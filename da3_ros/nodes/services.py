# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The services of da3_node; one that refuses says why in a sentence."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from da3_ros.nodes.run import Run

INACTIVE = "the node is not active"


class Services:
    """Offered from its making until `destroy`.

    Args:
        node: owner of the services.
        run: the present run; None while the node is not active.
    """

    def __init__(self, node: Node, run: Callable[[], Run | None]) -> None:
        self._wants_images = True
        self._node = node
        self._run = run
        self._services = [
            node.create_service(Trigger, "~/reset", self._on_reset),
            node.create_service(SetBool, "~/set_enabled", self._on_set_enabled),
            node.create_service(Trigger, "~/save_map", self._on_save_map),
            node.create_service(Trigger, "~/save_rig", self._on_save_rig),
        ]

    def destroy(self) -> None:
        """Take the services away."""
        for service in self._services:
            self._node.destroy_service(service)

    def wants_images(self) -> bool:
        """What `~/set_enabled` was last told; true at first."""
        return self._wants_images

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        run = self._run()
        response.success, response.message = run is not None, "" if run else INACTIVE
        if run is not None:
            run.reset()
        return response

    def _on_set_enabled(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._wants_images = request.data
        response.success = True
        return response

    def _on_save_map(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        run = self._run()
        response.success, response.message = run.map.save() if run else (False, INACTIVE)
        return response

    def _on_save_rig(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        run = self._run()
        response.success, response.message = run.rig.save() if run else (False, INACTIVE)
        return response
