# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Results of a run as files."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from da3_ros.cli.pictures import Panel, TopView, draw_top_view, draw_views
from da3_ros.geometry.cloud import DepthFilter, clean_depth, organised_cloud
from da3_ros.geometry.ply import write_ply
from da3_ros.geometry.rotation import FloatArray, quat_xyzw_from_matrix
from da3_ros.streaming.results import SetResult, ViewResult, WindowResult

POINTS_PER_IMAGE = 20_000
CLOUD, PICTURES = "cloud.ply", ("views.png", "cloud_from_above.png")
_VIEW = re.compile(r"(\d{19}|-\d{18})\.npz")  # named by the stamp
_log = logging.getLogger(__name__)
KEPT = DepthFilter(edge_threshold=0.05)


class ResultFiles:
    """Writes views as they come, and what is about all of them at the end.

    Args:
        folder: made if need be; what an earlier run wrote into it is removed, and nothing else.
        cameras: their names, in order.
        title: of the pictures: what answered.
    """

    def __init__(self, folder: Path, cameras: Sequence[str], title: str) -> None:
        self._title = title
        self._folder = folder
        self._cameras = cameras
        self._poses: dict[str, list[tuple[int, FloatArray]]] = {camera: [] for camera in cameras}
        self._points: list[npt.NDArray[np.float32]] = []
        self._colours: list[npt.NDArray[np.uint8]] = []
        self._newest: SetResult | None = None
        self._is_metric = False
        _remove_earlier(folder, cameras)
        for camera in cameras:
            (folder / camera).mkdir(parents=True, exist_ok=True)

    def add(self, result: WindowResult) -> None:
        """Write the views of a window that are new."""
        if result.scale.is_metric != self._is_metric and self._newest is not None and result.report.has_track:
            _log.warning("lengths are in another unit from here on: trajectories and cloud begin again")
            self._poses = {camera: [] for camera in self._cameras}
            self._points.clear()
            self._colours.clear()
        self._is_metric = result.scale.is_metric
        for new in result.new_sets:
            for view in new.views:
                self._add_view(view)
            self._newest = new

    def finish(self) -> None:
        """Write trajectories, cloud and pictures: what there is of them."""
        for camera, poses in self._poses.items():
            if poses:
                lines = "".join(_tum_line(*pose) for pose in poses)
                (self._folder / _trajectory_name(camera)).write_text(lines)
        unit = "metres" if self._is_metric else "units of the first window"
        if self._newest is not None:
            panels = [
                Panel(view.frame.camera, view.image, clean_depth(view.depth, view.confidence, KEPT), view.confidence)
                for view in self._newest.views
            ]
            draw_views(self._folder / PICTURES[0], panels, unit, self._title)
        if not sum(map(len, self._points)) or not self._poses[self._cameras[0]]:
            return
        points, colours = np.concatenate(self._points), np.concatenate(self._colours)
        write_ply(self._folder / CLOUD, points, colours)
        path = np.stack([pose[:3, 3] for _, pose in self._poses[self._cameras[0]]])
        top_view = TopView(points, colours, {self._cameras[0]: path}, unit)
        draw_top_view(self._folder / PICTURES[1], top_view, self._title)

    def _add_view(self, view: ViewResult) -> None:
        camera, stamp_ns = view.frame.camera, view.frame.stamp_ns
        has_pose = bool(np.isfinite(view.odom_from_camera).all())
        arrays: dict[str, npt.NDArray[Any]] = {
            "depth": view.depth,
            "confidence": view.confidence,
            "K": view.camera.matrix,
        }
        if has_pose:
            arrays["world_from_camera"] = view.odom_from_camera
        if view.sky is not None:
            arrays["sky"] = view.sky
        np.savez_compressed(self._folder / camera / f"{stamp_ns:019d}.npz", **arrays)  # type: ignore[arg-type]
        if not has_pose:
            return
        self._poses[camera].append((stamp_ns, view.odom_from_camera))
        cloud = organised_cloud(clean_depth(view.depth, view.confidence, KEPT), view.image, view.camera).reshape(-1, 4)
        known = np.flatnonzero(np.isfinite(cloud[:, 2]))
        kept = known[:: max(len(known) // POINTS_PER_IMAGE, 1)]
        pose = view.odom_from_camera
        self._points.append((cloud[kept, :3] @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32))
        self._colours.append(view.image.reshape(-1, 3)[kept])


def _remove_earlier(folder: Path, cameras: Sequence[str]) -> None:
    """Remove what a run writes, of these cameras and of those that an earlier run left views of."""
    views = [file for file in folder.glob("*/*.npz") if _VIEW.fullmatch(file.name)]
    before = {file.parent for file in views}
    names = {*cameras, *(place.name for place in before)}
    for file in (*views, *(folder / name for name in (CLOUD, *PICTURES, *map(_trajectory_name, names)))):
        file.unlink(missing_ok=True)
    for place in before:
        with suppress(OSError):  # it holds what is not ours
            place.rmdir()


def _trajectory_name(camera: str) -> str:
    return f"trajectory_{camera}.txt"


def _tum_line(stamp_ns: int, world_from_camera: FloatArray) -> str:
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    numbers = (*world_from_camera[:3, 3], *quat_xyzw_from_matrix(world_from_camera[:3, :3]))
    return f"{seconds}.{nanoseconds:09d} " + " ".join(f"{number:.9g}" for number in numbers) + "\n"
