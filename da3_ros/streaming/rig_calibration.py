# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Where cameras sit on each other, estimated while the rig drives: for rigs that TF does not know."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.pose_errors import ViewNoise
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_vector_from_matrix
from da3_ros.geometry.sim3 import rigid, rigid_inverse

# Frame sets that are remembered: twenty seconds at 10 Hz, and 1 mm of what was 1 cm of noise.
MEMORY = 200
# A camera that was seen beside the reference less often is not spoken of: a majority needs voters.
MIN_FRAME_SETS = 5
# 99.9 % of good sets lie within (chi-square of six), and half of them within the median (of three).
INLIER_CHI2 = 22.46
MEDIAN_CHI2 = 2.366
# The noise that was told counts as much as this many sets in what is found of it.
TOLD_NOISE_SETS = 6
# Variance over the told one at most; what scatters more is no noise around one place.
MAX_NOISE_FACTOR = 25.0
# Correlation from set to set above which averaging no longer helps; keeps the correction finite.
MAX_CORRELATION = 0.95
ITERATIONS = 20
CONVERGED = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class RigCameraEstimate:
    """Where one camera sits.

    Attributes:
        reference_from_camera: (4, 4) rigid, optical frames; metres, or world units while these are not metric.
        covariance: (6, 6) of x y z and rotation about x y z, in the reference camera's axes.
        frame_sets: how many sets agree on it.
    """

    reference_from_camera: FloatArray
    covariance: FloatArray
    frame_sets: int


@dataclass(frozen=True, slots=True, eq=False)
class RigEstimate:
    """Where the cameras sit, seen from one of them.

    Attributes:
        reference: the camera in whose optical frame the others are given.
        cameras: the others by name, those that are known well enough to speak of.
        is_metric: whether lengths are metres.
    """

    reference: str
    cameras: Mapping[str, RigCameraEstimate]
    is_metric: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Sighting:
    """One camera seen beside the reference: (4, 4) and the noise of either view."""

    reference_from_camera: FloatArray
    noise: ViewNoise


class RigCalibration:
    """Gathers sets in which a camera and the reference were both seen; bounded memory.

    Args:
        reference: name of the camera from which the others are seen.
        memory: frame sets that are kept.
    """

    def __init__(self, reference: str, memory: int = MEMORY) -> None:
        self._reference = reference
        self._memory = memory
        self._is_metric = False
        self._sightings: dict[str, deque[_Sighting]] = {}

    def forget(self) -> None:
        """Begin again, as after a change of the world's unit or of the rig."""
        self._sightings.clear()

    def add(
        self, cameras: Sequence[str], odom_from_camera: npt.ArrayLike, noise: ViewNoise, is_metric: bool = True
    ) -> None:
        """Take in one frame set. A set without the reference tells nothing.

        Args:
            cameras: N names.
            odom_from_camera: (N, 4, 4) rigid, all at one stamp.
            noise: of each view, independent of the others, in the unit of odom.
            is_metric: whether that unit is the metre; a change begins again.
        """
        if is_metric != self._is_metric:
            self.forget()
        self._is_metric = is_metric
        if self._reference not in cameras:
            return
        poses = np.asarray(odom_from_camera, dtype=np.float64)
        reference_from_odom = rigid_inverse(poses[list(cameras).index(self._reference)])
        for camera, pose in zip(cameras, poses, strict=True):
            if camera != self._reference:
                sightings = self._sightings.setdefault(camera, deque(maxlen=self._memory))
                sightings.append(_Sighting(reference_from_odom @ pose, noise))

    def estimate(self, scale_sigma: float = 0.0) -> RigEstimate | None:
        """What the remembered sets say together.

        Args:
            scale_sigma: relative, of the metric scale that all sets share; not used while the unit is not the metre.

        Returns:
            None while no camera is known.
        """
        cameras = {}
        for camera, sightings in sorted(self._sightings.items()):
            found = _agreed(sightings) if len(sightings) >= MIN_FRAME_SETS else None
            if found is not None:
                cameras[camera] = _stretchable(found, scale_sigma) if self._is_metric else found
        return RigEstimate(self._reference, cameras, self._is_metric) if cameras else None


def _stretchable(found: RigCameraEstimate, scale_sigma: float) -> RigCameraEstimate:
    """The same, less sure by what a wrong scale would make of its length."""
    covariance, lever = found.covariance.copy(), found.reference_from_camera[:3, 3]
    covariance[:3, :3] += scale_sigma**2 * np.outer(lever, lever)
    return RigCameraEstimate(found.reference_from_camera, covariance, found.frame_sets)


