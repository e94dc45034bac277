# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the cameras sit on the robot's base, and one pose of the base from all cameras that saw at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.pose_errors import ViewNoise
from da3_ros.geometry.prediction import ViewKey
from da3_ros.geometry.rotation import (
    FloatArray,
    mean_rotation,
    rotation_vector_from_matrix,
)
from da3_ros.geometry.sim3 import rigid
from da3_ros.streaming.frame import Frame

# Body axes (x forward, y left, z up) of an optical frame (x right, y down, z forward): REP-103.
BODY_FROM_OPTICAL = rigid([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], np.zeros(3))
# How exactly a given place is taken to be known when cameras are compared: no mount is better.
PLACE_ROTATION_RAD = float(np.deg2rad(0.2))
PLACE_CENTRE = 0.005
# Standard deviations, over all six numbers of a pose, where Tukey's biweight reaches zero. Two good cameras are pulled
# apart by more than they attract each other above 0.89 of it (the biweight's bend), one time in 300 by noise alone.
DISAGREEMENT_SIGMAS = 7.0
# What an unknown scale counts as: large enough to silence every lever, and no infinity that times zero is NaN.
UNKNOWN_SCALE_SIGMA = 1e6
ITERATIONS = 30
CONVERGED = 1e-7  # of a weight


@dataclass(frozen=True, slots=True, eq=False)
class BasePose:
    """The base at one instant.

    To first order its rotation error is e = sum(w_i e_i) and its position error sum(w_i (c_i - e x l_i)), in odom's
    axes, where e_i and c_i are the errors of the views' rotations and centres and l_i the levers from base to camera.

    Attributes:
        stamp_ns: of the pose.
        odom_from_base: (4, 4) rigid.
        views: N images that it rests on.
        weights: (N,) above zero, of sum one.
        disagreeing: images of placed cameras that contradict the others and were left out.
    """

    stamp_ns: int
    odom_from_base: FloatArray
    views: tuple[ViewKey, ...]
    weights: FloatArray
    disagreeing: frozenset[ViewKey]


class Rig:
    """Places of cameras on the base.

    Args:
        base_from_camera: (4, 4) rigid per camera, of its optical frame, metres. With none at all, one camera gives the
            base its body axes, from then on, and no other camera has a place.
        reference: the camera that does; the first that comes when None.
    """

    def __init__(self, base_from_camera: Mapping[str, FloatArray], reference: str | None = None) -> None:
        self._reference = reference
        self._given = {camera: np.asarray(matrix, dtype=np.float64) for camera, matrix in base_from_camera.items()}
        self._places: dict[str, FloatArray] = {**self._given}

    @property
    def base_from_camera(self) -> Mapping[str, FloatArray]:
        """The places that were given: facts, without the one that stands in for them."""
        return self._given

    def camera_pose(self, camera: str, odom_from_base: FloatArray) -> FloatArray | None:
        """`odom_from_camera` (4, 4) as TF would chain it; None when the camera has no place."""
        base_from_camera = self._places.get(camera)
        return None if base_from_camera is None else odom_from_base @ base_from_camera

    def base_pose(
        self,
        frames: Sequence[Frame],
        odom_from_camera: npt.ArrayLike,
        noise: ViewNoise,
        prior: FloatArray | None = None,
        scale_sigma: float = 0.0,
        stamp_ns: int | None = None,
    ) -> BasePose | None:
        """The base from the views of one frame set, without those that contradict the rest.

        Three cameras outvote a bad one. Of two, the one nearer to the prior stays, else the first.

        Args:
            frames: of one set; leave out what is known to be bad.
            odom_from_camera: (N, 4, 4) rigid, one per frame.
            noise: of each view, in the unit of odom.
            prior: (4, 4) where odom_from_base is expected; it breaks ties and has no other influence.
            scale_sigma: relative, of the unit of odom in metres; infinite when unknown, then levers prove nothing.
            stamp_ns: of all poses, when they were moved to one; None: the pose has that of the first frame it uses.

        Returns:
            None when no camera of the set has a place.
        """
        if frames and not self._places:
            self._places[self._reference or frames[0].camera] = BODY_FROM_OPTICAL
        placed = [index for index, frame in enumerate(frames) if frame.camera in self._places]
        if not placed:
            return None
        places = np.stack([self._places[frames[index].camera] for index in placed])
        poses = np.asarray(odom_from_camera, dtype=np.float64)[placed]
        odom_from_base, weights = _agreed(_Sight(poses, places, noise, scale_sigma), prior)
        keys = [frames[index].key for index in placed]
        views = tuple(key for key, weight in zip(keys, weights, strict=True) if weight > 0)
        stamp_ns = views[0].stamp_ns if stamp_ns is None else stamp_ns
        return BasePose(stamp_ns, odom_from_base, views, weights[weights > 0], frozenset(keys) - frozenset(views))


