# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A box of a room seen by a moving rig, and an engine that answers from it in a random gauge per window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import Sim3, rigid
from da3_ros.streaming.frame import Frame
from da3_ros.streaming.rig import BODY_FROM_OPTICAL

CAMERA = PinholeCamera.from_field_of_view((24, 32), np.deg2rad(80))
HALF_CAMERA = CAMERA.resized((12, 16))
IMAGE = np.zeros((24, 32, 3), dtype=np.uint8)
PERIOD_NS = 100_000_000
HALF_ROOM = np.array([6.0, 5.0, 2.5])

# Rigs: (4, 4) base_from_camera by name, metres.
ONE = {"front": BODY_FROM_OPTICAL}
TWO = {
    "left": rigid(np.eye(3), [0.1, 0.05, 0.3]) @ BODY_FROM_OPTICAL,
    "right": rigid(np.eye(3), [0.1, -0.05, 0.3]) @ BODY_FROM_OPTICAL,
}
THREE = {
    "front": rigid(np.eye(3), [0.2, 0.0, 0.3]) @ BODY_FROM_OPTICAL,
    "left": rigid(matrix_from_rotation_vector([0.0, 0.0, 1.2]), [0.1, 0.2, 0.3]) @ BODY_FROM_OPTICAL,
    "right": rigid(matrix_from_rotation_vector([0.1, 0.0, -1.2]), [0.1, -0.2, 0.3]) @ BODY_FROM_OPTICAL,
}

Trajectory = Callable[[float], FloatArray]  # seconds -> (4, 4) truth_from_base


def curve(t: float) -> FloatArray:
    return rigid(matrix_from_rotation_vector([0.0, 0.1 * np.sin(t), 0.7 * t]), [np.sin(t), 1 - np.cos(t), 0.2 * t])


def straight(t: float) -> FloatArray:
    return rigid(np.eye(3), [0.5 * t, 0.0, 0.0])


def still(t: float) -> FloatArray:
    return rigid(matrix_from_rotation_vector([0.1, 0.0, 0.4]), [0.5, -0.3, 0.2])


def spin(t: float) -> FloatArray:
    return rigid(matrix_from_rotation_vector([0.0, 0.0, 0.9 * t]), [0.3, 0.1, 0.0])


def depth_of(truth_from_camera: FloatArray, camera: PinholeCamera = CAMERA) -> npt.NDArray[np.float32]:
    """Depth (H, W) float32 of the room's walls, metres."""
    rays = camera.rays() @ truth_from_camera[:3, :3].T
    with np.errstate(divide="ignore"):
        to_walls = (np.sign(rays) * HALF_ROOM - truth_from_camera[:3, 3]) / rays
    return to_walls.min(axis=-1).astype(np.float32)


def random_gauge(generator: np.random.Generator) -> Sim3:
    turn = matrix_from_rotation_vector(generator.normal(size=3))
    return Sim3(float(np.exp(generator.normal())), turn, 3 * generator.normal(size=3))


@dataclass
class OracleWorld:
    """Truth by key, and the `Engine` interface over it.

    `gauges` are those of the answers so far; `spoil` may damage an answer before it leaves.
    """

    rig: Mapping[str, FloatArray]
    trajectory: Trajectory
    seed: int = 0
    spoil: Callable[[int, Prediction], Prediction] | None = None
    gauges: list[Sim3] = field(default_factory=list)

    def pose(self, key: ViewKey) -> FloatArray:
        """(4, 4) truth_from_camera."""
        return self.trajectory(key.stamp_ns * 1e-9) @ self.rig[key.camera]

    def frame(self, camera: str, stamp_ns: int) -> Frame:
        return Frame(camera, stamp_ns, f"{camera}_optical_frame", IMAGE, CAMERA)

    def frames(self, sets: int, first: int = 0) -> list[Frame]:
        """Frames of all cameras, trigger by trigger."""
        return [self.frame(camera, k * PERIOD_NS) for k in range(first, first + sets) for camera in self.rig]

    def estimate(
        self,
        images: Sequence[npt.NDArray[np.uint8]],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: npt.ArrayLike | None = None,
        keys: Sequence[ViewKey] | None = None,
        *,
        effort: Effort = FULL_EFFORT,
    ) -> Prediction:
        assert keys is not None
        gauge = random_gauge(np.random.default_rng((self.seed, len(self.gauges))))
        self.gauges.append(gauge)
        poses = np.stack([self.pose(key) for key in keys])
        camera = HALF_CAMERA if effort.half_resolution else CAMERA
        depth = np.stack([depth_of(pose, camera) for pose in poses])
        prediction = Prediction(
            images=np.stack([image[::2, ::2] for image in images] if effort.half_resolution else images),
            depth=(gauge.scale * depth.astype(np.float64)).astype(np.float32),
            confidence=np.ones(depth.shape, dtype=np.float32),
            window_from_camera=gauge.apply_to_poses(poses),
            cameras=(camera,) * len(keys),
            predicted_cameras=(camera,) * len(keys),
        )
        return prediction if self.spoil is None else self.spoil(len(self.gauges) - 1, prediction)
