# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Metres per world unit from predicted places against known ones; here, the places of a rig's cameras.

Predicted places are regressed on known ones. The slope (world units per metre) is unbiased, which the length of a noisy
baseline is not, and the logarithm's own bias is taken out. `believed` is what the source has told so far
(`ScaleTracker.believed`): the sigma is taken from that, because one that is taken from the slope itself makes slopes
that happen to be large look sure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.depth_scale import weighted_median
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.rotation import FloatArray, nearest_rotation
from da3_ros.streaming.scale import ScaleObservation

# A slope with a larger relative sigma tells nothing: its logarithm is no longer normal.
MAX_SIGMA = 0.25
# No window measures better than this (relative).
MIN_SIGMA = 1e-4
# Slopes that contradict the belief by more than this factor's logarithm are weighed by themselves as well.
MAX_SURPRISE = 0.5
# Cameras nearer to each other than this (metres) have no baseline.
MIN_BASELINE_M = 1e-3
# Residuals beyond this many times their expected square say that the noise is larger than was told.
MAX_EXCESS = 2.0
# Beyond this it is not noise but garbage.
GARBAGE_EXCESS = 25.0


@dataclass(frozen=True, slots=True)
class Slope:
    """Of predicted places over known ones.

    Attributes:
        value: world units per metre.
        sigma: its standard deviation, in the same unit.
    """

    value: float
    sigma: float


def slope_observation(source: str, slope: Slope, stamp_ns: int, believed: float | None) -> ScaleObservation | None:
    """What a slope says of metres per world unit.

    Args:
        source: see ScaleObservation.
        slope: as measured.
        stamp_ns: of the newest image in it.
        believed: metres per unit to expect, None without a clue.

    Returns:
        None when it says nothing: not above zero, or too uncertain for a logarithm.
    """
    if slope.value <= 0:
        return None
    relative = slope.sigma / slope.value
    if believed is not None:
        surprise = abs(math.log(slope.value * believed)) > MAX_SURPRISE
        relative = max(relative, slope.sigma * believed) if surprise else slope.sigma * believed
    if relative > MAX_SIGMA:
        return None
    # E[log(1 + e)] = -sigma^2 / 2 for the slope, so its negative is too large by as much.
    sigma = max(relative, MIN_SIGMA)
    return ScaleObservation(source, -math.log(slope.value) - 0.5 * relative**2, sigma, stamp_ns)


def largest_by_chance(freedom: npt.ArrayLike) -> FloatArray:
    """What chi-square exceeds once in 1000 at most (Laurent and Massart 2000, lemma 1)."""
    degrees, log_odds = np.asarray(freedom, dtype=np.float64), math.log(1000)
    return degrees + 2 * np.sqrt(degrees * log_odds) + 2 * log_odds


def rig_scale(
    base_from_camera: Mapping[str, FloatArray],
    cameras: Sequence[str],
    sets: Sequence[int],
    world_from_camera: npt.ArrayLike,
    centre_noise: float,
    stamp_ns: int,
    believed: float | None = None,
) -> ScaleObservation | None:
    """Known baselines against predicted ones, over all frame sets of one window.

    The cameras' places in each set, turned into the base frame by the set's own rotation, are regressed on the known
    ones. A set that does not fit is left out, and so is one camera of three or more.

    Args:
        base_from_camera: (4, 4) rigid by camera name, metres. Views of other cameras are left out.
        cameras: V names.
        sets: V indices of the frame set that each view belongs to.
        world_from_camera: (V, 4, 4) rigid, predicted, world units; views that are not finite are left out.
        centre_noise: standard deviation of one predicted camera centre per axis, world units.
        stamp_ns: of the window.
        believed: metres per unit to expect, None without a clue.

    Returns:
        None when it cannot be observed: no set with two cameras at different known places, or a sigma too large.
    """
    poses = np.asarray(world_from_camera, dtype=np.float64)
    used = [v for v, camera in enumerate(cameras) if camera in base_from_camera and np.isfinite(poses[v]).all()]
    names, set_ids = sorted({cameras[v] for v in used}), sorted({sets[v] for v in used})
    if len(names) < 2:
        return None
    known = np.stack([np.asarray(base_from_camera[name], dtype=np.float64) for name in names])
    table = np.tile(np.eye(4), (len(set_ids), len(names), 1, 1))
    present = np.zeros(table.shape[:2], dtype=bool)
    for v in used:
        place = set_ids.index(sets[v]), names.index(cameras[v])
        table[place], present[place] = poses[v], True
    best = _surest_slope(known, table, present, centre_noise)
    return None if best is None else slope_observation("rig", best, stamp_ns, believed)