class _Sight:
    """What N placed cameras say about the base, with the spread at which they may differ."""

    def __init__(self, poses: FloatArray, places: FloatArray, noise: ViewNoise, scale_sigma: float) -> None:
        self.rotations = poses[:, :3, :3] @ places[:, :3, :3].swapaxes(1, 2)
        self.centres, self.levers = poses[:, :3, 3], places[:, :3, 3]
        longest = np.linalg.norm(self.levers - self.levers.mean(axis=0), axis=1).max()
        self.rotation_variance = noise.rotation_rad**2 + PLACE_ROTATION_RAD**2
        per_lever = min(scale_sigma, UNKNOWN_SCALE_SIGMA) ** 2 + self.rotation_variance
        self.centre_variance = noise.centre**2 + PLACE_CENTRE**2 + per_lever * longest**2

    def mean(self, weights: FloatArray) -> FloatArray:
        """odom_from_base (4, 4) as the cameras say together."""
        rotation = mean_rotation(self.rotations, weights)
        return rigid(rotation, weights @ (self.centres - self.levers @ rotation.T) / weights.sum())

    def deviations(self, odom_from_base: FloatArray) -> FloatArray:
        """(N,) distance of each camera from a base pose, in standard deviations."""
        rotation = odom_from_base[:3, :3]
        turned = rotation_vector_from_matrix(self.rotations @ rotation.T)
        shifted = self.centres - self.levers @ rotation.T - odom_from_base[:3, 3]
        squares = np.sum(turned**2, axis=1) / self.rotation_variance
        return np.sqrt(squares + np.sum(shifted**2, axis=1) / self.centre_variance)


def _agreed(sight: _Sight, prior: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """odom_from_base (4, 4) and weights (N,) of sum one: a re-weighted mean that starts at the most agreed camera."""
    if len(sight.rotations) == 1:
        return sight.mean(np.ones(1)), np.ones(1)
    odom_from_base = _most_agreed(sight, prior)
    weights = _biweight(sight.deviations(odom_from_base))
    for _ in range(ITERATIONS):
        odom_from_base = sight.mean(weights)
        better = _biweight(sight.deviations(odom_from_base))
        if np.abs(better - weights).max() < CONVERGED:
            break
        weights = better
    return odom_from_base, weights


def _most_agreed(sight: _Sight, prior: FloatArray | None) -> FloatArray:
    """The base pose of the one camera to which the others are nearest, distances counted up to a bound."""
    candidates = [sight.mean(alone) for alone in np.eye(len(sight.rotations))]
    apart = np.stack([sight.deviations(candidate) for candidate in candidates])
    apart = (apart + apart.T) / 2
    # Two noisy cameras differ by sqrt(2) of what each differs from the truth.
    costs = np.sum(np.minimum(apart**2 / 2, DISAGREEMENT_SIGMAS**2), axis=1)
    if prior is not None:
        # Half a camera's voice that never saturates, so the nearer one wins however far off both are.
        off = sight.deviations(prior) ** 2
        costs = costs + 0.5 * DISAGREEMENT_SIGMAS**2 * off / (off + DISAGREEMENT_SIGMAS**2)
    return candidates[int(np.argmin(costs))]


def _biweight(deviations: FloatArray) -> FloatArray:
    """Weights of sum one that fall smoothly to zero where a camera is no longer believed (Beaton and Tukey 1974)."""
    weights = np.maximum(0.0, 1.0 - (deviations / DISAGREEMENT_SIGMAS) ** 2) ** 2
    return weights / weights.sum()
