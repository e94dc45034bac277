# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated rig of three cameras as a source that never ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from da3_ros.geometry.prediction import ViewKey
from da3_ros.simulation.rig import three_camera_rig
from da3_ros.simulation.simulator import Simulation
from da3_ros.sources.source import Source, SourceError, StaticTransform
from da3_ros.streaming.frame import Frame

BASE_FRAME = "base_link"


@lru_cache(maxsize=1)
def simulation(seed: int) -> Simulation:
    """The room of a seed with the rig in it. All truth is a function of seed, camera and stamp."""
    return Simulation(seed, three_camera_rig())


def open_simulation(seed: int, rate_hz: float, cameras: Sequence[str] = ()) -> Source:
    """Frames of the cameras, rendered as they are played.

    Args:
        seed: of the room.
        rate_hz: frame sets per second.
        cameras: which of the rig's, the reference camera first; empty for all.

    Raises:
        SourceError: when the rig has no camera of such a name.
    """
    room = simulation(seed)
    try:
        rig = tuple(room.rig.named(name) for name in cameras) or room.rig.cameras
    except LookupError as error:
        raise SourceError(f"the simulation: {error.args[0]}") from error
    period_ns = round(1e9 / rate_hz)

    def play(start_ns: int | None) -> Iterator[Frame]:
        stamp_ns = start_ns or 0
        while True:
            for camera in rig:
                image = room.view(ViewKey(camera.name, stamp_ns)).image
                yield Frame(camera.name, stamp_ns, camera.frame_id, image, camera.camera)
            stamp_ns += period_ns

    places = tuple(StaticTransform(BASE_FRAME, camera.frame_id, camera.base_from_camera) for camera in rig)
    return Source(tuple(camera.name for camera in rig), 0, play, places)
