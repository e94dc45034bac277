# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated rig of three cameras as a source that never ends."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from da3_ros.simulation.rig import three_camera_rig
from da3_ros.simulation.simulator import Simulation
from da3_ros.sources.source import Source
from da3_ros.streaming.frame import Frame


@lru_cache(maxsize=1)
def simulation(seed: int) -> Simulation:
    """The room of a seed with the rig in it. All truth is a function of seed, camera and stamp."""
    return Simulation(seed, three_camera_rig())


def open_simulation(seed: int, rate_hz: float) -> Source:
    """Frames of all cameras, rendered as they are played."""
    room = simulation(seed)
    rig = room.rig.cameras
    period_ns = round(1e9 / rate_hz)

    def play(start_ns: int | None) -> Iterator[Frame]:
        stamp_ns = start_ns or 0
        while True:
            for name, view in room.frames_at(stamp_ns).items():
                camera = room.rig.named(name)
                yield Frame(name, stamp_ns, camera.frame_id, view.image, camera.camera)
            stamp_ns += period_ns

    base_from_camera = {camera.frame_id: camera.base_from_camera for camera in rig}
    return Source(tuple(camera.name for camera in rig), 0, play, base_from_camera=base_from_camera)
