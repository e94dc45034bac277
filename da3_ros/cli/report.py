# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo found: a table, pictures and summary.json."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from da3_ros.cli.pictures import Panel, TopView, draw_overview, draw_top_view, draw_views
from da3_ros.cli.recorder import KEPT_PIXELS, Recorder
from da3_ros.evaluation.depth_metrics import depth_errors, median_scale
from da3_ros.evaluation.trajectory_metrics import trajectory_errors
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.prediction import ViewKey, ViewTruth
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import Sim3
from da3_ros.ros.status_messages import ScaleSource

Truth = Callable[[ViewKey, PinholeCamera | None], ViewTruth]
FloatPixels = npt.NDArray[np.float32]
SUMMARY, VIEWS, TOP_VIEW, OVERVIEW = "summary.json", "views.png", "cloud_from_above.png", "overview.png"


@dataclass(frozen=True, slots=True, eq=False)
class _ViewDepth:
    """(H, W) depth of one view: in published units, and true in metres; NaN where unknown."""

    stamp_ns: int
    predicted: FloatPixels
    true: FloatPixels


class Report:
    """Everything about one demo run.

    Args:
        recorder: what was published.
        engine: what answered, in words.
        frames_sent: images that the source sent; 0 when unknown.
        elapsed_s: from the start of the nodes to the last result.
        truth: of any view, or None for real input.
        is_paced: whether images were sent long after their stamps, as the engine got ready for them.
    """

    def __init__(
        self,
        recorder: Recorder,
        engine: str,
        frames_sent: int,
        elapsed_s: float,
        truth: Truth | None,
        *,
        is_paced: bool,
    ) -> None:
        self._recorder = recorder
        self._truth = truth
        status = recorder.status
        self.summary: dict[str, Any] = {
            "engine": engine,
            "frames_sent": frames_sent,
            "elapsed_s": round(elapsed_s, 2),
            **_counts(recorder),
            **_latencies(recorder, since_stamp=not is_paced),
        }
        self._true_from_odom = Sim3.identity()
        self._depth_scale = 1.0
        self._true_poses: dict[ViewKey, ViewTruth] = {}
        if truth is not None and status is not None:
            self._score(truth)

    def write(self, folder: Path) -> None:
        """summary.json and the pictures."""
        (folder / SUMMARY).write_text(json.dumps(self.summary, indent=2) + "\n")
        self._folder = folder
        panels, top_view, title = self._panels(), self._top_view(), self.summary["engine"]
        if panels:
            draw_views(folder / VIEWS, panels, self._unit, title)
        if top_view:
            draw_top_view(folder / TOP_VIEW, top_view, title)
        if panels and top_view:
            draw_overview(folder / OVERVIEW, panels, top_view, title)

    def show(self, console: Console) -> None:
        """The table."""
        table = Table(title="da3_ros demo", show_header=False, title_justify="left")
        table.add_column("figure", style="bold", no_wrap=True)
        table.add_column("value", justify="right")
        for key, value in self.summary.items():
            if key != "dropped":
                table.add_row(_LABELS.get(key, key), _text(value))
        for cause, frames in self.summary["dropped"].items():
            table.add_row(f"  dropped: {cause}", _text(frames))
        console.print(table)
        console.print(f"Pictures and {SUMMARY} are in {self._folder}/")

    def _score(self, truth: Truth) -> None:
        """Errors against truth, after one Sim(3) for the whole run; nothing when the poses do not determine one."""
        records = self._recorder.cameras
        views = [
            ViewKey(camera, stamp_ns)
            for camera, record in records.items()
            for stamp_ns in sorted(set(record.poses) & set(record.depths) & set(record.cameras))
        ]
        if not views:
            return
        true = {view: truth(view, _of_kept_pixels(records[view.camera].cameras[view.stamp_ns])) for view in views}
        true_poses = np.stack([true[view].world_from_camera for view in views])
        try:
            errors = trajectory_errors(
                np.stack([records[view.camera].poses[view.stamp_ns] for view in views]), true_poses
            )
        except DegenerateGeometryError:
            return
        self._true_from_odom, self._true_poses = errors.true_from_estimated, true
        of_reference = [view.camera == views[0].camera for view in views]
        steps = np.diff(true_poses[of_reference][:, :3, 3], axis=0)
        depths = [
            _ViewDepth(view.stamp_ns, records[view.camera].depths[view.stamp_ns], true[view].depth) for view in views
        ]
        self.summary |= {
            **self._depth_figures(depths),
            "trajectory_ate_m": errors.ate_rmse,
            "trajectory_rotation_deg": math.degrees(errors.rotation_median_rad),
            "trajectory_length_m": float(np.linalg.norm(steps, axis=1).sum()),
        }
        with suppress(DegenerateGeometryError):  # a quarter without depth
            self.summary["scale_drift"] = _scale_drift(depths)

    def _depth_figures(self, depths: Sequence[_ViewDepth]) -> dict[str, float]:
        """Errors of depth, after one scale for the whole run; none when there is no depth."""
        predicted, true = _pixels(depths)
        try:
            self._depth_scale = median_scale(predicted, true)
        except DegenerateGeometryError:
            return {}
        scaled = depth_errors(predicted * self._depth_scale, true)
        return {
            "depth_abs_rel": scaled.abs_rel,
            "depth_rmse_m": scaled.rmse,
            "depth_coverage": scaled.coverage,
            "depth_scale": self._depth_scale,
        }

    @property
    def _unit(self) -> str:
        if self._true_poses:
            return "m, scaled to truth"
        windows = self._recorder.windows
        is_metric = bool(windows) and windows[-1].scale_source != ScaleSource.RELATIVE
        return "m" if is_metric else "units of the first window"

    def _panels(self) -> list[Panel]:
        scale = np.float32(self._depth_scale)
        return [
            Panel(camera, record.image[1], record.depth[1] * scale, record.confidence[1])
            for camera, record in self._recorder.cameras.items()
            if record.image and record.depth and record.confidence
        ]

    def _top_view(self) -> TopView | None:
        points, colours = [], []
        for record in self._recorder.cameras.values():
            for stamp_ns, cloud in zip(record.point_stamps, record.points, strict=True):
                pose = record.poses.get(stamp_ns)
                if pose is not None:
                    points.append(self._true_from_odom.apply(cloud[:, :3] @ pose[:3, :3].T + pose[:3, 3]))
                    colours.append(np.ascontiguousarray(cloud[:, 3:]).view(np.uint8)[:, 2::-1])
        if not sum(map(len, points)) or not next(iter(self._recorder.cameras.values())).poses:
            return None
        return TopView(np.concatenate(points), np.concatenate(colours), self._paths(), self._unit)

    def _paths(self) -> dict[str, FloatArray]:
        """Positions of the reference camera: estimated, and true when that is known."""
        reference, record = next(iter(self._recorder.cameras.items()))
        stamps = sorted(record.poses)
        centres = np.stack([record.poses[stamp_ns][:3, 3] for stamp_ns in stamps])
        paths = {f"estimated ({reference})": self._true_from_odom.apply(centres)}
        true = [self._true_poses.get(ViewKey(reference, stamp_ns)) for stamp_ns in stamps]
        known = [view.world_from_camera[:3, 3] for view in true if view is not None]
        if known:
            paths["true"] = np.stack(known)
        return paths


