# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What stands beside a network, so that one sees what its figures are worth: answers that need no learning.

No motion and one constant depth; the mean depth map of other sequences, which knows that floors are near and walls far;
the network itself when it sees one view at a time; and two-view geometry from matched SIFT features.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from da3_ros.evaluation.accuracy import Predict
from da3_ros.evaluation.known_frames import Image
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid, rigid_inverse
from da3_ros.inference.preprocess import Preprocessor

GRID = (48, 64)
_RATIO = 0.8  # of the distances to the best and second match (Lowe 2004, section 7.1)
_RANSAC_PX = 1.0
_SMALL_PX = 320  # narrower images are doubled first: on the rooms' 168 AUC@30 rises from 35 to 48 %
_MIN_MATCHES = 8

FloatMaps = npt.NDArray[np.float32]


def blind_predict(resolution: int) -> Predict:
    """No motion and depth 1 everywhere, on the pixels that a network of this process resolution would see."""
    preprocessor = Preprocessor(resolution)

    def predict(
        images: Sequence[Image], cameras: Sequence[PinholeCamera], camera_from_world: npt.ArrayLike | None = None, /
    ) -> Prediction:
        views = preprocessor.process(images, cameras)
        known = tuple(camera for camera in views.cameras if camera is not None)
        ones = np.ones(views.images.shape[:3], dtype=np.float32)
        poses = np.tile(np.eye(4), (len(images), 1, 1))
        return Prediction(views.images, ones, ones, poses, known, known, has_poses=False)

    return predict


def one_by_one(predict: Predict, images: Sequence[Image], cameras: Sequence[PinholeCamera]) -> FloatMaps:
    """(V, H, W) depth when every view is answered alone, on the pixels of the window of all.

    Answers of unlike sizes are cropped about their middles to the smallest height and width, as `Preprocessor.process`
    does with the images of a window.
    """
    alone = [predict([image], [camera]).depth[0] for image, camera in zip(images, cameras, strict=True)]
    height, width = (min(depth.shape[axis] for depth in alone) for axis in (0, 1))
    corners = [((depth.shape[0] - height) // 2, (depth.shape[1] - width) // 2) for depth in alone]
    return np.stack(
        [depth[top : top + height, left : left + width] for depth, (top, left) in zip(alone, corners, strict=True)]
    )


class MeanDepthMaps:
    """Mean over views of depth divided by its median, on a grid of 48x64 points, without one sequence's own views."""

    def __init__(self) -> None:
        self._sums: dict[str, FloatArray] = {}
        self._counts: dict[str, FloatArray] = {}

    def add(self, sequence: str, depth: FloatMaps) -> None:
        """Take in (V, h, w) depth on the grid (see `on_grid`), NaN where unknown."""
        for view in depth[np.isfinite(depth).any(axis=(1, 2))]:
            known = np.isfinite(view)
            normalised = np.where(known, view / np.median(view[known]), 0.0)
            self._sums[sequence] = self._sums.get(sequence, np.zeros(GRID)) + normalised
            self._counts[sequence] = self._counts.get(sequence, np.zeros(GRID)) + known

    def without(self, sequence: str) -> FloatArray | None:
        """(48, 64) mean of all other sequences, NaN where they know nothing; None when there is no other."""
        others = [name for name in self._sums if name != sequence]
        if not others:
            return None
        total = sum((self._sums[name] for name in others), np.zeros(GRID))
        count = sum((self._counts[name] for name in others), np.zeros(GRID))
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def on_grid(depth: FloatMaps) -> FloatMaps:
    """(V, 48, 64) nearest pixels of (V, H, W)."""
    rows, cols = (
        ((np.arange(points) + 0.5) * side / points).astype(np.intp)
        for points, side in zip(GRID, depth.shape[1:], strict=True)
    )
    return depth[:, rows[:, None], cols]


def essential_motions(images: Sequence[Image], cameras: Sequence[PinholeCamera]) -> FloatArray:
    """Motion between each pair of views from SIFT features and the essential matrix; baselines have length 1.

    Small images are doubled first, which is fair to SIFT.

    Args:
        images: V images (H, W, 3) RGB without distortion.
        cameras: V true cameras of these images.

    Returns:
        (P, 4, 4) rigid `first_from_second` in the order of `pair_motions`; the identity where no motion is found.
    """
    cv2.setRNGSeed(0)
    found = [_features(image, camera) for image, camera in zip(images, cameras, strict=True)]
    motions = []
    for first, second in combinations(range(len(found)), 2):
        (points, described), (others, compared) = found[first], found[second]
        pairs = _matches(described, compared)
        threshold = _RANSAC_PX / (_enlargement(images[first]) * cameras[first].fx_px)
        motions.append(_motion(points[pairs[:, 0]], others[pairs[:, 1]], threshold))
    return np.array(motions).reshape(-1, 4, 4)


def _enlargement(image: Image) -> int:
    return 2 if image.shape[1] < _SMALL_PX else 1


def _features(image: Image, camera: PinholeCamera) -> tuple[FloatArray, npt.NDArray[Any] | None]:
    """(N, 2) places on the plane at z = 1, and (N, 128) descriptors, or None of none."""
    times = _enlargement(image)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    keys, described = cv2.SIFT.create(nfeatures=2000).detectAndCompute(grey, None)
    places = (np.array([key.pt for key in keys]).reshape(-1, 2) + 0.5) / times - 0.5
    return (places - (camera.cx_px, camera.cy_px)) / (camera.fx_px, camera.fy_px), described


def _matches(first: npt.NDArray[Any] | None, second: npt.NDArray[Any] | None) -> npt.NDArray[np.intp]:
    """(M, 2) indices of features that match each other far better than any other."""
    if first is None or second is None or min(len(first), len(second)) < 2:
        return np.empty((0, 2), dtype=np.intp)
    found = cv2.BFMatcher(cv2.NORM_L2).knnMatch(first, second, k=2)
    good = [best for best, other in found if best.distance < _RATIO * other.distance]
    return np.array([(match.queryIdx, match.trainIdx) for match in good], dtype=np.intp).reshape(-1, 2)


def _motion(first: FloatArray, second: FloatArray, threshold: float) -> FloatArray:
    if len(first) < _MIN_MATCHES:
        return np.eye(4)
    essential, inliers = cv2.findEssentialMat(first, second, np.eye(3), cv2.RANSAC, 0.999, threshold)
    if essential is None or essential.shape != (3, 3):
        return np.eye(4)
    _, turn, shift, _ = cv2.recoverPose(essential, first, second, np.eye(3), mask=inliers)
    return rigid_inverse(rigid(turn, np.ravel(shift)))  # OpenCV's is second_from_first
