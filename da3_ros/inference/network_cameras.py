# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the network's camera conventions become ours, once each way.

The network puts the origin of pixels at the outer corner of the first one, its principal point always being (W/2, H/2);
ours lies at that pixel's centre, half a pixel away. It speaks of camera-from-world; we of window-from-camera.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray, nearest_rotation
from da3_ros.geometry.sim3 import rigid, rigid_inverse

_RIGID_TOLERANCE = 1e-3


def camera_from_network_intrinsics(intrinsics: npt.ArrayLike, size: tuple[int, int]) -> PinholeCamera:
    """The camera of a network's K (3, 3), whose pixel origin is the outer corner, for images of (H, W) `size`."""
    matrix = np.asarray(intrinsics, dtype=np.float64)
    fx, fy, cx, cy = (float(matrix[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return PinholeCamera(size, fx, fy, cx - 0.5, cy - 0.5)


def network_intrinsics_from_camera(camera: PinholeCamera) -> FloatArray:
    """The network's K (3, 3) float64 of a camera; undoes `camera_from_network_intrinsics`."""
    matrix = camera.matrix
    matrix[:2, 2] += 0.5
    return matrix


def window_from_camera_of_network(camera_from_world: npt.ArrayLike) -> FloatArray:
    """The network's poses (V, 4, 4) float32, inverted and rigid to float64 precision."""
    matrix = np.asarray(camera_from_world, dtype=np.float64)
    return rigid_inverse(rigid(nearest_rotation(matrix[..., :3, :3]), matrix[..., :3, 3]))


def check_known_poses(
    camera_from_world: npt.ArrayLike | None, cameras: Sequence[PinholeCamera | None] | None, views: int
) -> FloatArray | None:
    """Known poses as (V, 4, 4) float64, or None when there are none.

    Raises:
        ValueError: when they are not V finite rigid transforms, or when a view has no calibration.
    """
    if camera_from_world is None:
        return None
    poses = np.asarray(camera_from_world, dtype=np.float64)
    if poses.shape != (views, 4, 4):
        raise ValueError(f"known poses must be ({views}, 4, 4), one per view, not {poses.shape}")
    rotation = poses[:, :3, :3]
    for view in range(views):
        product = rotation[view] @ rotation[view].T
        if not (
            np.isfinite(poses[view]).all()
            and np.allclose(product, np.eye(3), atol=_RIGID_TOLERANCE)
            and np.linalg.det(rotation[view]) > 0
            and np.array_equal(poses[view, 3], (0, 0, 0, 1))
        ):
            raise ValueError(f"view {view}: its known pose is not a rigid transform: {poses[view].tolist()}")
        if cameras is None or cameras[view] is None:
            raise ValueError(f"view {view} has a known pose but no calibration: known poses need both for every view")
    return poses
