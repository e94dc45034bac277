# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluates windows one after the other, a network beside what needs no learning, and keeps what a report shows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from da3_ros.evaluation.accuracy import (
    AccuracyRules,
    Predict,
    WindowAccuracy,
    WindowTruth,
    depth_accuracy,
    pose_accuracy,
    window_accuracy,
)
from da3_ros.evaluation.accuracy_baselines import GRID, MeanDepthMaps, essential_motions, on_grid, one_by_one
from da3_ros.evaluation.depth_metrics import median_scale, scaled_depth_errors
from da3_ros.evaluation.known_frames import Image
from da3_ros.evaluation.reconstruction_metrics import camera_alignment
from da3_ros.evaluation.true_windows import TrueWindow
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid_inverse

CONSTANT, MEAN_MAP, STANDING = "constant depth", "mean depth of the other sequences", "no motion"
ONE_BY_ONE, POSED = "same network, one view at a time", "same network, true poses given"
FEATURES = "SIFT + essential matrix"
_MOST_FEATURE_VIEWS = 16  # pairs grow with the square
_PICTURED_VIEWS = 2
_PICTURE_SIDE_PX = 240


@dataclass(frozen=True, slots=True, eq=False)
class WindowPicture:
    """The first views of a window, small.

    Attributes:
        images: (v, h, w, 3) uint8 RGB.
        truth: (v, h, w) metres, NaN where unknown.
        predicted: (v, h, w) metres after the window's median scale.
    """

    images: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.float32]
    predicted: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class EvaluatedWindow:
    """What was found of one window.

    Attributes:
        window: which.
        rows: name of what answered -> how accurate it was.
        picture: None where the depth of its views is not known.
        true_centres: (V, 3) of the cameras, metres.
        found_centres: (V, 3) those of the network, aligned to the truth; None without poses or alignment.
    """

    window: TrueWindow
    rows: Mapping[str, WindowAccuracy]
    picture: WindowPicture | None
    true_centres: FloatArray
    found_centres: FloatArray | None


