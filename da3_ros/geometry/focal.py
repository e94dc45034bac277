# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Camera poses for other intrinsics than those with which the images were explained.

Depth along the axis is kept. If no view pans or tilts against the others, the answer is closed: with K_p the intrinsics
of the explanation, K_c the wanted ones and D = K_p^-1 K_c in the axes that all views share, points and centres move by
D^-1, which scales what lies across by f_p / f_c and leaves what lies ahead. If views turn, each has its own D and no
common one exists. So the explanation is taken at its word: it says which pixels of two views show the same point. These
pixels, read with K_c, are explained anew (bundle adjustment, Triggs et al. 2000, section 6.1: points eliminated).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid

# A point that leaves its depth by the factor e costs as much as one that misses its pixel by this part of the focal
# length. Chosen on windows whose poses and points were fitted with a wrong focal length: see docs/alignment.md.
DEPTH_STIFFNESS = 0.3
ITERATIONS = 6
ENOUGH = 1e-3  # a step that lowers the cost by less than this part is the last
DAMPING = 1e-6  # of the mean curvature: holds what no match determines, the window's gauge among it
MORE_DAMPING = 1e3  # times as much after a step that raised the cost
# Pairs of a point and a view that could see it; at most and at least so many points per view.
WANTED_MATCHES = 4000
POINTS_PER_VIEW = (8, 96)
NEAREST = 0.05  # of the median depth: what comes nearer to another view's plane is not matched


@dataclass(frozen=True, slots=True, eq=False)
class _Matches:
    """Which pixels show the same point: P points, each seen from its source view and in some of M matches.

    Attributes:
        source: (P,) view on whose pixel the point lies.
        ray: (P, 3) of that pixel, z = 1, in the wanted intrinsics.
        depth: (P,) along the source view's axis.
        point: (M,) index into the points, ascending; every point occurs.
        target: (M,) view that sees the point too, never its source.
        seen: (M, 2) where, x/z and y/z in the wanted intrinsics.
    """

    source: npt.NDArray[np.intp]
    ray: FloatArray
    depth: FloatArray
    point: npt.NDArray[np.intp]
    target: npt.NDArray[np.intp]
    seen: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """What is sought.

    Attributes:
        rotation: (V, 3, 3) window from camera.
        centre: (V, 3) in units of the median depth.
        log_depth: (P,) logarithms of the factors by which points leave their depth.
    """

    rotation: FloatArray
    centre: FloatArray
    log_depth: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Sight:
    """How a fit sees its matches.

    Attributes:
        from_source: (P, 3) from the source view to the point, window axes.
        from_target: (M, 3) from the target view to the point, window axes.
        local: (M, 3) the same in the target's optical frame.
        error: (M, 2) seen in the fit minus seen in the images.
        cost: what the fit makes small.
    """

    from_source: FloatArray
    from_target: FloatArray
    local: FloatArray
    error: FloatArray
    cost: float


def focal_ratio(predicted: PinholeCamera, true: PinholeCamera) -> tuple[float, float]:
    """Wanted focal lengths over those of the explanation, along u and v."""
    return true.fx_px / predicted.fx_px, true.fy_px / predicted.fy_px


def corrected_poses(
    window_from_camera: npt.ArrayLike,
    predicted: Sequence[PinholeCamera],
    true: Sequence[PinholeCamera],
    depth: npt.NDArray[np.floating],
) -> FloatArray:
    """Poses that explain, with other intrinsics and the same depth, the images that the given poses explain.

    Views that share nothing with any other keep their pose. The answer moves with the window's gauge.

    Args:
        window_from_camera: (V, 4, 4) rigid, optical frames, any unit: poses that go with `predicted`.
        predicted: V cameras without distortion, with which the images were explained.
        true: V cameras of the same images, without distortion, with which depth will be unprojected.
        depth: (V, H, W) along the optical axis, unit of the poses; NaN where unknown.

    Returns:
        (V, 4, 4) float64 rigid. Equal to the given poses when the cameras are equal.

    Raises:
        ValueError: when the numbers of views or the sizes of images differ, or a camera has distortion.
    """
    poses = np.array(window_from_camera, dtype=np.float64)
    _check(poses, predicted, true, depth)
    if all(ours == theirs for ours, theirs in zip(predicted, true, strict=True)):
        return poses
    source, pixel, distance = _samples(depth)
    unit = float(np.median(distance)) if len(distance) else 1.0
    rotation, centre = poses[:, :3, :3], poses[:, :3, 3] / unit
    matches = _matches(rotation, centre, predicted, true, (source, pixel, distance / unit))
    if not len(matches.point):
        return poses
    fit = _best(_Fit(rotation, centre, np.zeros(len(matches.source))), matches)
    return rigid(fit.rotation, fit.centre * unit)