def _surest_slope(
    base_from_camera: FloatArray, world_from_camera: FloatArray, present: npt.NDArray[np.bool_], noise: float
) -> Slope | None:
    """Of all cameras, or of all but one: the camera that disagrees is the one whose absence helps."""
    cameras = len(base_from_camera)
    choices = [present]
    if cameras > 2:
        choices += [present & others for others in ~np.eye(cameras, dtype=bool)]
    slopes = [_rig_slope(base_from_camera, world_from_camera, choice, noise) for choice in choices]
    # By sigma, which does not depend on the slope: choosing by anything else would bias it.
    return min((slope for slope in slopes if slope is not None), key=lambda slope: slope.sigma, default=None)


def _rig_slope(
    base_from_camera: FloatArray, world_from_camera: FloatArray, present: npt.NDArray[np.bool_], noise: float
) -> Slope | None:
    """Robust regression over sets (S, C, 4, 4), of which `present` (S, C) are used."""
    enough = present.sum(axis=1) >= 2
    poses, mask = world_from_camera[enough], present[enough]
    try:
        known, predicted = _offsets(base_from_camera, poses, mask)
    except DegenerateGeometryError:
        return None
    lengths = np.einsum("scx,scx->s", known, known)
    placed = lengths > MIN_BASELINE_M**2
    if not placed.any():
        return None
    known, predicted, lengths = known[placed], predicted[placed], lengths[placed]
    products = np.einsum("scx,scx->s", known, predicted)
    residual = predicted - weighted_median(products / lengths, lengths) * known
    freedom = 3.0 * (mask[placed].sum(axis=1) - 1)
    # Exact input must not divide by zero.
    variance = max(noise**2, 1e-12 * float(np.square(predicted).mean()), np.finfo(float).tiny)
    square = np.einsum("scx,scx->s", residual, residual) / variance
    excess = float(np.median(square / freedom))
    if excess > GARBAGE_EXCESS:
        return None
    if excess > MAX_EXCESS:
        square, variance = square / excess, variance * excess
    fits = square < largest_by_chance(freedom)
    if not fits.any():
        return None
    length = float(lengths[fits].sum())
    return Slope(float(products[fits].sum()) / length, math.sqrt(variance / length))


def _offsets(
    base_from_camera: FloatArray, world_from_camera: FloatArray, mask: npt.NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Known and predicted places in the base frame, (S, C, 3) each, centred over the cameras of the set, else zero."""
    weights = mask / mask.sum(axis=1, keepdims=True)
    turns = world_from_camera[..., :3, :3] @ np.swapaxes(base_from_camera[:, :3, :3], -1, -2)
    world_from_base = nearest_rotation(np.einsum("sc,scij->sij", weights, turns))
    known = np.broadcast_to(base_from_camera[:, :3, 3], (*mask.shape, 3))
    predicted = world_from_camera[..., :3, 3] @ world_from_base  # rows: R^T p
    centred = (places - np.einsum("sc,scx->sx", weights, places)[:, None] for places in (known, predicted))
    known_offset, predicted_offset = (np.where(mask[..., None], offset, 0.0) for offset in centred)
    return known_offset, predicted_offset
