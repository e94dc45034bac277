# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The newest window's views and some older ones in one world, with the joint covariance of their errors.

A filter over windows: each new window is registered to the views it shares with this state. States are the views
(seven errors each, see `geometry.pose_errors`) and the unit that the world had in the beginning. All errors are
relative to the gauge of one window, the base, which moves on every now and then: so nothing grows without bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.depth_scale import DepthRatio, depth_ratio
from da3_ros.geometry.pose_errors import VIEW_ERRORS, PoseErrors, ViewNoise
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, nearest_rotation
from da3_ros.geometry.sim3 import Sim3, rigid
from da3_ros.geometry.view_registration import ViewRegistration, moved_jacobian, register_views
from da3_ros.streaming.depth_samples import DepthSamples, image_size, median_depth, sampled
from da3_ros.streaming.frame import Frame, FrameSet, Window

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The state of the filter after a window.

    Attributes:
        window: the newest good one.
        older: frame sets beyond the window that are kept.
        world_from_camera: (N, 4, 4) of the window's views and of the older ones, from all windows that saw them.
        samples: N of them, world units.
        covariance: (7N + 1, 7N + 1) of their errors, and of the log of the unit of the beginning; relative to the base.
        unit_variance: of the log of the world's unit at the newest window against the beginning.
        scene_depth: median depth of the newest window, world units.
        size: (H, W) of the images.
    """

    window: Window
    older: tuple[FrameSet, ...]
    world_from_camera: FloatArray
    samples: tuple[DepthSamples, ...]
    covariance: FloatArray
    unit_variance: float
    scene_depth: float
    size: tuple[int, int]

    @property
    def views(self) -> tuple[Frame, ...]:
        """The N frames."""
        return (*self.window.views, *(frame for frame_set in self.older for frame in frame_set.frames))


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A window registered to a track.

    Attributes:
        world_from_window: the result.
        shared: (S, 2) index of each shared view in the track and in the window.
        ratios: of each shared view.
        registration: of the shared views.
        gain: (7N + 1, 7S) from what is left of its residual to the track's states.
        stretch: the world's unit put right, as the unit of the beginning is now known better.
    """

    world_from_window: Sim3
    shared: Indices
    ratios: tuple[DepthRatio, ...]
    registration: ViewRegistration
    gain: FloatArray
    stretch: Sim3


def begin(window: Window, prediction: Prediction, noise: ViewNoise) -> Track:
    """A world in the gauge of a window."""
    samples = tuple(sampled(prediction, range(len(window.views))))
    return Track(
        window=window,
        older=(),
        world_from_camera=prediction.window_from_camera,
        samples=samples,
        covariance=np.diag(np.append(np.tile(noise.variances, len(window.views)), 0.0)),
        unit_variance=0.0,
        scene_depth=median_depth(samples),
        size=image_size(prediction),
    )


def shared_views(track: Track, window: Window, prediction: Prediction) -> Indices:
    """(S, 2) index of each shared view in the track and in the window; none when the image size has changed."""
    if track.size != image_size(prediction):
        return np.empty((0, 2), dtype=np.intp)
    known = {frame.key: index for index, frame in enumerate(track.views)}
    pairs = [(known[frame.key], index) for index, frame in enumerate(window.views) if frame.key in known]
    return np.array(pairs, dtype=np.intp).reshape(-1, 2)


def align(track: Track, prediction: Prediction, shared: Indices, noise: ViewNoise) -> Alignment:
    """Register a window to the track.

    Args:
        track: in its world.
        prediction: in the window's gauge.
        shared: from `shared_views`, at least one.
        noise: of one view, world units.

    Raises:
        DegenerateGeometryError: when no shared view has pixels whose depth is known twice.
    """
    ratios = tuple(
        depth_ratio(known.depth, found.depth, np.sqrt(known.confidence * found.confidence))
        for known, found in zip(
            [track.samples[old] for old in shared[:, 0]], sampled(prediction, shared[:, 1]), strict=True
        )
    )
    states = _states(shared[:, 0])
    registration = register_views(
        track.world_from_camera[shared[:, 0]],
        track.covariance[np.ix_(states, states)],
        prediction.window_from_camera[shared[:, 1]],
        [ratio.log_ratio for ratio in ratios],
        noise.variances,
        [ratio.inliers for ratio in ratios],
    )
    gain = track.covariance[:, states] @ registration.information
    unit = float(np.exp(-gain[-1] @ registration.residual.ravel()))
    stretch = Sim3(unit, np.eye(3), (1 - unit) * registration.pivot)
    world_from_window = stretch @ registration.target_from_source
    return Alignment(world_from_window, shared, ratios, registration, gain, stretch)