class AccuracyRun:
    """Takes windows; remembers their truth so far as the mean maps need it.

    Args:
        blind: gives the pixels to evaluate on when there is no network.
        network: name and function of what is evaluated; None for the other rows alone.
        rules: of the metrics.
        known_poses: whether the network has a row more, of its answers when it is given the true poses.
    """

    def __init__(
        self,
        blind: Predict,
        network: tuple[str, Predict] | None,
        rules: AccuracyRules,
        known_poses: bool = False,
    ) -> None:
        self._blind, self._network, self._rules = blind, network, rules
        self._known_poses = known_poses
        self._found: list[tuple[EvaluatedWindow, npt.NDArray[np.float32]]] = []

    def add(self, window: TrueWindow) -> None:
        """Evaluate one window.

        Raises:
            DatasetError: when its images or depth cannot be used.
            EngineError: when the network fails.
        """
        images, cameras = window.read_images(), window.cameras
        predict = self._blind if self._network is None else self._network[1]
        prediction, seconds = _timed(predict, images, cameras)
        truth = WindowTruth(window.depth_on(prediction.cameras), prediction.cameras, window.world_from_camera)
        rows: dict[str, WindowAccuracy] = {}
        if self._network is not None:
            rows[self._network[0]] = self._judged(window, prediction, truth, seconds)
            if prediction.has_poses and len(images) > 1:
                rows[ONE_BY_ONE] = WindowAccuracy(depth=depth_accuracy(one_by_one(predict, images, cameras), truth))
                if self._known_poses:
                    posed, seconds = _timed(predict, images, cameras, rigid_inverse(window.world_from_camera))
                    rows[POSED] = self._judged(window, posed, truth, seconds, posed=True)
        rows |= self._unlearned_rows(prediction, truth)
        self._found.append(
            (
                EvaluatedWindow(
                    window,
                    rows,
                    None if self._network is None else _picture(prediction, truth),
                    truth.world_from_camera[:, :3, 3],
                    _aligned_centres(prediction, truth),
                ),
                on_grid(truth.depth),
            )
        )

    def forget(self, sequence: str) -> None:
        """Drop the windows of a sequence."""
        self._found = [(found, points) for found, points in self._found if found.window.sequence != sequence]

    def finish(self) -> list[EvaluatedWindow]:
        """All windows, in order, the mean map among their rows where there is another sequence with depth."""
        maps = MeanDepthMaps()
        for found, points in self._found:
            maps.add(found.window.sequence, points)
        return [_with_mean_map(found, points, maps) for found, points in self._found]

    def _judged(
        self, window: TrueWindow, prediction: Prediction, truth: WindowTruth, seconds: float, *, posed: bool = False
    ) -> WindowAccuracy:
        rules = self._rules
        threshold_m = rules.threshold_of(window.kind)
        return window_accuracy(
            prediction, truth, rules.min_baseline_m, threshold_m, seconds, posed=posed, motions_of=rules.motions_of
        )

    def _unlearned_rows(self, prediction: Prediction, truth: WindowTruth) -> dict[str, WindowAccuracy]:
        rows = {CONSTANT: WindowAccuracy(depth=depth_accuracy(np.ones_like(truth.depth), truth))}
        V, rules = len(truth.depth), self._rules
        if V > 1:
            standing = np.tile(np.eye(4), (V * (V - 1) // 2, 1, 1))
            poses = pose_accuracy(standing, truth, rules.min_baseline_m, rules.motions_of)
            rows[STANDING] = WindowAccuracy(poses=poses)
        # Motions that were found pair by pair are no poses, of which the benchmark's could be made.
        if 1 < V <= _MOST_FEATURE_VIEWS and not rules.benchmark_poses:
            motions = essential_motions(list(prediction.images), truth.cameras)
            rows[FEATURES] = WindowAccuracy(poses=pose_accuracy(motions, truth, rules.min_baseline_m))
        return rows


def _with_mean_map(found: EvaluatedWindow, points: npt.NDArray[np.float32], maps: MeanDepthMaps) -> EvaluatedWindow:
    mean = maps.without(found.window.sequence)
    if mean is None:
        return found
    try:
        depth = scaled_depth_errors(np.broadcast_to(mean, (len(points), *GRID)), points)
    except DegenerateGeometryError:
        return found
    return replace(found, rows={**found.rows, MEAN_MAP: WindowAccuracy(depth=depth)})


def _timed(
    predict: Predict,
    images: Sequence[Image],
    cameras: Sequence[PinholeCamera],
    camera_from_world: FloatArray | None = None,
) -> tuple[Prediction, float]:
    """The answer, and the seconds that it took."""
    begin = time.perf_counter()
    prediction = predict(images, cameras, camera_from_world)
    return prediction, time.perf_counter() - begin


def _picture(prediction: Prediction, truth: WindowTruth) -> WindowPicture | None:
    try:
        scale = median_scale(prediction.depth, truth.depth)
    except DegenerateGeometryError:
        return None
    step = max(-(-max(truth.depth.shape[1:]) // _PICTURE_SIDE_PX), 1)
    small = (slice(0, _PICTURED_VIEWS), slice(step // 2, None, step), slice(step // 2, None, step))
    shown = truth.depth[small].copy()
    if not np.isfinite(shown).any():  # other views of the window may have depth
        return None
    return WindowPicture(
        prediction.images[small].copy(),
        shown,
        prediction.depth[small] * np.float32(scale),
    )


def _aligned_centres(prediction: Prediction, truth: WindowTruth) -> FloatArray | None:
    if not prediction.has_poses:
        return None
    try:
        alignment = camera_alignment(
            prediction.window_from_camera, truth.world_from_camera, prediction.depth, truth.depth
        )
    except DegenerateGeometryError:
        return None
    return alignment.apply(prediction.window_from_camera[:, :3, 3])
