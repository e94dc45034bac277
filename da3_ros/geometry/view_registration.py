# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The similarity transform between two estimates of the same views, each of which fixes it by itself.

A view is a camera pose and a depth image: rotation, centre and unit. So it lies in a frame as a Sim(3) does, and one
view in common is enough to register two frames; neither motion nor a baseline is needed. Dense points of the common
views would add nothing but depth noise: both estimates see them along the same rays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.pose_errors import VIEW_ERRORS
from da3_ros.geometry.rotation import (
    FloatArray,
    matrix_from_rotation_vector,
    nearest_rotation,
    rotation_vector_from_matrix,
)
from da3_ros.geometry.sim3 import Sim3

ITERATIONS = 10
# Where the influence of a view begins to fall: 99 % of 7 normal errors have a smaller norm than 7 * OUTLIER_RMS^2.
OUTLIER_RMS = 1.62
COST_LIMIT = 10.0
CONVERGED_SIGMAS = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class ViewRegistration:
    """Result of `register_views`. An infinite variance stands for a depth that is not known.

    Attributes:
        target_from_source: the transform.
        covariance: (7, 7) of its error: rotation vector (target axes), shift of the pivot, log scale.
        pivot: (3,) the middle of the views, target frame.
        residual: (N, 7) moved source minus target: rotation vector, centre, log depth; 0 where that is unknown.
        expected: (N, 7) variances of target and source together, but for what is common to all views.
        deviations: (N,) residual in expected standard deviations, root mean square.
        weights: (N,) in 0..1, below 1 for views that contradict the others.
        jacobian: (7N, 7) of the moved source by the transform's errors.
        spread: (7N, 7N) covariance of the residual by the errors of target and source, weights included.
        information: (7N, 7N) its inverse; 0 where the depth is unknown.
    """

    target_from_source: Sim3
    covariance: FloatArray
    pivot: FloatArray
    residual: FloatArray
    expected: FloatArray
    deviations: FloatArray
    weights: FloatArray
    jacobian: FloatArray
    spread: FloatArray
    information: FloatArray


def register_views(
    target_from_camera: npt.ArrayLike,
    target_covariance: npt.ArrayLike,
    source_from_camera: npt.ArrayLike,
    log_depth_ratio: npt.ArrayLike,
    source_variances: npt.ArrayLike,
    trust: npt.ArrayLike,
) -> ViewRegistration:
    """Robust `target_from_source`.

    The view that most others agree with gives the start, then re-weighted generalised least squares (Aitken 1935) over
    all seven errors of a transform of which nothing is known.

    Args:
        target_from_camera: (N, 4, 4) rigid.
        target_covariance: (7N, 7N) positive definite, of the errors of these, in the order of `geometry.pose_errors`.
        source_from_camera: (N, 4, 4) the same cameras, independent errors.
        log_depth_ratio: (N,) logarithm of each view's target depth by its source depth; NaN where unknown.
        source_variances: (7,) of one view's errors, in the target's unit.
        trust: (N,) in 0..1, to choose the start by.

    Raises:
        DegenerateGeometryError: when no view has a known depth ratio, so that the scale is free.
    """
    given = (target_from_camera, source_from_camera, log_depth_ratio, target_covariance, trust)
    target, source, ratio, prior, shares = (np.asarray(array, dtype=np.float64) for array in given)
    variances = np.tile(np.asarray(source_variances, dtype=np.float64), (len(target), 1))
    variances[np.isnan(ratio), 6] = np.inf
    pivot = target[:, :3, 3].mean(axis=0)
    # Where the target says that the views are: so an error that is common to all of it is explained exactly.
    jacobian = moved_jacobian(target[:, :3, 3], pivot).reshape(-1, 7)
    expected = variances + _own_variances(prior, jacobian)
    transform = _most_agreed(target, source, ratio, expected, shares)
    for _ in range(ITERATIONS):
        residual = view_residuals(transform, target, source, ratio)
        deviations = _deviations(residual, expected)
        weights = np.minimum(1.0, (OUTLIER_RMS / np.maximum(deviations, 1e-12)) ** 4)
        spread = prior + np.diag(_widened(variances, expected, weights).ravel())
        information = _information(spread)
        covariance = np.linalg.inv(jacobian.T @ information @ jacobian)
        step = -covariance @ jacobian.T @ information @ residual.ravel()
        if np.all(np.abs(step) < CONVERGED_SIGMAS * np.sqrt(np.diagonal(covariance))):
            break
        transform = stepped(transform, pivot, step)
    return ViewRegistration(
        target_from_source=transform,
        covariance=(covariance + covariance.T) / 2,
        pivot=pivot,
        residual=residual,
        expected=expected,
        deviations=deviations,
        weights=weights,
        jacobian=jacobian,
        spread=np.where(np.isfinite(spread), spread, 0.0),
        information=information,
    )


