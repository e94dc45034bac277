# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of `da3_ros eval accuracy` as bytes of image files: views, curves, paths from above."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from da3_ros.cli.pictures import DEPTH_MAP, INVALID
from da3_ros.evaluation.accuracy_run import EvaluatedWindow, WindowPicture
from da3_ros.geometry.rotation import FloatArray

ERROR_MAP, LARGEST_ERROR = "magma", 0.5  # relative; larger ones look alike
_CURVE_DEG = 30
_SCALE_PX = 256
_COLOURS = ("#1a6fb5", "#d9822b", "#5a8f3c", "#a0457a", "#777777", "#c0392b", "#17a2a2", "#8a6d3b")


@dataclass(frozen=True, slots=True)
class ShownView:
    """One view as image files.

    Attributes:
        image: JPEG.
        truth: PNG, as all that follow.
        predicted: by the same colours.
        error: relative, 0 to LARGEST_ERROR.
    """

    image: bytes
    truth: bytes
    predicted: bytes
    error: bytes


@dataclass(frozen=True, slots=True)
class ShownWindow:
    """Views of one window that share a colour scale from `near_m` to `far_m`."""

    views: tuple[ShownView, ...]
    near_m: float
    far_m: float


def shown_window(picture: WindowPicture) -> ShownWindow:
    """Colour the depth of a window; the scale spans its truth, of which a pixel at least must be known."""
    known = picture.truth[np.isfinite(picture.truth)]
    near, far = (float(value) for value in np.percentile(known, (1, 99)))
    far = max(far, near + 1e-3)
    views = []
    for image, truth, predicted in zip(picture.images, picture.truth, picture.predicted, strict=True):
        error = np.abs(predicted - truth) / truth
        views.append(
            ShownView(
                _encoded(image, ".jpg"),
                _encoded(_coloured(truth, DEPTH_MAP, near, far), ".png"),
                _encoded(_coloured(predicted, DEPTH_MAP, near, far), ".png"),
                _encoded(_coloured(error, ERROR_MAP, 0.0, LARGEST_ERROR), ".png"),
            )
        )
    return ShownWindow(tuple(views), near, far)


def scale_strip(name: str) -> bytes:
    """PNG of a colour map from left to right, one pixel high."""
    return _encoded(_coloured(np.linspace(0, 1, _SCALE_PX, dtype=np.float32)[None], name, 0.0, 1.0), ".png")


def pose_curves(windows: Sequence[EvaluatedWindow], names: Sequence[str]) -> bytes | None:
    """PNG: share of pairs of views below each pose error; None where windows have one view."""
    errors = {}
    for name in names:
        poses = [found.rows[name].poses for found in windows if name in found.rows]
        known = [pairs.worst_deg for pairs in poses if pairs is not None]
        errors[name] = np.concatenate([np.empty(0), *known])
    return _curves(errors, _CURVE_DEG, "larger of turn and direction error (degrees)", "pairs of views")


def depth_curves(windows: Sequence[EvaluatedWindow], names: Sequence[str]) -> bytes | None:
    """PNG: share of windows below each depth error; None where there is no depth."""
    errors = {}
    for name in names:
        depths = [found.rows[name].depth for found in windows if name in found.rows]
        errors[name] = np.array([depth.window.abs_rel for depth in depths if depth is not None])
    return _curves(errors, LARGEST_ERROR, "AbsRel after the window's median scale", "windows")


def path_from_above(windows: Sequence[EvaluatedWindow], title: str) -> bytes:
    """PNG of one sequence's camera centres, seen along the direction in which they extend least.

    Every window is aligned by itself: this is not one trajectory.
    """
    true = {
        number: centre
        for found in windows
        for number, centre in zip(found.window.numbers, found.true_centres, strict=True)
    }
    centres = np.array([true[number] for number in sorted(true)])
    middle = centres.mean(axis=0)
    few = len(centres) < 3  # they span a plane only together with directions in which they do not extend
    plane = np.linalg.svd(centres - middle, full_matrices=few)[2][:2]
    figure = Figure(figsize=(4.8, 4.2), layout="constrained", facecolor="#ffffff")
    axis = figure.subplots()
    path = (centres - middle) @ plane.T
    axis.plot(*path.T, "-", color="#111111", linewidth=1.0, marker="o", markersize=2.5, label="truth")
    label: str | None = "each window, aligned"
    for found in windows:
        if found.found_centres is not None:
            seen = (found.found_centres - middle) @ plane.T
            axis.plot(*seen.T, "-", color=_COLOURS[1], linewidth=0.8, marker="x", markersize=4, label=label)
            label = None
    margin = 0.25 * float(np.ptp(path, axis=0).max()) + 1e-3
    axis.set_xlim(path[:, 0].min() - margin, path[:, 0].max() + margin)
    axis.set_ylim(path[:, 1].min() - margin, path[:, 1].max() + margin)
    axis.set_aspect("equal")
    axis.set_xlabel("m")
    axis.set_ylabel("m")
    axis.set_title(_unformatted(title), fontsize=10)
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, framealpha=0.85)
    return _png(figure)


def by_sequence(windows: Sequence[EvaluatedWindow]) -> Mapping[str, list[EvaluatedWindow]]:
    """Windows of each recorded sequence; simulated rooms are left out."""
    sequences: dict[str, list[EvaluatedWindow]] = {}
    for found in windows:
        if found.window.kind != "room":
            sequences.setdefault(found.window.sequence, []).append(found)
    return sequences


def _curves(errors: Mapping[str, FloatArray], largest: float, label: str, title: str) -> bytes | None:
    """Cumulative shares of each row that has errors, None when none has; a row has one colour in all figures."""
    if not any(map(len, errors.values())):
        return None
    figure = Figure(figsize=(5.4, 4.6), layout="constrained", facecolor="#ffffff")
    axis = figure.subplots()
    for (name, values), colour in zip(errors.items(), _COLOURS, strict=False):
        if not len(values):
            continue
        at, share = np.sort(values), np.arange(1, len(values) + 1) / len(values)
        inside = at <= largest
        x = np.concatenate(([0.0], at[inside], [largest]))
        y = np.concatenate(([0.0], share[inside], [inside.mean()]))
        axis.step(x, y, where="post", label=_unformatted(name), color=colour, linewidth=1.7)
    axis.set_xlim(0, largest)
    axis.set_ylim(0, 1.02)
    axis.set_xlabel(label)
    axis.set_ylabel("share below")
    axis.set_title(title, fontsize=11)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=1, fontsize=8, frameon=False)
    return _png(figure)


def _unformatted(name: str) -> str:
    """A name that matplotlib takes as it is: what lies between two dollars would be a formula."""
    return name.replace("$", r"\$")


def _coloured(values: npt.NDArray[np.float32], name: str, low: float, high: float) -> npt.NDArray[np.uint8]:
    colours = mpl.colormaps[name].with_extremes(bad=INVALID)
    return np.asarray(colours(np.ma.masked_invalid((values - low) / (high - low)), bytes=True)[..., :3], dtype=np.uint8)


def _encoded(image: npt.NDArray[np.uint8], suffix: str) -> bytes:
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=130)
    return stream.getvalue()
