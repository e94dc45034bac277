# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A rig that moves through a furnished room: images, depth and poses of any camera at any stamp."""

from __future__ import annotations

from functools import lru_cache

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import ViewKey, ViewTruth
from da3_ros.geometry.rotation import FloatArray
from da3_ros.simulation.furnishing import make_room
from da3_ros.simulation.ray_caster import RayCaster, View
from da3_ros.simulation.rig import Rig
from da3_ros.simulation.trajectory import Trajectory

CACHED_VIEWS = 32


class Simulation:
    """Renders on demand and keeps the last views.

    Everything is a function of (seed, rig, trajectory, camera name, stamp): two processes that agree on the first three
    agree on all truth. Returned arrays are shared and read-only.
    """

    def __init__(self, seed: int, rig: Rig, trajectory: str = "loop", caster: RayCaster | None = None) -> None:
        """Make the room.

        Args:
            seed: of the room.
            rig: cameras with their image sizes.
            trajectory: name of the path, one of `trajectory.TRAJECTORIES`.
            caster: of this seed's room, which spares making it again; None to make it.
        """
        self.caster = caster or RayCaster(make_room(seed))
        self.rig = rig
        self.trajectory = Trajectory(trajectory, self.caster.room.walkway)
        self._view = lru_cache(maxsize=CACHED_VIEWS)(self._render)
        self._depth = lru_cache(maxsize=CACHED_VIEWS)(self._cast)

    def world_from_base(self, stamp_ns: int) -> FloatArray:
        """(4, 4) float64 rigid pose of base_link, metres."""
        return self.trajectory.world_from_base(stamp_ns)

    def world_from_camera(self, key: ViewKey) -> FloatArray:
        """(4, 4) float64 rigid pose of an optical frame, metres."""
        return self.world_from_base(key.stamp_ns) @ self.rig.named(key.camera).base_from_camera

    def view(self, key: ViewKey) -> View:
        """Image and depth as the camera takes them, lens distortion included."""
        return self._view(key)

    def truth(self, key: ViewKey, camera: PinholeCamera | None = None) -> ViewTruth:
        """Exact depth and pose of one view; needs no image.

        Args:
            key: camera name and stamp.
            camera: intrinsics at which depth is wanted, say those of a rectified, resized or cropped image of the same
                optical frame; the rig's own when None.

        Raises:
            LookupError: when the rig has no such camera.
        """
        return self._depth(key, camera or self.rig.named(key.camera).camera)

    def _render(self, key: ViewKey) -> View:
        view = self.caster.view(self.rig.named(key.camera).camera, self.world_from_camera(key))
        for array in (view.image, view.depth, view.world_from_camera):
            array.setflags(write=False)
        return view

    def _cast(self, key: ViewKey, camera: PinholeCamera) -> ViewTruth:
        pose = self.world_from_camera(key)
        depth = self.caster.depth(camera, pose)
        for array in (depth, pose):
            array.setflags(write=False)
        return ViewTruth(depth, camera, pose)
