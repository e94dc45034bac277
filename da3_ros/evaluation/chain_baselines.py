# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How others chain windows, to compare with: each window's Sim(3) from the views it shares with the one before.

`camera_centres` is what most wrappers do. `dense_points` is DA3-Streaming's way (its default settings): points of the
shared pixels whose confidence is not very low, weighted by it, under Huber weights. Neither rejects a window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.prediction import Prediction, ViewKey
from da3_ros.geometry.registration import umeyama
from da3_ros.geometry.rotation import FloatArray, nearest_rotation
from da3_ros.geometry.sim3 import Sim3
from da3_ros.streaming.frame import Window

CONFIDENCE_SHARE = 0.1  # of the smaller median; below it a pixel is left out
HUBER_DELTA = 0.1  # in units of the window before
ITERATIONS = 5
TOLERANCE = 1e-9

Answer = tuple[Window, Prediction]
Step = Callable[[Prediction, Prediction, npt.NDArray[np.intp]], Sim3]


def chain(answers: Sequence[Answer], step: Step) -> dict[ViewKey, FloatArray]:
    """Poses (4, 4) of all views in the gauge of the first window; a view of two windows is taken from the earlier.

    Args:
        answers: windows with predictions, in order; neighbours share views.
        step: `before_from_now` of two predictions and the (N, 2) indices of the views that they share. Where it
            raises DegenerateGeometryError, the window is laid on its first shared camera and keeps the scale; where
            none is shared, it is left where it is.
    """
    world_from_window = Sim3.identity()
    poses: dict[ViewKey, FloatArray] = {}
    for index, (window, prediction) in enumerate(answers):
        if index:
            before_window, before = answers[index - 1]
            world_from_window = world_from_window @ _before_from_now(before_window, before, window, prediction, step)
        placed = world_from_window.apply_to_poses(prediction.window_from_camera)
        for view, pose in zip(window.views, placed, strict=True):
            poses.setdefault(view.key, pose)
    return poses


def camera_centres(before: Prediction, now: Prediction, shared: npt.NDArray[np.intp]) -> Sim3:
    """Umeyama's Sim(3) between the centres of the shared cameras."""
    return umeyama(before.window_from_camera[shared[:, 0], :3, 3], now.window_from_camera[shared[:, 1], :3, 3])


def dense_points(before: Prediction, now: Prediction, shared: npt.NDArray[np.intp]) -> Sim3:
    """Weighted Sim(3) between the points of the shared pixels, five rounds of Huber weights."""
    first, second = before.confidence[shared[:, 0]] - 1, now.confidence[shared[:, 1]] - 1
    least = CONFIDENCE_SHARE * min(float(np.median(first)), float(np.median(second)))
    target, source = _points(before, shared[:, 0]), _points(now, shared[:, 1])
    used = (first > least) & (second > least) & np.isfinite(target).all(-1) & np.isfinite(source).all(-1)
    if not used.any():
        raise DegenerateGeometryError("no pixel is sure in both windows")
    target, source = target[used], source[used]
    given = np.sqrt(first[used] * second[used]).astype(np.float64)
    transform = _weighted_sim3(target, source, given)
    for _ in range(ITERATIONS):
        distance = np.linalg.norm(target - transform.apply(source), axis=1)
        huber = np.minimum(1.0, HUBER_DELTA / np.maximum(distance, HUBER_DELTA))
        previous, transform = transform, _weighted_sim3(target, source, given * huber)
        if np.abs(transform.translation - previous.translation).max() < TOLERANCE:
            break
    return transform


def _weighted_sim3(target: FloatArray, source: FloatArray, weights: FloatArray) -> Sim3:
    """Scale as the ratio of the spreads, which differs from the least-squares one; that is how it is done there."""
    weight = weights / weights.sum()
    target_mean, source_mean = weight @ target, weight @ source
    target_offset, source_offset = target - target_mean, source - source_mean
    spreads = [np.sqrt(weight @ np.sum(offset**2, axis=1)) for offset in (target_offset, source_offset)]
    rotation = nearest_rotation((target_offset * weight[:, None]).T @ source_offset)
    scale = float(spreads[0] / spreads[1])
    return Sim3(scale, rotation, target_mean - scale * (rotation @ source_mean))


def _points(prediction: Prediction, views: npt.NDArray[np.intp]) -> FloatArray:
    """(N, H, W, 3) in the window."""
    points = []
    for view in views:
        pose = prediction.window_from_camera[view]
        rays = prediction.cameras[view].rays() * prediction.depth[view][..., None]
        points.append(rays @ pose[:3, :3].T + pose[:3, 3])
    return np.stack(points)


def _shared(before: Window, now: Window) -> npt.NDArray[np.intp]:
    """(N, 2) index of each shared view in both."""
    known = {view.key: index for index, view in enumerate(before.views)}
    pairs = [(known[view.key], index) for index, view in enumerate(now.views) if view.key in known]
    return np.array(pairs, dtype=np.intp).reshape(-1, 2)


def _before_from_now(before_window: Window, before: Prediction, window: Window, now: Prediction, step: Step) -> Sim3:
    shared = _shared(before_window, window)
    if not len(shared):
        return Sim3.identity()
    try:
        return step(before, now, shared)
    except DegenerateGeometryError:
        before_from_camera, now_from_camera = (
            Sim3.from_rigid(prediction.window_from_camera[view])
            for prediction, view in zip((before, now), shared[0], strict=True)
        )
        return before_from_camera @ now_from_camera.inverse()
