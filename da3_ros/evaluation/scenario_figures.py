# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What came out of a run of a scenario, in numbers, and which of its limits were not kept."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from da3_ros.evaluation.chain_baselines import Step, camera_centres, chain, dense_points
from da3_ros.evaluation.scenario_runner import PlayedWindow, Run
from da3_ros.evaluation.scenarios import Limits
from da3_ros.evaluation.trajectory_metrics import (
    orientation_alignment,
    path_length,
    relative_errors,
    scale_drift,
    trajectory_errors,
)
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import FloatArray

MIN_PATH_M = 1.0  # below it, a share of the path says nothing


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of one run; NaN where a figure has no meaning.

    Attributes:
        windows: processed.
        rejected: of them.
        garbage_windows: windows that were garbage altogether.
        garbage_published: of them, accepted; besides, spoilt views that were handed out as trusted.
        segments: trajectories.
        published_share: images published, of those pushed.
        ate_m: trajectory error after alignment (one Sim(3) per segment).
        ate_percent: the same, of the path's length.
        centres_percent: what the camera-centre chain has.
        points_percent: what the point chain has.
        step_m: largest error of the motion between two poses published one after the other, metres.
        scale_p50: median relative error of a metre, over the windows that claim metres.
        scale_p95: 95th percentile of the same.
        metric_share: windows that claim metres.
        drift: relative change of the published unit from start to end of the time in which nothing observes it.
        swing: the largest in between.
        alignment_ms_p50: time to align a window and to publish its poses.
        alignment_ms_p95: 95th percentile of the same.
    """

    windows: int
    rejected: int
    garbage_windows: int
    garbage_published: int
    segments: int
    published_share: float
    ate_m: float
    ate_percent: float
    centres_percent: float
    points_percent: float
    step_m: float
    scale_p50: float
    scale_p95: float
    metric_share: float
    drift: float
    swing: float
    alignment_ms_p50: float
    alignment_ms_p95: float


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Published poses of one segment beside the truth: of the base when cameras are placed on it, else of a camera.

    Attributes:
        estimated: (N, 4, 4) in odom.
        true: (N, 4, 4) metres.
        true_scale: true metres per published unit.
    """

    estimated: FloatArray
    true: FloatArray
    true_scale: float


def figures_of(run: Run) -> Figures:
    """Measure a run."""
    good = [played for played in run.windows if played.result.report.ok]
    tracks = list(published_tracks(run))
    true_length = sum(path_length(track.true) for track in tracks)
    ate_m = _joint_ate(tracks)
    errors = [abs(math.log(played.published_metres)) for played in good if played.result.scale.is_metric]
    drift, swing = _drift(run, good)
    scale_p50, scale_p95 = np.expm1(np.percentile(errors, (50, 95))) if errors else (math.nan, math.nan)
    times_ms = [played.result.times.alignment_ns * 1e-6 for played in run.windows]
    limits, percent = run.scenario.limits, 100 / true_length if true_length > MIN_PATH_M else math.nan
    published = sum(len(frames.views) for played in run.windows for frames in played.result.new_sets)
    return Figures(
        windows=len(run.windows),
        rejected=len(run.windows) - len(good),
        garbage_windows=sum(bool(played.garbage.all()) for played in run.windows),
        garbage_published=sum(_garbage_published(played) for played in good),
        segments=len(tracks),
        published_share=published / run.frames,
        ate_m=ate_m,
        ate_percent=ate_m * percent,
        centres_percent=math.nan if limits.of_centres is None else percent * baseline_ate(run, camera_centres),
        points_percent=math.nan if limits.of_points is None else percent * baseline_ate(run, dense_points),
        step_m=max(_step_error(track) for track in tracks),
        scale_p50=float(scale_p50),
        scale_p95=float(scale_p95),
        metric_share=len(errors) / max(len(good), 1),
        drift=drift,
        swing=swing,
        alignment_ms_p50=float(np.percentile(times_ms, 50)),
        alignment_ms_p95=float(np.percentile(times_ms, 95)),
    )


