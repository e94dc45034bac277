# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A sequence whose truth is exact, and answers to its windows as good as one likes; nothing is rendered for long."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from da3_ros.evaluation.accuracy import Predict
from da3_ros.evaluation.known_frames import HeldFrame, Image, KnownSequence, depth_on
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.sim3 import Sim3
from da3_ros.simulation.furnishing import make_room
from da3_ros.simulation.ray_caster import RayCaster
from da3_ros.simulation.rig import base_from_optical
from da3_ros.simulation.trajectory import Trajectory

SIZE = (42, 56)
CAMERA = PinholeCamera.from_field_of_view(SIZE, 1.2)


@cache
def room_sequence(seed: int = 1, views: int = 6) -> KnownSequence:
    """Views along a curve, every 0.3 s; images are noise, unlike each other."""
    room = make_room(seed)
    caster, path = RayCaster(room), Trajectory("loop", room.walkway)
    generator = np.random.default_rng(seed)
    frames = []
    for view in range(views):
        pose = path.world_from_base(view * 300_000_000) @ base_from_optical((0.0, 0.0, 1.2), 0.0)
        image = generator.integers(0, 255, size=(*SIZE, 3), dtype=np.uint8)
        frames.append(HeldFrame(f"view {view}", CAMERA, pose, image, caster.depth(CAMERA, pose)))
    return KnownSequence(f"room {seed}", "room", tuple(frames))


def knowing_predict(sequences: Sequence[KnownSequence], gauge: Sim3, depth_noise: float = 0.0) -> Predict:
    """Answers with the truth, found by the pixels, in a gauge; depth with noise of this relative size."""
    frames = {frame.read_image().tobytes(): frame for sequence in sequences for frame in sequence.frames}

    def predict(
        images: Sequence[Image], cameras: Sequence[PinholeCamera], camera_from_world: npt.ArrayLike | None = None, /
    ) -> Prediction:
        known = [frames[np.ascontiguousarray(image).tobytes()] for image in images]
        depth = np.stack([depth_on(frame, CAMERA) for frame in known]) * np.float32(1 / gauge.scale)
        noise = np.random.default_rng(3).normal(size=depth.shape)
        poses = gauge.inverse().apply_to_poses(np.stack([frame.world_from_camera for frame in known]))
        return Prediction(
            images=np.stack(images),
            depth=(depth * np.exp(depth_noise * noise)).astype(np.float32),
            confidence=np.ones_like(depth),
            window_from_camera=poses,
            cameras=tuple(cameras),
            predicted_cameras=tuple(cameras),
        )

    return predict