def extended(
    track: Track,
    window: Window,
    prediction: Prediction,
    alignment: Alignment,
    noise: ViewNoise,
    kept: Sequence[FrameSet],
    rebase: bool,
) -> Track:
    """The track after a good window: its views known better or for the first time, all others but some forgotten.

    Args:
        track: before.
        window: the new one.
        prediction: of it.
        alignment: of it to the track.
        noise: of one view, world units.
        kept: frame sets of the track that are kept although they are not in the window.
        rebase: make this window's gauge the base.
    """
    at = {frame.key: index for index, frame in enumerate(track.views)}
    inside = {frame.key for frame in window.views}
    older = tuple(frame_set for frame_set in kept if not any(frame.key in inside for frame in frame_set.frames))
    older_views = [at[frame.key] for frame_set in older for frame in frame_set.frames]
    old = np.full(len(window.views), -1)
    old[alignment.shared[:, 1]] = alignment.shared[:, 0]
    new = np.flatnonzero(old < 0)
    covariance, unit_variance = _covariance(track, prediction, alignment, noise, new, rebase)
    # From the track's views and then the new ones, to the window's in order and then the older ones.
    place = np.append(old, older_views).astype(np.intp)
    place[new] = len(track.samples) + np.arange(len(new))
    order = np.append(_states(place), len(covariance) - 1)
    moved = _corrected(track, alignment)
    poses = alignment.world_from_window.apply_to_poses(prediction.window_from_camera[new])
    fresh = [samples.scaled(alignment.world_from_window.scale) for samples in sampled(prediction, new)]
    known = (*moved.samples, *fresh)
    samples = tuple(known[index] for index in place)
    return Track(
        window=window,
        older=older,
        world_from_camera=np.concatenate((moved.world_from_camera, poses))[place],
        samples=samples,
        covariance=covariance[np.ix_(order, order)],
        unit_variance=unit_variance,
        scene_depth=median_depth(samples[: len(window.views)]),
        size=track.size,
    )


def published_errors(
    track: Track, window: Window, prediction: Prediction, alignment: Alignment, noise: ViewNoise
) -> PoseErrors:
    """Errors of the track's newest frame set and of the window's new views, relative to the base of the track."""
    last = track.window.frame_sets[-1].frames
    states = _states(np.arange(len(track.window.views) - len(last), len(track.window.views)))
    new = np.setdiff1d(np.arange(len(window.views)), alignment.shared[:, 1])
    turned = _turned(alignment, prediction, new, stretch=True)
    gauge = alignment.registration.covariance
    crossed = turned @ gauge @ (alignment.gain[states] @ alignment.registration.jacobian).T
    covariance = np.block(
        [
            [track.covariance[np.ix_(states, states)], crossed.T],
            [crossed, turned @ gauge @ turned.T + np.diag(np.tile(noise.variances, len(new)))],
        ]
    )
    keys = [frame.key for frame in last] + [window.views[view].key for view in new]
    return PoseErrors(tuple(keys), covariance)


def own_errors(track: Track) -> PoseErrors:
    """Errors of all views of a track that has just begun."""
    return PoseErrors(tuple(frame.key for frame in track.window.views), track.covariance[:-1, :-1])


def _covariance(
    track: Track, prediction: Prediction, alignment: Alignment, noise: ViewNoise, new: Indices, rebase: bool
) -> tuple[FloatArray, float]:
    """Covariance of the track's views, the new ones and the unit of the beginning; and the variance of that unit."""
    registration, gauge = alignment.registration, alignment.registration.covariance
    left = alignment.gain @ registration.jacobian
    covariance = track.covariance - alignment.gain @ registration.spread @ alignment.gain.T + left @ gauge @ left.T
    unit_variance = gauge[6, 6] - 2 * (left @ gauge)[-1, 6] + covariance[-1, -1]
    turned_new = _turned(alignment, prediction, new)
    if rebase:
        centres = track.world_from_camera[:, :3, 3]
        turned = np.append(moved_jacobian(centres, registration.pivot).reshape(-1, 7), np.eye(7)[6:], axis=0)
        across = left @ gauge @ turned.T
        covariance += turned @ gauge @ turned.T - across - across.T
        turned_new = np.zeros_like(turned_new)
    crossed = turned_new @ gauge @ left.T
    fresh = turned_new @ gauge @ turned_new.T + np.diag(np.tile(noise.variances, len(new)))
    joint = np.block(
        [
            [covariance[:-1, :-1], crossed[:, :-1].T, covariance[:-1, -1:]],
            [crossed[:, :-1], fresh, crossed[:, -1:]],
            [covariance[-1:, :-1], crossed[:, -1:].T, covariance[-1:, -1:]],
        ]
    )
    return (joint + joint.T) / 2, max(float(unit_variance), 0.0)


def _turned(alignment: Alignment, prediction: Prediction, views: Indices, stretch: bool = False) -> FloatArray:
    """(7N, 7) change of a window's placed views by its gauge."""
    centres = alignment.world_from_window.apply(prediction.window_from_camera[views, :3, 3])
    return moved_jacobian(centres, alignment.registration.pivot, stretch).reshape(-1, 7)


def _corrected(track: Track, alignment: Alignment) -> Track:
    """Every view moved by what the window has taught about it, and the world's unit put right."""
    errors = (alignment.gain[:-1] @ alignment.registration.residual.ravel()).reshape(-1, VIEW_ERRORS)
    poses, stretch = track.world_from_camera, alignment.stretch
    turns = nearest_rotation(matrix_from_rotation_vector(errors[:, :3]) @ poses[:, :3, :3])
    return replace(
        track,
        world_from_camera=stretch.apply_to_poses(rigid(turns, poses[:, :3, 3] + errors[:, 3:6])),
        samples=tuple(
            samples.scaled(stretch.scale * np.exp(log_depth))
            for samples, log_depth in zip(track.samples, errors[:, 6], strict=True)
        ),
    )


def _states(views: Indices) -> Indices:
    """Where the errors of some views are among the states."""
    return (VIEW_ERRORS * np.asarray(views)[:, None] + np.arange(VIEW_ERRORS)).ravel()
