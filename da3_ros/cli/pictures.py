# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures a person looks at: image, depth and confidence side by side, and the cloud from above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

mpl.use("Agg")  # before pyplot: there may be no screen
from matplotlib import pyplot as plt
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage

from da3_ros.geometry.rotation import FloatArray

DEPTH_MAP, CONFIDENCE_MAP, INVALID = "Spectral", "viridis", "#404040"
CUT_BELOW_CEILING = 0.15  # share of the height that is taken off, so that one can look into a room
PAPER, CELL_INCHES = "#ffffff", 3.2
TRAJECTORY_STYLES = (("#d62728", "-"), ("#111111", "--"), ("#1f77b4", ":"))


@dataclass(frozen=True, slots=True, eq=False)
class TopView:
    """A cloud with trajectories on it.

    Attributes:
        points: (N, 3) x forward, y left, z up.
        colours: (N, 3) uint8 RGB.
        trajectories: name -> (T, 3) positions, drawn in this order.
        unit: of all lengths.
    """

    points: FloatArray
    colours: npt.NDArray[np.uint8]
    trajectories: Mapping[str, FloatArray]
    unit: str


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One view: (H, W, 3) uint8 RGB, (H, W) depth with NaN for unknown, (H, W) confidence."""

    camera: str
    image: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]


def draw_views(file: Path, panels: Sequence[Panel], unit: str, title: str) -> None:
    """One row per camera: image, depth, confidence; all cameras share the colour scales."""
    height, width = panels[0].depth.shape
    size = (3 * CELL_INCHES + 1.2, CELL_INCHES * height / width * len(panels) + 0.7)
    figure = plt.figure(figsize=size, layout="constrained", facecolor=PAPER)
    _views_on(figure, panels, unit, columns=("image", "depth", "confidence"))
    save_figure(figure, file, title)


def draw_top_view(file: Path, view: TopView, title: str) -> None:
    """The cloud seen from above."""
    figure = plt.figure(figsize=(7.2, 6.4), layout="constrained", facecolor=PAPER)
    _top_view_on(figure, view)
    save_figure(figure, file, title)


def draw_overview(file: Path, panels: Sequence[Panel], view: TopView, title: str) -> None:
    """Image and depth of every camera, and beside them the cloud from above."""
    height, width = panels[0].depth.shape
    is_stacked = len(panels) == 1  # image above depth, so that the cloud is not small beside them
    across, down = (1.2, 2) if is_stacked else (2, len(panels))
    rows_inches = CELL_INCHES * height / width * down + 0.7
    figure = plt.figure(figsize=(across * CELL_INCHES + 1.1 * rows_inches, rows_inches), layout="constrained")
    halves = figure.subfigures(1, 2, width_ratios=(across * CELL_INCHES, 1.1 * rows_inches), squeeze=False)
    _views_on(halves[0, 0], panels, view.unit, columns=("image", "depth"), is_stacked=is_stacked)
    _top_view_on(halves[0, 1], view)
    save_figure(figure, file, title)


def _views_on(
    figure: FigureBase, panels: Sequence[Panel], unit: str, columns: Sequence[str], *, is_stacked: bool = False
) -> None:
    shape = (len(columns), len(panels)) if is_stacked else (len(panels), len(columns))
    axes = figure.subplots(*shape, squeeze=False)
    axes = axes.T if is_stacked else axes
    near, far = _range(np.concatenate([panel.depth[np.isfinite(panel.depth)] for panel in panels]))
    low, high = _range(np.concatenate([panel.confidence.ravel() for panel in panels]))
    for row, panel in zip(axes, panels, strict=True):
        row[0].imshow(panel.image)
        row[0].set_ylabel(panel.camera, fontsize=11)
        depth = row[1].imshow(panel.depth, cmap=_with_invalid(DEPTH_MAP), vmin=near, vmax=far, interpolation="nearest")
        if len(columns) > 2:
            sure = row[2].imshow(panel.confidence, cmap=CONFIDENCE_MAP, vmin=low, vmax=high, interpolation="nearest")
    for axis, heading in zip(axes[0], columns, strict=True):
        axis.set_title(heading, fontsize=11)
    for axis in axes.ravel():
        axis.set_xticks([])
        axis.set_yticks([])
    _scale_below(figure, depth, axes[:, 1], f"depth ({unit})")
    if len(columns) > 2:
        _scale_below(figure, sure, axes[:, 2], "confidence")


def _scale_below(figure: FigureBase, image: AxesImage, column: npt.NDArray[Any], label: str) -> None:
    figure.colorbar(image, ax=list(column), label=label, location="bottom", shrink=0.8, pad=0.02)


def _top_view_on(figure: FigureBase, view: TopView) -> None:
    axis = figure.subplots()
    floor, ceiling = np.percentile(view.points[:, 2], (1, 99))
    order = np.argsort(view.points[:, 2], kind="stable")  # the upper hides the lower
    order = order[view.points[order, 2] < ceiling - CUT_BELOW_CEILING * (ceiling - floor)]
    x, y = view.points[order, 0], view.points[order, 1]
    axis.scatter(x, y, c=view.colours[order] / 255.0, s=1.2, linewidths=0, rasterized=True)
    for (name, path), (colour, style) in zip(view.trajectories.items(), TRAJECTORY_STYLES, strict=False):
        axis.plot(path[:, 0], path[:, 1], style, color=colour, linewidth=2.0, label=name)
        axis.plot(*path[0, :2], "o", color=colour, markersize=5)
    low, high = np.percentile(view.points[:, :2], (0.5, 99.5), axis=0)
    margin = 0.05 * float((high - low).max())
    axis.set_xlim(low[0] - margin, high[0] + margin)
    axis.set_ylim(low[1] - margin, high[1] + margin)
    axis.set_aspect("equal")
    axis.set_xlabel(f"x ({view.unit})")
    axis.set_ylabel(f"y ({view.unit})")
    axis.set_title("cloud and trajectory from above", fontsize=11)
    # Below, where no part of the cloud lies.
    figure.legend(loc="outside lower center", ncols=len(view.trajectories), frameon=False)


def _range(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    if not np.isfinite(values).any():
        return 0.0, 1.0
    low, high = np.nanpercentile(values, (1, 99))
    return float(low), float(max(high, low + 1e-3))


def _with_invalid(name: str) -> mpl.colors.Colormap:
    return mpl.colormaps[name].with_extremes(bad=INVALID)


def save_figure(figure: Figure, file: Path, title: str) -> None:
    """Write a figure with its title, and forget it."""
    figure.suptitle(title, fontsize=11)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=130, facecolor=PAPER)
    plt.close(figure)