def _check(
    poses: FloatArray,
    predicted: Sequence[PinholeCamera],
    true: Sequence[PinholeCamera],
    depth: npt.NDArray[np.floating],
) -> None:
    views = len(depth)
    if depth.ndim != 3 or poses.shape != (views, 4, 4) or len(predicted) != views or len(true) != views:
        parts = f"poses {poses.shape}, {len(predicted)} predicted and {len(true)} true cameras"
        raise ValueError(f"depth {depth.shape} does not go with {parts}: each needs one entry per view")
    for camera in (*predicted, *true):
        if camera.size != depth.shape[1:] or camera.is_distorted:
            raise ValueError(f"depth of {depth.shape[1:]} needs cameras of that size without distortion, not {camera}")


def _samples(depth: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.intp], FloatArray, FloatArray]:
    """View (P,), pixel (P, 2) as u, v, and depth (P,) on a regular grid, as many as there is time for."""
    V, H, W = depth.shape
    wanted = np.clip(WANTED_MATCHES / max(V * (V - 1), 1), *POINTS_PER_VIEW)
    columns = int(np.clip(round(np.sqrt(wanted * W / H)), 1, W))
    rows = int(np.clip(round(wanted / columns), 1, H))
    at_row = ((np.arange(rows) + 0.5) * H / rows).astype(np.intp)
    at_column = ((np.arange(columns) + 0.5) * W / columns).astype(np.intp)
    sampled = depth[:, at_row[:, None], at_column].astype(np.float64)
    view, row, column = np.nonzero(np.isfinite(sampled) & (sampled > 0))
    return view, np.stack((at_column[column], at_row[row]), axis=-1).astype(np.float64), sampled[view, row, column]


def _matches(
    rotation: FloatArray,
    centre: FloatArray,
    predicted: Sequence[PinholeCamera],
    true: Sequence[PinholeCamera],
    samples: tuple[npt.NDArray[np.intp], FloatArray, FloatArray],
) -> _Matches:
    """Where the given poses see each sampled point again, their own intrinsics taken out and the wanted ones put in."""
    source, pixel, depth = samples
    focal, principal = _focal_and_principal(predicted)
    wanted_focal, wanted_principal = _focal_and_principal(true)
    ray = _homogeneous((pixel - principal[source]) / focal[source])
    point = np.einsum("pij,pj->pi", rotation[source], ray * depth[:, None]) + centre[source]
    local = np.einsum("vji,pvj->pvi", rotation, point[:, None] - centre)
    in_front = local[..., 2] > NEAREST
    again = local[..., :2] / np.where(in_front, local[..., 2], 1)[..., None] * focal + principal
    inside = ((again > -0.5) & (again < np.array(predicted[0].size[::-1]) - 0.5)).all(axis=-1)
    shared = in_front & inside
    shared[np.arange(len(source)), source] = False
    kept = shared.any(axis=1)
    number, target = np.nonzero(shared[kept])
    return _Matches(
        source=source[kept],
        ray=_homogeneous(((pixel - wanted_principal[source]) / wanted_focal[source])[kept]),
        depth=depth[kept],
        point=number,
        target=target,
        seen=((again - wanted_principal) / wanted_focal)[kept][number, target],
    )


def _focal_and_principal(cameras: Sequence[PinholeCamera]) -> tuple[FloatArray, FloatArray]:
    """(V, 2) focal lengths and (V, 2) principal points, pixels."""
    return (
        np.array([(camera.fx_px, camera.fy_px) for camera in cameras]),
        np.array([(camera.cx_px, camera.cy_px) for camera in cameras]),
    )


