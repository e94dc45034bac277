# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The cloud of everything seen since the start or the last reset, for `~/save_map`; off unless asked for."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Lock

import numpy as np

from da3_ros.geometry.cloud import DepthFilter, clean_depth, organised_cloud
from da3_ros.geometry.ply import write_ply
from da3_ros.geometry.voxel_map import VoxelMap
from da3_ros.streaming.results import ViewResult, WindowResult

_log = logging.getLogger(__name__)


class MapKeeper:
    """Filled by the inference thread, saved by the executor's.

    Args:
        voxel_size: edge of a voxel in the published unit; 0 keeps no map.
        file: where `save` writes; `~` is the user's home.
    """

    def __init__(self, voxel_size: float, file: str) -> None:
        self._voxels = VoxelMap(voxel_size) if voxel_size else None
        self._file = Path(file).expanduser()
        self._lock = Lock()

    def add(self, result: WindowResult, kept: DepthFilter) -> None:
        """Take in the new views of a window; what odometry calls a reset is a new map: other place or other unit."""
        if self._voxels is None:
            return
        for new in result.new_sets:
            if new.odometry is not None and new.odometry.is_reset:
                _log.warning("the track or its unit is a new one: the map begins again")
                self.clear()
            for view in new.views:
                self._add_view(self._voxels, view, kept)

    def clear(self) -> None:
        """Forget the map."""
        if self._voxels is not None:
            with self._lock:
                self._voxels.clear()

    def save(self) -> tuple[bool, str]:
        """Write the map; return whether that succeeded, and one sentence."""
        if self._voxels is None:
            return False, "no map is kept: set map_voxel_size"
        with self._lock:
            points, colours = self._voxels.points()
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_ply(self._file, points, colours)
        except OSError as error:
            return False, f"cannot write the map: {error}"
        return True, f"{len(points)} points in {self._file}"

    def _add_view(self, voxels: VoxelMap, view: ViewResult, kept: DepthFilter) -> None:
        depth = clean_depth(view.depth, view.confidence, kept)
        points = organised_cloud(depth, view.image, view.camera)[..., :3].reshape(-1, 3)
        pose = view.odom_from_camera.astype(np.float32)
        in_world = points @ pose[:3, :3].T + pose[:3, 3]
        with self._lock:
            voxels.add(in_world, view.image.reshape(-1, 3))
