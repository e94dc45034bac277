# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How a network in training does on rooms it is not trained on: figures of `da3_ros eval accuracy`, on fewer rooms."""

from __future__ import annotations

import torch

from da3_ros.evaluation.accuracy import WindowTruth, window_accuracy
from da3_ros.evaluation.accuracy_summary import AccuracySummary, summarised
from da3_ros.evaluation.pose_accuracy import MIN_BASELINE_M
from da3_ros.evaluation.room_sequences import room_sequences
from da3_ros.evaluation.true_windows import TrueWindow, draw_windows
from da3_ros.inference.estimator import DepthEstimator
from da3_ros.model.network import Da3Network

VIEWS = 2
THRESHOLD_M = 0.05


class Validation:
    """Keeps the rooms, so that they are rendered once.

    Args:
        rooms: how many.
    """

    def __init__(self, rooms: int) -> None:
        self._rooms = rooms
        self._windows: list[TrueWindow] = []

    def figures(self, network: Da3Network, resolution: int) -> dict[str, float]:
        """Of one window of each room.

        Args:
            network: with its weights.
            resolution: longest side of the images, the one it is trained at.
        """
        summary = self._summary(network, resolution, "camera_head")
        by_rays = self._summary(network, resolution, "rays")
        return {
            "AbsRel": summary.depth["window"].abs_rel,
            "delta1": summary.depth["window"].delta1,
            "rotation, deg": summary.rotation_median_deg,
            "direction, deg": summary.translation_median_deg,
            "AUC@30": summary.auc[30],
            "focal error": summary.focal_error,
            "rotation by rays, deg": by_rays.rotation_median_deg,
            "direction by rays, deg": by_rays.translation_median_deg,
            "AUC@30 by rays": by_rays.auc[30],
        }

    def _summary(self, network: Da3Network, resolution: int, pose_source: str) -> AccuracySummary:
        engine = DepthEstimator(
            network,
            torch.device("cpu"),
            process_resolution=resolution,
            pose_source=pose_source,
            cpu_threads=torch.get_num_threads(),  # as the training has them
        )
        found = []
        for window in self._drawn():
            prediction = engine.estimate(window.read_images(), window.cameras)
            truth = WindowTruth(window.depth_on(prediction.cameras), prediction.cameras, window.world_from_camera)
            found.append((window.sequence, window_accuracy(prediction, truth, MIN_BASELINE_M, THRESHOLD_M)))
        return summarised(found)

    def _drawn(self) -> list[TrueWindow]:
        if not self._windows:
            for sequence, overlap in room_sequences(self._rooms):
                self._windows += draw_windows(sequence, VIEWS, 1, overlap).windows
        return self._windows