def _homogeneous(xy: FloatArray) -> FloatArray:
    return np.concatenate((xy, np.ones((*xy.shape[:-1], 1))), axis=-1)


def _best(fit: _Fit, matches: _Matches) -> _Fit:
    """Levenberg-Marquardt; it mostly needs three steps."""
    sight, damping = _sight(fit, matches), DAMPING
    for _ in range(ITERATIONS):
        tried = _stepped(fit, sight, matches, damping)
        tried_sight = _sight(tried, matches)
        if not tried_sight.cost < sight.cost:
            damping *= MORE_DAMPING
            continue
        is_enough = sight.cost - tried_sight.cost < ENOUGH * sight.cost
        fit, sight, damping = tried, tried_sight, DAMPING
        if is_enough:
            break
    return fit


def _sight(fit: _Fit, matches: _Matches) -> _Sight:
    distance = matches.depth * np.exp(fit.log_depth)
    from_source = np.einsum("pij,pj->pi", fit.rotation[matches.source], matches.ray * distance[:, None])
    point = from_source + fit.centre[matches.source]
    from_target = point[matches.point] - fit.centre[matches.target]
    local = np.einsum("mji,mj->mi", fit.rotation[matches.target], from_target)
    error = local[:, :2] / local[:, 2:] - matches.seen
    # A step that puts a point behind a view that sees it is no explanation.
    possible = bool((local[:, 2] > 0).all())
    cost = np.sum(error**2) + DEPTH_STIFFNESS**2 * np.sum(fit.log_depth**2)
    return _Sight(from_source, from_target, local, error, float(cost) if possible else np.inf)


def _stepped(fit: _Fit, sight: _Sight, matches: _Matches, damping: float) -> _Fit:
    """One step for all views and points; turns are about window axes."""
    by_view, by_depth = _jacobians(fit, sight, matches)
    rows = by_view.reshape(-1, by_view.shape[-1])
    first = np.flatnonzero(np.diff(matches.point, prepend=-1))
    mixed = np.add.reduceat(np.einsum("mk,mkj->mj", by_depth, by_view), first)
    stiffness = DEPTH_STIFFNESS**2
    own = np.add.reduceat(np.sum(by_depth**2, axis=1), first) + stiffness
    own_slope = np.add.reduceat(np.sum(by_depth * sight.error, axis=1), first) + stiffness * fit.log_depth
    curvature = rows.T @ rows - mixed.T @ (mixed / own[:, None])
    slope = rows.T @ sight.error.reshape(-1) - mixed.T @ (own_slope / own)
    held = damping * np.trace(curvature) / len(curvature) * np.eye(len(curvature))
    step = -np.linalg.solve(curvature + held, slope)
    by_six = step.reshape(-1, 6)
    return _Fit(
        rotation=matrix_from_rotation_vector(by_six[:, :3]) @ fit.rotation,
        centre=fit.centre + by_six[:, 3:],
        log_depth=fit.log_depth - (own_slope + mixed @ step) / own,
    )


def _jacobians(fit: _Fit, sight: _Sight, matches: _Matches) -> tuple[FloatArray, FloatArray]:
    """Of the errors: (M, 2, 6V) by turn and shift of every view, and (M, 2) by the log depth of the point."""
    M, V = len(matches.point), len(fit.centre)
    x, y, z = sight.local.T
    projection = np.zeros((M, 2, 3))
    projection[:, 0, 0] = projection[:, 1, 1] = 1 / z
    projection[:, 0, 2], projection[:, 1, 2] = -x / z**2, -y / z**2
    by_point = projection @ np.swapaxes(fit.rotation[matches.target], -1, -2)  # window axes
    from_source = sight.from_source[matches.point]
    by_view = np.zeros((M, 2, V, 6))
    each = np.arange(M)
    # J [a]x is the row by row cross product of J with a.
    by_view[each, :, matches.target, :3] = np.cross(by_point, sight.from_target[:, None])
    by_view[each, :, matches.target, 3:] = -by_point
    by_view[each, :, matches.source[matches.point], :3] = -np.cross(by_point, from_source[:, None])
    by_view[each, :, matches.source[matches.point], 3:] = by_point
    return by_view.reshape(M, 2, V * 6), np.einsum("mki,mi->mk", by_point, from_source)