_LABELS = {
    "engine": "engine",
    "frames_sent": "images in the source",
    "elapsed_s": "time (s)",
    "frames_in": "images in",
    "frame_sets": "frame sets published",
    "windows": "windows",
    "frames_published": "images published",
    "frames_in_flight": "images still under way",
    "latency_p50_ms": "latency p50 (ms, image to publication)",
    "latency_p95_ms": "latency p95 (ms)",
    "queue_p50_ms": "  waiting p50 (ms)",
    "engine_p50_ms": "  engine p50 (ms)",
    "alignment_p50_ms": "  alignment p50 (ms)",
    "metric_model_p50_ms": "  metric model p50 (ms)",
    "publish_p50_ms": "  publishing p50 (ms)",
    "depth_abs_rel": "depth error (mean relative, one scale)",
    "depth_rmse_m": "depth error (RMS, m)",
    "depth_coverage": "depth coverage",
    "depth_scale": "true metres per published unit",
    "trajectory_ate_m": "trajectory error (RMS, m, one Sim(3))",
    "trajectory_rotation_deg": "rotation error (median, deg)",
    "trajectory_length_m": "path length (m)",
    "scale_drift": "scale drift (last quarter / first)",
}


def remove_earlier(folder: Path) -> None:
    """Remove the report of an earlier run: one that fails, or has no cloud, leaves no other's pictures beside it."""
    for name in (SUMMARY, VIEWS, TOP_VIEW, OVERVIEW):
        (folder / name).unlink(missing_ok=True)


