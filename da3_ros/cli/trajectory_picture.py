# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Published trajectories from above, beside the truth and the other ways to chain the same windows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")  # before pyplot: there may be no screen
from matplotlib import pyplot as plt

from da3_ros.evaluation.chain_baselines import camera_centres, chain, dense_points
from da3_ros.evaluation.scenario_figures import published_tracks
from da3_ros.evaluation.scenario_runner import Run
from da3_ros.evaluation.trajectory_metrics import trajectory_errors
from da3_ros.geometry.rotation import FloatArray

PANEL_INCHES = 5.2
STYLES = {
    "truth": ("#111111", 2.6, "-"),
    "camera-centre chain": ("#c9a227", 1.0, "-"),
    "point chain": ("#1f77b4", 1.2, "-"),
    "da3_ros": ("#d62728", 1.4, "-"),
}


def draw_trajectories(file: Path, runs: Sequence[Run]) -> None:
    """One panel per run; each trajectory is laid on the truth by its own best Sim(3)."""
    figure, axes = plt.subplots(
        1, len(runs), figsize=(PANEL_INCHES * len(runs), PANEL_INCHES), layout="constrained", squeeze=False
    )
    for axis, run in zip(axes[0], runs, strict=True):
        paths = _paths(run)
        middle = paths["truth"].mean(axis=0)
        # The two directions in which the true path is widest.
        across = np.linalg.svd(paths["truth"] - middle, full_matrices=False)[2][:2]
        for name, (colour, width, line) in STYLES.items():
            x, y = ((paths[name] - middle) @ across.T).T
            axis.plot(x, y, line, color=colour, linewidth=width, label=name)
        spread = np.abs((paths["truth"] - middle) @ across.T).max()
        axis.set(title=run.scenario.title, xlabel="m", xlim=(-1.3 * spread, 1.3 * spread))
        axis.set_ylim(-1.3 * spread, 1.3 * spread)
        axis.set_aspect("equal")
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("m")
    axes[0, -1].legend(loc="upper right", fontsize=8)
    figure.savefig(file, dpi=110, bbox_inches="tight")
    plt.close(figure)


def _paths(run: Run) -> dict[str, FloatArray]:
    """Aligned centres (N, 3), metres."""
    track = next(published_tracks(run))
    paths = {"truth": track.true[:, :3, 3], "da3_ros": _aligned(track.estimated, track.true)}
    for name, step in (("camera-centre chain", camera_centres), ("point chain", dense_points)):
        poses = chain([(played.result.window, played.prediction) for played in run.windows], step)
        true = np.stack([run.scene.truth(key).world_from_camera for key in poses])
        paths[name] = _aligned(np.stack(list(poses.values())), true)
    return paths


def _aligned(estimated: FloatArray, true: FloatArray) -> FloatArray:
    return trajectory_errors(estimated, true).true_from_estimated.apply_to_poses(estimated)[:, :3, 3]