def _own_variances(covariance: FloatArray, jacobian: FloatArray) -> FloatArray:
    """(N, 7) variances of the views against one another, without what a transform common to all would explain."""
    views = len(jacobian) // VIEW_ERRORS
    if views == 1:
        return np.zeros((1, VIEW_ERRORS))
    common = np.linalg.inv(jacobian.T @ np.linalg.solve(covariance, jacobian))
    own = np.diagonal(covariance - jacobian @ common @ jacobian.T).reshape(views, VIEW_ERRORS)
    return np.asarray(np.maximum(own, 0.0) * (views / (views - 1)))


def _widened(variances: FloatArray, expected: FloatArray, weights: FloatArray) -> FloatArray:
    """(N, 7) variances of the source; a doubtful view is doubtful in both, so what both together may err by counts."""
    return np.asarray(variances + np.where(np.isfinite(expected), expected, 0.0) * (1 / weights - 1)[:, None])


def _information(spread: FloatArray) -> FloatArray:
    """Inverse of the part of a covariance that is finite, zero elsewhere."""
    known = np.flatnonzero(np.isfinite(np.diagonal(spread)))
    information = np.zeros_like(spread)
    information[np.ix_(known, known)] = np.linalg.inv(spread[np.ix_(known, known)])
    return information


def moved_jacobian(moved_centres: FloatArray, pivot: FloatArray, stretch: bool = False) -> FloatArray:
    """(N, 7, 7) change of moved views by a rotation about the pivot, a shift, and a stretch about the pivot.

    Args:
        moved_centres: (N, 3).
        pivot: (3,).
        stretch: let the stretch move the centres too, not only the depth. Not for estimation: baselines that are
            short compared with their noise look longer than they are, and would shrink the scale window by window.
    """
    arm = moved_centres - pivot
    jacobian = np.zeros((len(arm), 7, 7))
    jacobian[:, :3, :3] = np.eye(3)
    jacobian[:, 3:6, :3] = -np.cross(arm[:, None, :], np.eye(3)[None], axisb=-1).swapaxes(-1, -2)
    jacobian[:, 3:6, 3:6] = np.eye(3)
    jacobian[:, 3:6, 6] = arm if stretch else 0.0
    jacobian[:, 6, 6] = 1.0
    return jacobian


def stepped(transform: Sim3, pivot: FloatArray, step: FloatArray) -> Sim3:
    """Turn and stretch what the transform moves about the pivot, then shift it: `step` (7,) of `moved_jacobian`."""
    turn = matrix_from_rotation_vector(step[:3])
    change = Sim3(float(np.exp(step[6])), turn, pivot + step[3:6] - np.exp(step[6]) * (turn @ pivot))
    moved = change @ transform
    return Sim3(moved.scale, nearest_rotation(moved.rotation), moved.translation)


def view_residuals(transform: Sim3, target: FloatArray, source: FloatArray, log_depth_ratio: FloatArray) -> FloatArray:
    """(N, 7) moved source minus target."""
    moved = transform.apply_to_poses(source)
    turned = np.einsum("vij,vkj->vik", moved[:, :3, :3], target[:, :3, :3])
    depth = np.nan_to_num(np.log(transform.scale) - log_depth_ratio)
    return np.concatenate(
        (rotation_vector_from_matrix(turned), moved[:, :3, 3] - target[:, :3, 3], depth[:, None]), axis=1
    )


def _deviations(residual: FloatArray, expected: FloatArray) -> FloatArray:
    return np.sqrt(np.sum(residual**2 / expected, axis=1) / np.isfinite(expected).sum(axis=1))


def _most_agreed(
    target: FloatArray, source: FloatArray, ratio: FloatArray, expected: FloatArray, trust: FloatArray
) -> Sim3:
    """The transform of the one view to which the others are nearest, distances counted up to a bound."""
    known = np.flatnonzero(np.isfinite(ratio))
    if not len(known):
        raise DegenerateGeometryError("no shared view has pixels whose depth is known in both windows")
    candidates, costs = [], []
    for view in known:
        rotation = nearest_rotation(target[view, :3, :3] @ source[view, :3, :3].T)
        scale = float(np.exp(ratio[view]))
        shift = target[view, :3, 3] - scale * (rotation @ source[view, :3, 3])
        candidates.append(Sim3(scale, rotation, shift))
        deviations = _deviations(view_residuals(candidates[-1], target, source, ratio), expected)
        costs.append(np.maximum(trust, 1e-3) @ np.minimum(deviations, COST_LIMIT))
    return candidates[int(np.argmin(costs))]
