# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A picture of new views: the true images, and beside them what was rendered and where it errs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np

from da3_ros.cli.pictures import CELL_INCHES, PAPER, plt, save_figure
from da3_ros.evaluation.rendering import RenderedView
from da3_ros.simulation.ray_caster import View

ERROR_MAP, MOST_ERROR = "magma", 0.25
TITLE_LETTERS = 36


def draw_renderings(file: Path, held_out: Sequence[View], rendered: Mapping[str, Sequence[RenderedView]]) -> None:
    """One row per held-out view: truth, then rendering and error of each kind of Gaussians."""
    H, W = held_out[0].camera.size
    columns = 1 + 2 * len(rendered)
    size = (CELL_INCHES * columns + 0.6, (CELL_INCHES * H / W + 0.2) * len(held_out) + 0.8)
    figure, axes = plt.subplots(
        len(held_out), columns, figsize=size, squeeze=False, layout="constrained", facecolor=PAPER
    )
    axes[0, 0].set_title("truth", fontsize=11)
    for row, view in zip(axes, held_out, strict=True):
        row[0].imshow(view.image)
    for index, (name, views) in enumerate(rendered.items()):
        image_axes, error_axes = axes[:, 1 + 2 * index], axes[:, 2 + 2 * index]
        image_axes[0].set_title(fill(name, TITLE_LETTERS), fontsize=11)
        error_axes[0].set_title("error", fontsize=11)
        for top, beside, mine, truth in zip(image_axes, error_axes, views, held_out, strict=True):
            top.imshow(mine.image)
            error = np.abs(mine.image - truth.image / 255).mean(axis=-1)
            shown = beside.imshow(error, cmap=ERROR_MAP, vmin=0, vmax=MOST_ERROR)
            beside.set_xlabel(f"{mine.psnr_db:.1f} dB", fontsize=10)
    for axis in axes.ravel():
        axis.set_xticks([])
        axis.set_yticks([])
    figure.colorbar(shown, ax=list(axes[:, -1]), label="absolute error of colours in 0..1", extend="max", shrink=0.8)
    save_figure(figure, file, "New views rendered from Gaussians of other views")
