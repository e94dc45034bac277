# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Older frame sets that new windows hold as well: they keep a slow robot from drifting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from da3_ros.geometry.prediction import ViewKey
from da3_ros.geometry.rotation import FloatArray, rotation_angle
from da3_ros.streaming.frame import FrameSet

# An anchor is near while the newest view has turned and moved (by the scene's depth) less than this against it.
TURN_RAD = 0.7
SHIFT_DEPTHS = 0.25
# Views of anchors that are kept at most; the oldest go first. And how many near ones there should be.
MAX_VIEWS = 30
NEAR = 3


class Anchors:
    """Chooses frame sets to be kept, and those of them that see what the newest one sees.

    Attributes:
        kept: all of them, oldest first.
        near: those that a window should hold; the first stays the first while it is near.
    """

    def __init__(self) -> None:
        self.kept: tuple[FrameSet, ...] = ()
        self.near: tuple[FrameSet, ...] = ()

    def begin(self, frame_set: FrameSet) -> None:
        """Forget all but one."""
        self.kept = self.near = (frame_set,)

    def follow(
        self,
        newest: FrameSet,
        camera: str,
        world_from_newest: FloatArray,
        poses: Mapping[ViewKey, FloatArray],
        scene_depth: float,
    ) -> bool:
        """Choose anew after a good window.

        Args:
            newest: its newest frame set that can be trusted.
            camera: one of its cameras that can be trusted.
            world_from_newest: (4, 4) rigid, that camera in that set.
            poses: (4, 4) of every view of the kept sets.
            scene_depth: median, world units.

        Returns:
            Whether the first of the near ones is another than before.
        """
        first = self.near[0]
        seen = [(kept, poses[frame.key]) for kept in self.kept for frame in kept.frames if frame.camera == camera]
        near: list[FrameSet] = []
        if seen:
            distances = _distances(world_from_newest, np.stack([pose for _, pose in seen]), scene_depth)
            near = [kept for (kept, _), distance in zip(seen, distances, strict=True) if distance < 1.0]
        near.sort(key=lambda frame_set: frame_set is not first)  # stable: the others stay oldest first
        del near[NEAR:]
        if len(near) < NEAR and newest not in near:
            near.append(newest)
            if newest not in self.kept:
                self._keep(newest, near)
        self.near = tuple(near)
        return near[0] is not first

    def _keep(self, newest: FrameSet, near: Sequence[FrameSet]) -> None:
        """One more; where there is no place for it, the oldest go that are not near."""
        far = [one for one in self.kept if one not in near]
        views = sum(len(one.frames) for one in (*self.kept, newest))
        gone = set()
        while far and views > MAX_VIEWS:
            oldest = far.pop(0)
            gone.add(oldest.index)
            views -= len(oldest.frames)
        self.kept = tuple(one for one in (*self.kept, newest) if one.index not in gone)


def _distances(world_from_camera: FloatArray, world_from_others: FloatArray, scene_depth: float) -> FloatArray:
    """(N,) of a view (4, 4) from N others, 1 where it sees too little of them."""
    turns = rotation_angle(world_from_camera[:3, :3].T @ world_from_others[:, :3, :3])
    shifts = np.linalg.norm(world_from_others[:, :3, 3] - world_from_camera[:3, 3], axis=1)
    return np.maximum(turns / TURN_RAD, shifts / (SHIFT_DEPTHS * scene_depth))
