# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Places and motions whose truth is known: simulated rooms, and recorded sequences with sensor depth.

Nothing is rendered: frames carry black images, and the oracle is asked by camera and stamp.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from da3_ros.evaluation.datasets import DatasetError, load_dataset
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import ViewKey, ViewTruth
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid_inverse
from da3_ros.inference.depth_sampling import sample_depth
from da3_ros.simulation.furnishing import make_room
from da3_ros.simulation.ray_caster import RayCaster
from da3_ros.simulation.rig import Rig, base_from_optical
from da3_ros.simulation.trajectory import Trajectory
from da3_ros.streaming.frame import Frame

PATCH_PX = 14
SIZE = (4 * PATCH_PX, 6 * PATCH_PX)  # (H, W) of all simulated images: nothing is resampled on the way
LONGEST_SIDE_PX = max(SIZE)
START_NS = 1_000_000_000
_BASE_FROM_CAMERA = base_from_optical((0.0, 0.0, 0.0), 0.0)  # of a recorded camera

Pace = Callable[[float], float]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Cameras that move through something known.

    Attributes:
        calibrations: of every camera, in the order of the rig.
        base_from_camera: (4, 4) rigid by camera, metres.
        stamps_ns: instants at which all cameras take an image, ascending.
        world_from_base: stamp -> (4, 4) rigid, metres; in recorded scenes only for `stamps_ns`.
        truth: of any view at one of the stamps.
    """

    calibrations: Mapping[str, PinholeCamera]
    base_from_camera: Mapping[str, FloatArray]
    stamps_ns: tuple[int, ...]
    world_from_base: Callable[[int], FloatArray]
    truth: Callable[[ViewKey], ViewTruth]

    def frames(self) -> Iterator[Frame]:
        """All frames in the order in which they are taken."""
        images = {name: np.zeros((*camera.size, 3), np.uint8) for name, camera in self.calibrations.items()}
        for stamp_ns in self.stamps_ns:
            for name, camera in self.calibrations.items():
                yield Frame(name, stamp_ns, f"{name}_optical_frame", images[name], camera)

    @property
    def path_length_m(self) -> float:
        """Distance that the base travels."""
        centres = np.array([self.world_from_base(stamp_ns)[:3, 3] for stamp_ns in self.stamps_ns])
        return float(np.linalg.norm(np.diff(centres, axis=0), axis=1).sum())


def steadily(seconds: float) -> float:
    """The pace of the trajectory itself."""
    return seconds


def stop_and_go(seconds: float) -> float:
    """Drive for four seconds, stand for two, and so on."""
    rounds, rest = divmod(seconds, 6.0)
    return 3.0 * (rounds + _eased(rest / 4.0))


def arrive(seconds: float) -> float:
    """Drive for eight seconds, then stand for good."""
    return 6.0 * _eased(seconds / 8.0)


def simulated_scene(
    rig: Rig, trajectory: str, seconds: float, *, rate_hz: float = 10.0, pace: Pace = steadily, room: int = 1
) -> Scene:
    """A rig in a furnished room.

    Args:
        rig: with images of SIZE.
        trajectory: one of `simulation.trajectory.TRAJECTORIES`.
        seconds: how long.
        rate_hz: of the cameras.
        pace: seconds since the start -> seconds of the trajectory, for other speeds along the same path.
        room: seed of the room.
    """
    furnished = make_room(room)
    path, caster = Trajectory(trajectory, furnished.walkway), RayCaster(furnished)
    stamps_ns = tuple(START_NS + round(index * 1e9 / rate_hz) for index in range(round(seconds * rate_hz)))

    def world_from_base(stamp_ns: int) -> FloatArray:
        return path.world_from_base(round(pace((stamp_ns - START_NS) * 1e-9) * 1e9))

    @cache  # a scene is small, and seeds share it
    def truth(key: ViewKey) -> ViewTruth:
        mounted = rig.named(key.camera)
        pose = world_from_base(key.stamp_ns) @ mounted.base_from_camera
        return ViewTruth(caster.depth(mounted.camera, pose), mounted.camera, pose)

    return Scene(
        {camera.name: camera.camera for camera in rig.cameras},
        {camera.name: camera.base_from_camera for camera in rig.cameras},
        stamps_ns,
        world_from_base,
        truth,
    )


def recorded_scene(folder: Path, *, rate_hz: float = 10.0) -> Scene:
    """The first camera of a recorded sequence, as far as it has depth; its frames get stamps at a steady rate.

    Raises:
        DatasetError: when the folder is no data set, or has no depth.
    """
    frames = [frame for frame in load_dataset(folder) if frame.depth_file is not None]
    if not frames:
        raise DatasetError(f"{folder} has no depth images: it cannot serve as truth")
    name = frames[0].camera
    by_stamp = {START_NS + round(frame.index * 1e9 / rate_hz): frame for frame in frames if frame.camera == name}
    calibration = _small(frames[0].calibration)

    @cache
    def truth(key: ViewKey) -> ViewTruth:
        frame = by_stamp[key.stamp_ns]
        if frame.depth_file is None:
            raise LookupError(f"{frame.image_path} has no depth image")
        as_recorded = ViewTruth(frame.depth_file.read(), frame.calibration, frame.world_from_camera)
        return ViewTruth(sample_depth(as_recorded, calibration), calibration, frame.world_from_camera)

    def world_from_base(stamp_ns: int) -> FloatArray:
        return by_stamp[stamp_ns].world_from_camera @ rigid_inverse(_BASE_FROM_CAMERA)

    stamps_ns = tuple(sorted(by_stamp))
    return Scene({name: calibration}, {name: _BASE_FROM_CAMERA}, stamps_ns, world_from_base, truth)


def _eased(share: float) -> float:
    """From 0 to 1 without a jump in speed or acceleration (Perlin's 6 t^5 - 15 t^4 + 10 t^3)."""
    t = min(max(share, 0.0), 1.0)
    return t**3 * (10 + t * (6 * t - 15))


def _small(camera: PinholeCamera) -> PinholeCamera:
    scale = LONGEST_SIDE_PX / max(camera.size)
    height, width = (max(round(side * scale / PATCH_PX), 1) * PATCH_PX for side in camera.size)
    return camera.resized((height, width))
