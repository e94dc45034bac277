# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras without a common trigger, moved to one instant by the motion that their own window shows."""

from __future__ import annotations

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_vector_from_matrix
from da3_ros.streaming.frame import Window

# Frames of one set are taken to be simultaneous within this time.
SIMULTANEOUS_NS = 1_000_000


def at_set_stamps(window: Window, a_from_camera: FloatArray) -> FloatArray:
    """Where the cameras were when the reference camera of their frame set saw.

    Each camera moves steadily from one of its frames to the next. One that is seen in a single set stays.

    Args:
        window: V views.
        a_from_camera: (V, 4, 4) rigid, each at its own frame's stamp.

    Returns:
        (V, 4, 4), each at its frame set's stamp; the given poses where that is the same.
    """
    apart = [frame.stamp_ns - one.stamp_ns for one in window.frame_sets for frame in one.frames]
    if max(map(abs, apart)) <= SIMULTANEOUS_NS:
        return a_from_camera
    moved = a_from_camera.copy()
    views = window.views
    by_camera: dict[str, list[int]] = {}
    for view, frame in enumerate(views):
        by_camera.setdefault(frame.camera, []).append(view)
    for of_camera in by_camera.values():
        for at, view in enumerate(of_camera):
            other = of_camera[at + 1] if at + 1 < len(of_camera) else of_camera[at - 1]
            time_ns = views[other].stamp_ns - views[view].stamp_ns
            if time_ns:
                moved[view] = _between(a_from_camera[view], a_from_camera[other], -apart[view] / time_ns)
    return moved


def _between(a_from_b: FloatArray, a_from_c: FloatArray, share: float) -> FloatArray:
    """(4, 4) on the way from one pose to another: 0 is the first, 1 the second; beyond is extrapolated."""
    turn = rotation_vector_from_matrix(a_from_b[:3, :3].T @ a_from_c[:3, :3])
    between = a_from_b.copy()
    between[:3, :3] = a_from_b[:3, :3] @ matrix_from_rotation_vector(share * turn)
    between[:3, 3] += share * (a_from_c[:3, 3] - a_from_b[:3, 3])
    return between
