# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows whose views err exactly as they are told to: normally, each by itself, and in nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.pose_errors import ViewNoise
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_vector_from_matrix
from da3_ros.geometry.sim3 import Sim3, rigid
from da3_ros.streaming import track as tracks
from da3_ros.streaming.frame import Frame, FrameSet, Window
from da3_ros.streaming.track import Alignment
from test.streaming.oracle_world import PERIOD_NS, Trajectory, random_gauge

# Little more pixels than a depth ratio takes, all at one depth: only the scale of a depth image is under test.
SIZE = (6, 6)
CAMERA = PinholeCamera.from_field_of_view(SIZE, np.deg2rad(80))
IMAGE = np.zeros((*SIZE, 3), dtype=np.uint8)
SCENE_DEPTH_M = 3.0
NOISE = ViewNoise(rotation_rad=3.5e-3, centre=0.01, log_depth=5e-3)  # metres


def stretched(noise: ViewNoise, factor: float) -> ViewNoise:
    """The same noise in another unit of length."""
    return replace(noise, centre=noise.centre * factor)


def view_errors(true_from_camera: FloatArray, from_camera: FloatArray) -> FloatArray:
    """(N, 6) rotation vector and centre: true minus found."""
    turns = rotation_vector_from_matrix(true_from_camera[:, :3, :3] @ from_camera[:, :3, :3].swapaxes(1, 2))
    return np.concatenate((turns, true_from_camera[:, :3, 3] - from_camera[:, :3, 3]), axis=1)


@dataclass
class DrawnWorld:
    """A rig on its way, and what a noisy engine says of it; `gauges` are window_from_truth of the answers so far."""

    rig: Mapping[str, FloatArray]
    trajectory: Trajectory
    seed: int = 0
    noise: ViewNoise = NOISE
    gauge_seed: int = 0
    gauges: list[Sim3] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._generator = np.random.default_rng(self.seed)
        self._gauge_generator = np.random.default_rng((self.gauge_seed, 1))
        self._sets: dict[int, FrameSet] = {}

    def frame_set(self, index: int) -> FrameSet:
        """The same object for the same index."""
        if index not in self._sets:
            frames = tuple(Frame(name, index * PERIOD_NS, name, IMAGE, CAMERA) for name in self.rig)
            self._sets[index] = FrameSet(index, index * PERIOD_NS, frames)
        return self._sets[index]

    def window(self, indices: Iterable[int]) -> Window:
        sets = tuple(self.frame_set(index) for index in indices)
        return Window(sets[-1].index, sets)

    def truth(self, frames: Iterable[Frame]) -> FloatArray:
        """(N, 4, 4) truth_from_camera."""
        return np.stack([self.trajectory(frame.stamp_ns * 1e-9) @ self.rig[frame.camera] for frame in frames])

    def predict(self, window: Window) -> Prediction:
        gauge = random_gauge(self._gauge_generator)
        self.gauges.append(gauge)
        errors = self._generator.normal(size=(len(window.views), 7)) * np.sqrt(self.noise.variances)
        true = self.truth(window.views)
        poses = rigid(matrix_from_rotation_vector(-errors[:, :3]) @ true[:, :3, :3], true[:, :3, 3] - errors[:, 3:6])
        depth = np.multiply.outer(gauge.scale * SCENE_DEPTH_M * np.exp(-errors[:, 6]), np.ones(SIZE))
        return Prediction(
            images=np.broadcast_to(IMAGE, (len(true), *IMAGE.shape)),
            depth=depth.astype(np.float32),
            confidence=np.ones(depth.shape, dtype=np.float32),
            window_from_camera=gauge.apply_to_poses(poses),
            cameras=(CAMERA,) * len(true),
            predicted_cameras=(CAMERA,) * len(true),
        )


class Chain:
    """A track over drawn windows that knows the truth; noise is told as it is."""

    def __init__(self, world: DrawnWorld, first: Iterable[int]) -> None:
        self.world = world
        window = world.window(first)
        prediction = world.predict(window)
        # The world's unit is that of the first gauge: metres times this.
        self.units_per_metre = world.gauges[0].scale
        self.noise = stretched(NOISE, self.units_per_metre)
        self.track = tracks.begin(window, prediction, self.noise)
        self.world_from_truth = world.gauges[0]  # by the base

    def align(self, indices: Iterable[int]) -> tuple[Window, Prediction, Alignment]:
        window = self.world.window(indices)
        prediction = self.world.predict(window)
        shared = tracks.shared_views(self.track, window, prediction)
        return window, prediction, tracks.align(self.track, prediction, shared, self.noise)

    def take(self, indices: Iterable[int], kept: Iterable[int] = (), rebase: bool = True) -> Alignment:
        window, prediction, alignment = self.align(indices)
        keep = [self.world.frame_set(index) for index in kept]
        self.track = tracks.extended(self.track, window, prediction, alignment, self.noise, keep, rebase)
        self.world_from_truth = (
            alignment.world_from_window @ self.world.gauges[-1] if rebase else alignment.stretch @ self.world_from_truth
        )
        return alignment

    def state_errors(self) -> FloatArray:
        """(7N + 1,) true minus found."""
        true = self.world_from_truth.apply_to_poses(self.world.truth(self.track.views))
        found = np.array([samples.depth[0] for samples in self.track.samples])
        depth = np.log(self.world_from_truth.scale * SCENE_DEPTH_M / found)
        views = np.concatenate((view_errors(true, self.track.world_from_camera), depth[:, None]), axis=1)
        return np.append(views.ravel(), np.log(self.world_from_truth.scale / self.units_per_metre))
