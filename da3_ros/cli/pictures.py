# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures a person looks at: image, depth and confidence side by side, and the cloud from above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

mpl.use("Agg")  # before pyplot: there may be no screen
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from da3_ros.geometry.rotation import FloatArray

DEPTH_MAP, CONFIDENCE_MAP, INVALID = "Spectral", "viridis", "#404040"
INK, PAPER = "#222222", "#ffffff"


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One view: (H, W, 3) uint8 RGB, (H, W) depth with NaN for unknown, (H, W) confidence."""

    camera: str
    image: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]


def draw_views(file: Path, panels: Sequence[Panel], title: str, unit: str) -> None:
    """One row per camera: image, depth, confidence; all depths in one colour scale."""
    height, width = panels[0].depth.shape
    cell = 3.2
    size = (3 * cell + 1.2, cell * height / width * len(panels) + 0.9)
    figure, axes = plt.subplots(len(panels), 3, figsize=size, squeeze=False, layout="constrained", facecolor=PAPER)
    depths = np.concatenate([panel.depth[np.isfinite(panel.depth)] for panel in panels])
    near, far = np.percentile(depths, (1, 99)) if depths.size else (0.0, 1.0)
    low, high = _range(np.concatenate([panel.confidence.ravel() for panel in panels]))
    for row, panel in zip(axes, panels, strict=True):
        row[0].imshow(panel.image)
        row[0].set_ylabel(panel.camera, fontsize=11, color=INK)
        depth = row[1].imshow(panel.depth, cmap=_with_invalid(DEPTH_MAP), vmin=near, vmax=far, interpolation="nearest")
        confidence = row[2].imshow(panel.confidence, cmap=CONFIDENCE_MAP, vmin=low, vmax=high, interpolation="nearest")
    for column, heading in zip(axes[0], ("image", "depth", "confidence"), strict=True):
        column.set_title(heading, fontsize=11, color=INK)
    for axis in axes.ravel():
        axis.set_xticks([])
        axis.set_yticks([])
    figure.colorbar(depth, ax=list(axes[:, 1]), location="bottom", shrink=0.8, pad=0.02, label=f"depth ({unit})")
    figure.colorbar(confidence, ax=list(axes[:, 2]), location="bottom", shrink=0.8, pad=0.02, label="confidence")
    figure.suptitle(title, fontsize=12, color=INK)
    _save(figure, file)


def draw_top_view(
    file: Path,
    points: FloatArray,
    colours: npt.NDArray[np.uint8],
    trajectories: Mapping[str, FloatArray],
    title: str,
    unit: str,
) -> None:
    """The cloud seen from above with trajectories on it.

    Args:
        file: where to write.
        points: (N, 3) x forward, y left, z up.
        colours: (N, 3) uint8 RGB.
        trajectories: name -> (T, 3) positions, drawn as lines in the order given.
        title: above the picture.
        unit: of the axes.
    """
    figure, axis = plt.subplots(figsize=(7.2, 6.4), layout="constrained", facecolor=PAPER)
    order = np.argsort(points[:, 2], kind="stable")  # the upper hides the lower
    axis.scatter(points[order, 0], points[order, 1], c=colours[order] / 255.0, s=1.2, linewidths=0, rasterized=True)
    for (name, path), (colour, style) in zip(
        trajectories.items(), (("#d62728", "-"), ("#111111", "--"), ("#1f77b4", ":")), strict=False
    ):
        axis.plot(path[:, 0], path[:, 1], style, color=colour, linewidth=2.0, label=name)
        axis.plot(*path[0, :2], "o", color=colour, markersize=5)
    low, high = np.percentile(points[:, :2], (0.5, 99.5), axis=0)
    margin = 0.05 * float((high - low).max())
    axis.set_xlim(low[0] - margin, high[0] + margin)
    axis.set_ylim(low[1] - margin, high[1] + margin)
    axis.set_aspect("equal")
    axis.set_xlabel(f"x ({unit})")
    axis.set_ylabel(f"y ({unit})")
    axis.set_title(title, fontsize=12, color=INK)
    axis.legend(loc="upper right", framealpha=0.9)
    _save(figure, file)


def _range(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    low, high = np.nanpercentile(values, (1, 99))
    return float(low), float(max(high, low + 1e-3))


def _with_invalid(name: str) -> mpl.colors.Colormap:
    colour_map = mpl.colormaps[name].copy()
    colour_map.set_bad(INVALID)
    return colour_map


def _save(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=130, facecolor=PAPER)
    plt.close(figure)