def broken_limits(figures: Figures, limits: Limits) -> list[str]:
    """What does not hold, in words; empty when all does."""
    low, high = limits.rejected
    lines = [
        _above("garbage published", figures.garbage_published, 0),
        _above("trajectory error, % of path", figures.ate_percent, limits.ate_percent),
        _above("trajectory error / centres", figures.ate_percent / figures.centres_percent, limits.of_centres),
        _above("trajectory error / points", figures.ate_percent / figures.points_percent, limits.of_points),
        _above("step error, m", figures.step_m, limits.step_m),
        _above("scale error p95", figures.scale_p95, limits.scale_p95),
        _above("windows claiming metres", figures.metric_share, 0.0 if limits.never_metric else None),
        _above("drift of the scale", figures.drift, limits.drift),
        _above("segments", figures.segments, limits.segments),
        _above("windows rejected", figures.rejected, high),
        _below("windows rejected", figures.rejected, max(low, figures.garbage_windows)),
        _below("windows claiming metres", figures.metric_share, limits.metric_share),
        _below("images published", figures.published_share, limits.published_share),
    ]
    return [line for line in lines if line]


def published_tracks(run: Run) -> Iterator[Track]:
    """One for each segment that published anything."""
    placed = run.scenario.scale_mode != "relative"
    for segment in _segments(run):
        estimated, true = [], []
        for played in segment:
            for published in played.result.new_sets:
                if placed and published.odometry is not None:
                    estimated.append(published.odometry.odom_from_base)
                    true.append(run.scene.world_from_base(published.frame_set.stamp_ns))
                elif not placed:
                    estimated.append(published.views[0].odom_from_camera)
                    true.append(run.scene.truth(published.views[0].frame.key).world_from_camera)
        if estimated:
            scale = float(np.median([played.published_metres for played in segment]))
            yield Track(np.stack(estimated), np.stack(true), 1 / scale)


def baseline_ate(run: Run, step: Step) -> float:
    """Trajectory error in metres of another way to chain the very same windows, over all views."""
    poses = chain([(played.result.window, played.prediction) for played in run.windows], step)
    true = np.stack([run.scene.truth(key).world_from_camera for key in poses])
    return trajectory_errors(np.stack(list(poses.values())), true).ate_rmse


def _segments(run: Run) -> Iterator[list[PlayedWindow]]:
    segment: list[PlayedWindow] = []
    for played in run.windows:
        if not played.result.report.ok:
            continue
        if played.result.report.new_segment and segment:
            yield segment
            segment = []
        segment.append(played)
    yield segment


def _joint_ate(tracks: list[Track]) -> float:
    squares = 0.0
    for track in tracks:
        try:
            errors = trajectory_errors(track.estimated, track.true)
        except DegenerateGeometryError:
            alignment = orientation_alignment(track.estimated, track.true, track.true_scale)
            errors = trajectory_errors(track.estimated, track.true, alignment)
        squares += len(track.true) * errors.ate_rmse**2
    return math.sqrt(squares / max(sum(len(track.true) for track in tracks), 1))


def _step_error(track: Track) -> float:
    if len(track.true) < 2:
        return 0.0
    return relative_errors(track.estimated, track.true, true_scale=track.true_scale).translation_max


def _drift(run: Run, good: list[PlayedWindow]) -> tuple[float, float]:
    if run.scenario.unobserved_s is None:
        return math.nan, math.nan
    start_ns = run.scene.stamps_ns[0]
    from_ns, until_ns = (start_ns + round(seconds * 1e9) for seconds in run.scenario.unobserved_s)
    newest = [(played.result.window.frame_sets[-1].stamp_ns, played) for played in good]
    return scale_drift([played.published_metres for stamp_ns, played in newest if from_ns <= stamp_ns < until_ns])


def _garbage_published(played: PlayedWindow) -> int:
    if played.garbage.all():
        return 1
    keys = [view.key for view in played.result.window.views]
    garbage = {key for key, bad in zip(keys, played.garbage, strict=True) if bad}
    views = [view for published in played.result.new_sets for view in published.views]
    return sum(view.trusted and view.frame.key in garbage for view in views)


def _above(name: str, value: float, limit: float | None) -> str:
    return "" if limit is None or value <= limit else f"{name} {value:.3g} > {limit:g}"


def _below(name: str, value: float, limit: float | None) -> str:
    return "" if limit is None or value >= limit else f"{name} {value:.3g} < {limit:g}"
