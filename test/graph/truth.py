# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Published messages as arrays, and the one Sim(3) that lays what was published over the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import Sim3


def floats_of(message: Image) -> npt.NDArray[np.float32]:
    """(H, W) of a 32FC1 image."""
    assert (message.encoding, message.step, message.is_bigendian) == ("32FC1", 4 * message.width, 0)
    return np.frombuffer(message.data, "<f4").reshape(message.height, message.width)


def rgb_of(message: Image) -> npt.NDArray[np.uint8]:
    """(H, W, 3) of an rgb8 image."""
    assert (message.encoding, message.step) == ("rgb8", 3 * message.width)
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)


def cloud_of(message: PointCloud2) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """(H, W, 3) points and (H, W, 3) RGB of an organised cloud, read by its own fields."""
    assert [field.name for field in message.fields] == ["x", "y", "z", "rgb"]
    assert message.row_step == message.width * message.point_step
    assert len(message.data) == message.row_step * message.height
    raw = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, message.point_step)
    values = [raw[..., field.offset : field.offset + 4].copy().view("<f4")[..., 0] for field in message.fields]
    packed = values[3].view("<u4")
    colours = np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255], axis=-1)
    return np.stack(values[:3], axis=-1), colours.astype(np.uint8)


def camera_of(message: CameraInfo) -> PinholeCamera:
    """The camera of a rectified image; fails unless K and P say the same and nothing bends."""
    k = np.reshape(message.k, (3, 3))
    np.testing.assert_array_equal(np.reshape(message.p, (3, 4)), np.column_stack((k, np.zeros(3))))
    np.testing.assert_array_equal(np.reshape(message.r, (3, 3)), np.eye(3))
    assert not any(message.d)
    return PinholeCamera((message.height, message.width), k[0, 0], k[1, 1], k[0, 2], k[1, 2])


def points_of(depth: FloatArray, camera: PinholeCamera) -> FloatArray:
    """(H, W, 3) float64 points in the optical frame."""
    v, u = np.indices(depth.shape, dtype=np.float64)
    x, y = (u - camera.cx_px) / camera.fx_px, (v - camera.cy_px) / camera.fy_px
    return np.stack((x, y, np.ones_like(x)), axis=-1) * np.asarray(depth, dtype=np.float64)[..., None]


def truth_from_published(truth: Sequence[FloatArray], published: Sequence[FloatArray], scale: float) -> Sim3:
    """The Sim(3) of this scale that brings published poses onto true ones in the least-squares sense.

    Args:
        truth: (4, 4) rigid poses.
        published: (4, 4) rigid poses of the same frames.
        scale: metres per published unit.
    """
    true, ours = np.asarray(truth), np.asarray(published)
    # Chordal mean of the rotations: the projection of their sum onto SO(3).
    left, _, right = np.linalg.svd(np.einsum("nij,nkj->ik", true[:, :3, :3], ours[:, :3, :3]))
    rotation = left @ np.diag((1.0, 1.0, np.linalg.det(left @ right))) @ right
    shift = (true[:, :3, 3] - scale * ours[:, :3, 3] @ rotation.T).mean(axis=0)
    return Sim3(scale, rotation, shift)


@dataclass(frozen=True, slots=True)
class PoseErrors:
    """Largest errors of poses: of position in metres, of rotation in degrees."""

    position_m: float
    rotation_deg: float


def pose_errors(truth: Sequence[FloatArray], published: Sequence[FloatArray], fit: Sim3) -> PoseErrors:
    """How far poses are from the truth after the fit."""
    true, ours = np.asarray(truth), np.asarray(fit.apply_to_poses(np.asarray(published)))
    positions = np.linalg.norm(true[:, :3, 3] - ours[:, :3, 3], axis=-1)
    # |R - S| = 2 sqrt(2) sin(angle / 2): unlike the arc cosine of the trace, exact for small angles.
    distances = np.linalg.norm(true[:, :3, :3] - ours[:, :3, :3], axis=(1, 2))
    angles = 2 * np.arcsin(np.minimum(distances / np.sqrt(8), 1))
    return PoseErrors(float(positions.max()), float(np.rad2deg(angles.max())))


def edges_of(messages: Sequence[Any]) -> list[Any]:
    """All transforms of TF messages, in order."""
    return [edge for message in messages for edge in message.transforms]