def _agreed(sightings: Sequence[_Sighting]) -> RigCameraEstimate | None:
    """Weighted mean of the sightings that agree; None when these are not the most.

    Starts at the sighting nearest to all others, then keeps what lies inside the gate of a noise whose size is found
    from the sightings themselves: by their median for the gate, by all that are inside for the covariance.
    """
    poses = np.stack([sighting.reference_from_camera for sighting in sightings])
    told = np.array([(sighting.noise.centre, sighting.noise.rotation_rad) for sighting in sightings])
    mean = poses[_nearest_to_all(poses, np.median(told, axis=0))]
    covariances = _told_covariances(mean[:3, 3], told)
    inside = np.ones(len(poses), dtype=bool)
    for _ in range(ITERATIONS):
        residuals = _residuals(poses, mean)
        typical = np.median(_chi2(residuals, covariances), axis=0) / MEDIAN_CHI2
        gates = _scaled(covariances, _noise_factors(typical, len(poses)))
        inside = _mahalanobis(residuals, gates) < INLIER_CHI2
        if 2 * inside.sum() <= len(poses):
            return None
        information = np.linalg.inv(gates[inside])
        step = np.linalg.solve(information.sum(axis=0), np.einsum("nij,nj->i", information, residuals[inside]))
        mean = rigid(matrix_from_rotation_vector(step[3:]) @ mean[:3, :3], mean[:3, 3] + step[:3])
        if np.abs(step).max() < CONVERGED:
            break
    return RigCameraEstimate(mean, _covariance(_residuals(poses, mean)[inside], covariances[inside]), int(inside.sum()))


def _nearest_to_all(poses: FloatArray, noise: FloatArray) -> int:
    """Index of the pose with the smallest sum of distances to the others, counted in the noise (centre, rotation)."""
    flat = poses[:, :3, :3].reshape(len(poses), 9)
    angles_squared = np.maximum(3 - flat @ flat.T, 0)  # 2 - 2 cos(angle), from the trace
    shifts_squared = np.sum((poses[:, None, :3, 3] - poses[None, :, :3, 3]) ** 2, axis=-1)
    return int(np.argmin(np.sqrt(shifts_squared / noise[0] ** 2 + angles_squared / noise[1] ** 2).sum(axis=1)))


def _residuals(poses: FloatArray, mean: FloatArray) -> FloatArray:
    """(N, 6) x y z and rotation vector that lead from the mean to each pose, in the reference's axes."""
    turned = rotation_vector_from_matrix(poses[:, :3, :3] @ mean[:3, :3].T)
    return np.concatenate((poses[:, :3, 3] - mean[:3, 3], turned), axis=1)


def _told_covariances(lever: FloatArray, told: FloatArray) -> FloatArray:
    """(N, 6, 6) of `_residuals`, from the told noise of centre and rotation (N, 2) of both views.

    With rotation errors e and centre errors c of the camera and of the reference r, all in the reference's axes, the
    lever t is wrong by c - c_r + t x e_r and the rotation by e - e_r.
    """
    cross = np.cross(lever, np.eye(3)).T  # cross @ e == lever x e
    centre, rotation = (variance[:, None, None] for variance in (told**2).T)
    covariances = np.zeros((len(told), 6, 6))
    covariances[:, :3, :3] = 2 * centre * np.eye(3) + rotation * (cross @ cross.T)
    covariances[:, 3:, 3:] = 2 * rotation * np.eye(3)
    covariances[:, :3, 3:] = -rotation * cross
    covariances[:, 3:, :3] = -rotation * cross.T
    return covariances


def _covariance(residuals: FloatArray, covariances: FloatArray) -> FloatArray:
    """(6, 6) of the mean of the sightings that agree, from how far they scatter and how long they scatter alike."""
    found = _chi2(residuals, covariances).sum(axis=0) / (3 * (len(residuals) - 1))
    scaled = _scaled(covariances, _noise_factors(found, len(residuals)))
    whitened = residuals / np.sqrt(np.diagonal(scaled, axis1=1, axis2=2))
    # An image tells little new about the rig soon after the last: the mean of a first-order autoregression has
    # (1 + r) / (1 - r) times the variance that independent sightings would leave (Bayley and Hammersley 1946).
    scatter = max(np.sum(whitened**2), np.finfo(np.float64).tiny)
    correlation = float(np.clip(np.sum(whitened[1:] * whitened[:-1]) / scatter, 0.0, MAX_CORRELATION))
    return np.linalg.inv(np.linalg.inv(scaled).sum(axis=0)) * (1 + correlation) / (1 - correlation)


def _chi2(residuals: FloatArray, covariances: FloatArray) -> FloatArray:
    """(N, 2) squared distances in translation alone and in rotation alone, by their own blocks."""
    return np.stack(
        [_mahalanobis(residuals[:, part], covariances[:, part, part]) for part in (slice(0, 3), slice(3, 6))], axis=1
    )


def _mahalanobis(residuals: FloatArray, covariances: FloatArray) -> FloatArray:
    return np.einsum("ni,ni->n", residuals, np.linalg.solve(covariances, residuals[..., None])[..., 0])


def _noise_factors(found: FloatArray, sets: int) -> FloatArray:
    """(2,) variances over the told ones, of translation and rotation: as found, held to what was told while few."""
    return (TOLD_NOISE_SETS + sets * np.minimum(found, MAX_NOISE_FACTOR)) / (TOLD_NOISE_SETS + sets)


def _scaled(covariances: FloatArray, factors: FloatArray) -> FloatArray:
    spread = np.sqrt(np.repeat(factors, 3))
    return covariances * spread[:, None] * spread
