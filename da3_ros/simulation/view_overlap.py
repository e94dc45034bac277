# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which share of one view another one sees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid_inverse

SAME_DEPTH = 0.05  # relative difference of depth up to which two views show the same point


@torch.inference_mode()
def view_overlap(
    depth: npt.NDArray[np.float32],
    camera: PinholeCamera,
    world_from_camera: FloatArray,
    step: int = 3,
    same_depth: float = SAME_DEPTH,
) -> npt.NDArray[np.float32]:
    """Share of view i's pixels that view j sees, by reprojection.

    Args:
        depth: (N, H, W) metres, NaN unknown.
        camera: of all views, without distortion.
        world_from_camera: (N, 4, 4) rigid.
        step: every so manieth pixel of each row and column is asked.
        same_depth: relative tolerance of the nearest pixel's depth.

    Returns:
        (N, N) float32 [i, j]; pixels of i without depth count as unseen.
    """
    count, (height, width) = len(depth), camera.size
    known = torch.from_numpy(np.ascontiguousarray(depth))
    rays = torch.from_numpy(camera.rays()[step // 2 :: step, step // 2 :: step].reshape(-1, 3).T.astype(np.float32))
    own = known[:, step // 2 :: step, step // 2 :: step].reshape(count, -1)
    result = np.zeros((count, count), np.float32)
    camera_from_world = np.array([rigid_inverse(pose) for pose in world_from_camera])
    for i in range(count):
        to_others = torch.from_numpy((camera_from_world @ world_from_camera[i]).astype(np.float32))
        x, y, z = (to_others[:, :3, :3] @ (rays * own[i]) + to_others[:, :3, 3:]).unbind(1)
        column = (x / z * camera.fx_px + camera.cx_px).round()
        row = (y / z * camera.fy_px + camera.cy_px).round()
        inside = (z > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)  # NaN is outside
        pixel = torch.where(inside, row * width + column, 0).long()
        there = known.reshape(count, -1).gather(1, pixel)
        seen = inside & ((there - z).abs() < same_depth * z)
        result[i] = seen.float().mean(1).numpy()
    return result
