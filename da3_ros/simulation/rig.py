# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Camera rigs: cameras fixed to a robot.

base_link as in REP-103 (x forward, y left, z up); optical frames x right, y down, z forward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid

FIELD_OF_VIEW_RAD = float(np.deg2rad(90))
MAST_HEIGHT_M = 1.1
MAST_RADIUS_M = 0.12
DOWNWARD_TILT_RAD = float(np.deg2rad(8))


@dataclass(frozen=True, slots=True, eq=False)
class RigCamera:
    """One camera of a rig.

    Attributes:
        name: of the camera.
        camera: intrinsics.
        base_from_camera: (4, 4) float64 rigid, from the optical frame to base_link, metres.
    """

    name: str
    camera: PinholeCamera
    base_from_camera: FloatArray

    @property
    def frame_id(self) -> str:
        """ROS name of the optical frame."""
        return f"{self.name}_optical_frame"


@dataclass(frozen=True, slots=True, eq=False)
class Rig:
    """Cameras with different names."""

    cameras: tuple[RigCamera, ...]

    def __post_init__(self) -> None:
        names = [camera.name for camera in self.cameras]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"a rig needs at least one camera, and names that differ, not {names}")

    def named(self, name: str) -> RigCamera:
        """The camera of that name.

        Raises:
            LookupError: when the rig has none.
        """
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise LookupError(f"the rig has no camera '{name}', only {', '.join(c.name for c in self.cameras)}")


def base_from_optical(position_m: tuple[float, float, float], yaw_rad: float, down_rad: float = 0.0) -> FloatArray:
    """(4, 4) pose of an upright camera in base_link.

    Args:
        position_m: of the optical centre.
        yaw_rad: heading of the optical axis, counter-clockwise from straight ahead.
        down_rad: tilt of the optical axis below the horizon.
    """
    ahead = np.array([np.cos(yaw_rad), np.sin(yaw_rad), 0.0])
    right, up = np.array([np.sin(yaw_rad), -np.cos(yaw_rad), 0.0]), np.array([0.0, 0.0, 1.0])
    forward = np.cos(down_rad) * ahead - np.sin(down_rad) * up
    return rigid(np.stack((right, np.cross(forward, right), forward), axis=1), position_m)


def mast_rig(yaws_rad: dict[str, float], camera: PinholeCamera) -> Rig:
    """Equal cameras on a ring around a mast, looking outwards and a little down.

    Args:
        yaws_rad: heading of each camera by name.
        camera: intrinsics of all.
    """
    cameras = []
    for name, yaw in yaws_rad.items():
        position = (MAST_RADIUS_M * np.cos(yaw), MAST_RADIUS_M * np.sin(yaw), MAST_HEIGHT_M)
        cameras.append(RigCamera(name, camera, base_from_optical(position, yaw, DOWNWARD_TILT_RAD)))
    return Rig(tuple(cameras))


def three_camera_rig(size: tuple[int, int] = (240, 320)) -> Rig:
    """front, left and right, 90 degrees wide and 60 degrees apart, so that neighbours share a third of their view.

    Args:
        size: (H, W) of all images.
    """
    yaws = {"front": 0.0, "left": float(np.pi / 3), "right": float(-np.pi / 3)}
    return mast_rig(yaws, PinholeCamera.from_field_of_view(size, FIELD_OF_VIEW_RAD))


def single_camera_rig(size: tuple[int, int] = (240, 320)) -> Rig:
    """One camera, front.

    Args:
        size: (H, W) of its images.
    """
    return mast_rig({"front": 0.0}, PinholeCamera.from_field_of_view(size, FIELD_OF_VIEW_RAD))


def stereo_rig(baseline_m: float = 0.1, size: tuple[int, int] = (240, 320)) -> Rig:
    """Left and right, straight ahead side by side.

    Args:
        baseline_m: distance of the two.
        size: (H, W) of all images.
    """
    camera = PinholeCamera.from_field_of_view(size, FIELD_OF_VIEW_RAD)
    sides = {"left": baseline_m / 2, "right": -baseline_m / 2}
    return Rig(
        tuple(
            RigCamera(name, camera, base_from_optical((MAST_RADIUS_M, side, MAST_HEIGHT_M), 0.0, DOWNWARD_TILT_RAD))
            for name, side in sides.items()
        )
    )


def ring_rig(cameras: int, size: tuple[int, int] = (240, 320)) -> Rig:
    """camera0 ahead and the others evenly around the mast: four of 90 degrees share no more than their borders.

    Args:
        cameras: how many.
        size: (H, W) of all images.
    """
    yaws = {f"camera{index}": 2 * float(np.pi) * index / cameras for index in range(cameras)}
    return mast_rig(yaws, PinholeCamera.from_field_of_view(size, FIELD_OF_VIEW_RAD))