def _of_kept_pixels(camera: PinholeCamera) -> PinholeCamera:
    """The camera whose pixels are the ones that the recorder kept: the same rays, so truth costs a 64th."""
    step = KEPT_PIXELS
    height, width = camera.size
    fx, fy, cx, cy = (value / step for value in (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px))
    return PinholeCamera((-(-height // step), -(-width // step)), fx, fy, cx, cy)


def _counts(recorder: Recorder) -> dict[str, Any]:
    status = recorder.status
    if status is None:
        return {"frames_in": 0, "frames_published": 0, "dropped": {}}
    return {
        "frames_in": int(status.frames_in),
        "frame_sets": sum(status.new_frame_sets for status in recorder.windows),
        "windows": len(recorder.windows),
        "frames_published": int(status.frames_published),
        "frames_in_flight": int(status.frames_in_flight),
        "dropped": {cause: int(n) for cause, n in zip(status.drop_causes, status.drop_counts, strict=True)},
    }


def _latencies(recorder: Recorder, since_stamp: bool) -> dict[str, float]:
    """Medians over the windows. Paced replay sends images long after their stamps: then time counts from arrival."""
    if not recorder.windows:
        return {}
    totals = [status.latency_ms if since_stamp else sum(status.stage_ms) for status in recorder.windows]
    p50, p95 = np.percentile(totals, (50, 95))
    stages: dict[str, list[float]] = {}
    for status in recorder.windows:
        for stage, duration in zip(status.stages, status.stage_ms, strict=True):
            stages.setdefault(stage, []).append(duration)
    # A stage that never took any time is one that there is not.
    medians = {f"{stage}_p50_ms": float(np.median(values)) for stage, values in stages.items() if any(values)}
    return {"latency_p50_ms": float(p50), "latency_p95_ms": float(p95), **medians}


def _scale_drift(depths: Sequence[_ViewDepth]) -> float:
    """Scale of the last quarter of the run over that of the first, of all cameras together: 1 when it is constant.

    Raises:
        DegenerateGeometryError: when one of the two has no depth.
    """
    stamps_ns = sorted({depth.stamp_ns for depth in depths})
    quarter = max(len(stamps_ns) // 4, 1)
    first = [depth for depth in depths if depth.stamp_ns <= stamps_ns[quarter - 1]]
    last = [depth for depth in depths if depth.stamp_ns >= stamps_ns[-quarter]]
    return median_scale(*_pixels(last)) / median_scale(*_pixels(first))


def _pixels(depths: Sequence[_ViewDepth]) -> tuple[FloatPixels, FloatPixels]:
    """All predicted and all true depths, (N,) each."""
    return (
        np.concatenate([depth.predicted.ravel() for depth in depths]),
        np.concatenate([depth.true.ravel() for depth in depths]),
    )


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
