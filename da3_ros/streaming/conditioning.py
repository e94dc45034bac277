# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What may be told to the network about where its cameras were: facts from the robot, never what it answered itself.

The network takes world-to-camera poses of all views or of none, with calibration for every one, and brings them into
its own gauge: the first camera becomes the world, the median distance from it the unit, but no less than 0.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid_inverse
from da3_ros.streaming.frame import Window

# External odometry: stamp_ns -> odom_from_base (4, 4) rigid, metres; None when it is not known, or not yet.
OdometryAt = Callable[[int], FloatArray | None]

MODES = ("none", "rig", "odom")
# Centres nearer together than this say nothing: what TF rounds away would be stretched to a baseline.
MIN_BASELINE_M = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class KnownPoses:
    """What the network is told.

    Attributes:
        camera_from_world: (V, 4, 4) float64 rigid, metres, in the order of the window's views; None: nothing.
        reason: why nothing; empty otherwise.
    """

    camera_from_world: FloatArray | None
    reason: str


def known_camera_from_world(
    window: Window,
    base_from_camera: Mapping[str, FloatArray],
    odometry_at: OdometryAt | None,
    mode: str,
    min_baseline_m: float = MIN_BASELINE_M,
) -> KnownPoses:
    """The poses of a window's cameras as the robot knows them.

    Args:
        window: what the network will see.
        base_from_camera: (4, 4) per camera from TF, metres; not what was estimated from the network's answers.
        odometry_at: asked for the stamp of every view; not fed by our own odometry.
        mode: "none"; "rig": from the places on the base alone, which serves windows of one frame set; or "odom": places
            on the base as it moved.
        min_baseline_m: centres must be this far from the first view's, at least one of them.

    Raises:
        ValueError: when there is no such mode.
    """
    if mode not in MODES:
        raise ValueError(f"conditioning must be one of {', '.join(MODES)}, not '{mode}'")
    if mode == "none":
        return KnownPoses(None, "conditioning is off")
    reason = _unfit(window, base_from_camera, mode)
    if reason:
        return KnownPoses(None, reason)
    base_at = odometry_at if mode == "odom" else _unmoved
    if base_at is None:
        return KnownPoses(None, "no external odometry is connected")
    world_from_camera = []
    for view in window.views:
        odom_from_base = base_at(view.stamp_ns)
        if odom_from_base is None or not np.isfinite(odom_from_base).all():
            return KnownPoses(None, f"no odometry at {view.stamp_ns} ns, when camera '{view.camera}' saw")
        world_from_camera.append(odom_from_base @ base_from_camera[view.camera])
    poses = np.stack(world_from_camera)
    baseline = float(np.linalg.norm(poses[:, :3, 3] - poses[0, :3, 3], axis=1).max())
    if baseline < min_baseline_m:
        return KnownPoses(None, f"the cameras are {baseline:.3f} m apart, less than {min_baseline_m:g} m")
    return KnownPoses(rigid_inverse(poses), "")


def _unmoved(stamp_ns: int) -> FloatArray | None:
    return np.eye(4)


def _unfit(window: Window, base_from_camera: Mapping[str, FloatArray], mode: str) -> str:
    """Why nothing can be told whatever the odometry says; empty when there is no such reason."""
    views = window.views
    uncalibrated = sorted({view.camera for view in views if view.calibration is None})
    if uncalibrated:
        return f"not calibrated: {', '.join(uncalibrated)}"
    unplaced = sorted({view.camera for view in views if view.camera not in base_from_camera})
    if unplaced:
        return f"place on the base not known: {', '.join(unplaced)}"
    if len(views) < 2:
        return "one view alone has no pose to tell"
    if mode == "rig" and len(window.frame_sets) > 1:
        return f"the rig says nothing of the motion between the {len(window.frame_sets)} frame sets of a window"
    return ""
