# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's room, seen by the demo's cameras on the demo's paths, as sequences to evaluate on.

Training may have seen the room, from other places: `simulation.demo_views`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.evaluation.known_frames import Image, KnownRig, KnownSequence
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import ViewKey
from da3_ros.geometry.rotation import FloatArray
from da3_ros.simulation.demo_views import DEMO_ROOM
from da3_ros.simulation.furnishing import make_room
from da3_ros.simulation.ray_caster import RayCaster
from da3_ros.simulation.rig import three_camera_rig
from da3_ros.simulation.simulator import Simulation
from da3_ros.simulation.trajectory import PERIOD_NS

PATHS = ("loop", "handheld", "line")
CAMERAS = 3
DEMO_SEQUENCES = len(PATHS) * CAMERAS
FRAMES = 48  # of one round: half a second from one to the next


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedFrame:
    """A KnownFrame that is rendered when it is asked for."""

    name: str
    simulation: Simulation
    key: ViewKey

    @property
    def calibration(self) -> PinholeCamera:
        """See `KnownFrame.calibration`."""
        return self.simulation.rig.named(self.key.camera).camera

    @property
    def world_from_camera(self) -> FloatArray:
        """See `KnownFrame.world_from_camera`."""
        return self.simulation.world_from_camera(self.key)

    @property
    def has_depth(self) -> bool:
        """Always."""
        return True

    def read_image(self) -> Image:
        """See `KnownFrame.read_image`."""
        return self.simulation.view(self.key).image

    def read_depth(self) -> npt.NDArray[np.float32]:
        """See `KnownFrame.read_depth`."""
        return self.simulation.truth(self.key).depth


def demo_sequences() -> Iterator[KnownSequence]:
    """One sequence for each path and camera."""
    for rig in demo_rigs():
        yield from rig.cameras


def demo_rigs() -> Iterator[KnownRig]:
    """The cameras of each path together."""
    caster = RayCaster(make_room(DEMO_ROOM))
    for path in PATHS:
        simulation = Simulation(DEMO_ROOM, three_camera_rig(), path, caster)
        cameras = tuple(_sequence(simulation, f"demo, {path}", camera.name) for camera in simulation.rig.cameras)
        yield KnownRig(f"demo, {path}, all cameras", cameras)


def _sequence(simulation: Simulation, path: str, camera: str) -> KnownSequence:
    name = f"{path}, {camera}"
    keys = (ViewKey(camera, PERIOD_NS * number // FRAMES) for number in range(FRAMES))
    frames = (SimulatedFrame(f"{name}, frame {number}", simulation, key) for number, key in enumerate(keys))
    return KnownSequence(name, "room", tuple(frames))
