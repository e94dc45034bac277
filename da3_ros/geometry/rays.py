# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From a ray map to the camera that sees along these rays.

A ray map holds a direction and an origin for every pixel. The directions of a pinhole camera are H (x, y, 1) with
H = R L up to a factor per ray, where R turns the camera's axes into the window's and L = K^-1 is upper triangular:
L = [[a, 0, p], [0, b, q], [0, 0, 1]]. Pixels are counted here from -1 to 1 between the outer borders of the map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.reference_rays import solve_like_reference
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, nearest_rotation
from da3_ros.geometry.sim3 import rigid

RAYS = 2048  # as many are looked at, however large the map; the network makes it from fewer patches than this
RAYS_PER_TRIAL = 512  # of these, for choosing among the trials
TRIALS = 128  # all fail with probability (1 - 0.7^4)^128 = 4e-16 at 30 % garbage, 3e-4 at 50 %
MOST_CONFIDENCE = 2.0  # times the median: confidence is a hint, and must not let a few rays rule
# More would change the answer by a hundredth of what the noise of such rays does.
LINEAR_STEPS, CAMERA_STEPS, MEAN_STEPS = 2, 4, 4
# Tukey's 95 % efficient tuning constant (Huber and Ronchetti 2009, "Robust statistics").
TUKEY_SIGMAS = 4.685
# Medians of the length of a vector of two and of three independent unit normals.
MEDIAN_LENGTH_2D, MEDIAN_LENGTH_3D = 1.1774, 1.5382
ROUNDING = 1e-9  # spread below this, relative, is none
LARGEST_STEP = 10.0  # radians, factors of e, halves of the image: beyond these the fit is lost
# Rays agree on no camera when half of them are further from it than this, or than this share of what it sees.
MOST_DISAGREEMENT_RAD = np.radians(10.0)
MOST_DISAGREEMENT_OF_VIEW = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class RayCamera:
    """The camera of one ray map.

    Attributes:
        window_from_camera: (4, 4) float64 rigid, in the frame and unit of the rays.
        camera: of the map's own (h, w); `resized` makes it the camera of the image that the map was made for.
        disagreement_rad: half of the rays are nearer than this to the camera's own.
    """

    window_from_camera: FloatArray
    camera: PinholeCamera
    disagreement_rad: float


@dataclass(frozen=True, slots=True, eq=False)
class _Rays:
    """N rays that all count the same.

    Attributes:
        pixels: (3, N) x, y, 1.
        directions: (3, N) of length one.
        origins: (3, N) window units.
        pp: (9, N) products of the components of the pixels.
        dd: (9, N) products of the components of the directions.
    """

    pixels: FloatArray
    directions: FloatArray
    origins: FloatArray
    pp: FloatArray
    dd: FloatArray


def camera_from_rays(
    rays: npt.ArrayLike,
    confidence: npt.ArrayLike,
    *,
    seed: int | np.random.Generator = 0,
    reference_compatible: bool = False,
) -> RayCamera:
    """The pinhole camera, principal point included, that most of the rays agree on.

    Exact on exact rays, whatever 30 % of them say. Trials of four rays each are scored together by their median
    angle; the best is refined by re-weighted least squares, first over all homographies, which is linear, then over
    rotation, focal lengths and principal point. Only angles count, so the window's axes do not matter.

    Args:
        rays: (h, w, 6) direction of any length, pointing away from the camera, then origin. Those that are not
            finite are left out.
        confidence: (h, w) larger is surer; zero or not finite leaves the ray out.
        seed: of the random draws, or what draws them. The same number gives the same answer.
        reference_compatible: do as the published package does (`reference_rays`), errors included.

    Raises:
        ValueError: on a wrong shape.
        DegenerateGeometryError: when the rays determine no camera, or agree on none.
    """
    ray_map, weight = np.asarray(rays), np.asarray(confidence)
    if ray_map.ndim != 3 or ray_map.shape[2] != 6 or weight.shape != ray_map.shape[:2]:
        raise ValueError(f"rays must be (h, w, 6) and confidence (h, w), not {ray_map.shape} and {weight.shape}")
    generator = np.random.default_rng(seed)
    drawn = _drawn(ray_map, weight)
    if reference_compatible:
        rotation, inverse_matrix, centre = solve_like_reference(ray_map, weight, generator.permutation)
    else:
        homography = _linear_fit(drawn, _best_trial(drawn, generator))
        rotation, inverse_matrix = _camera_fit(drawn, *_decomposed(homography))
        centre = _robust_mean(drawn.origins)
    predicted, _ = _predicted(rotation @ inverse_matrix, drawn)
    disagreement = float(2 * np.arcsin(np.median(_length(drawn.directions - predicted)) / 2))
    if not reference_compatible:
        _check(disagreement, inverse_matrix)
    return RayCamera(rigid(rotation, centre), _camera(weight.shape, inverse_matrix), disagreement)


def _drawn(rays: npt.NDArray[np.floating], confidence: npt.NDArray[np.floating]) -> _Rays:
    """Draw rays evenly over the confidence, in raster order."""
    h, w = confidence.shape
    usable = np.isfinite(confidence) & (confidence > 0)
    if not usable.any():
        raise DegenerateGeometryError("no ray has a confidence above zero")
    some = confidence[usable][:: 1 + np.count_nonzero(usable) // RAYS]
    weight = np.where(usable, np.minimum(confidence, MOST_CONFIDENCE * np.median(some)), 0.0)
    steps = np.cumsum(weight, dtype=np.float64)
    index = np.searchsorted(steps, (np.arange(RAYS) + 0.5) / RAYS * steps[-1])  # never a ray without weight
    drawn = rays.reshape(-1, 6)[index].T.astype(np.float64)
    length = _length(drawn[:3])
    good = np.isfinite(drawn).all(axis=0) & (length > 0)
    if not good.any():
        raise DegenerateGeometryError("no ray has a finite origin and a direction")
    rows, columns = np.divmod(index[good], w)
    pixels = np.stack(((2 * columns + 1) / w - 1, (2 * rows + 1) / h - 1, np.ones(len(rows))))
    directions = drawn[:3, good] / length[good]
    return _Rays(pixels, directions, drawn[3:, good], _products(pixels, pixels), _products(directions, directions))


def _best_trial(rays: _Rays, generator: np.random.Generator) -> FloatArray:
    """H (3, 3) through four of the rays, so chosen that the median angle to all is smallest."""
    trials = generator.integers(0, rays.pixels.shape[1], (4, TRIALS))
    homographies = _right_handed(_through_four(rays.pixels[:, trials], rays.directions[:, trials]))
    few = np.s_[:, :: max(1, rays.pixels.shape[1] // RAYS_PER_TRIAL)]
    # cos = d.Hp / |Hp|, where d.Hp and |Hp|^2 are linear in H and in H'H: two matrix products score all trials.
    along = homographies.reshape(-1, 9) @ _products(rays.directions[few], rays.pixels[few])
    gram = np.einsum("tki,tkj->tij", homographies, homographies)
    square = gram.reshape(-1, 9) @ rays.pp[few]
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.where(square > 0, along / np.sqrt(square), -1.0)
    middle = cosine.shape[1] // 2
    return homographies[np.argmax(np.partition(cosine, middle, axis=1)[:, middle])]


def _through_four(pixels: FloatArray, directions: FloatArray) -> FloatArray:
    """H (T, 3, 3) that takes four pixels (3, 4, T) to four directions (3, 4, T); singular when three lie in line.

    With p4 = sum l_k p_k and d4 = sum m_k d_k, H = sum m_k / l_k d_k c_k', where c_k is dual to p1, p2, p3 (projective
    bases, Hartley and Zisserman 2003, section 2.3); here times l1 l2 l3, so that nothing is divided by.
    """
    dual = np.cross(pixels[:, (1, 2, 0)], pixels[:, (2, 0, 1)], axis=0)
    dual_direction = np.cross(directions[:, (1, 2, 0)], directions[:, (2, 0, 1)], axis=0)
    part = np.einsum("ikt,it->kt", dual, pixels[:, 3])
    part_direction = np.einsum("ikt,it->kt", dual_direction, directions[:, 3])
    factor = part_direction * part[[1, 2, 0]] * part[[2, 0, 1]]
    return np.einsum("kt,ikt,jkt->tij", factor, directions[:, :3], dual)


def _linear_fit(rays: _Rays, homography: FloatArray) -> FloatArray:
    """H after re-weighted least squares of the sines |d x Hp| / |Hp|: a smallest eigenvector."""
    for _ in range(LINEAR_STEPS):
        predicted, length = _predicted(homography, rays)
        weight = _tukey(_length(rays.directions - predicted), MEDIAN_LENGTH_2D, ROUNDING)
        smallest = np.linalg.eigh(_normal_matrix(rays, weight / length**2))[1][:, 0]
        homography = _right_handed(smallest.reshape(3, 3))
    return homography


def _decomposed(homography: FloatArray) -> tuple[FloatArray, FloatArray]:
    """R and L of H = R L, the skew left out. L is upper triangular, so this is QR with a positive diagonal."""
    if np.linalg.matrix_rank(homography) < 3:
        raise DegenerateGeometryError("the rays are parallel or lie in one plane: no camera has them")
    rotation, inverse_matrix = np.linalg.qr(homography)
    sign = np.sign(np.diag(inverse_matrix))
    inverse_matrix = inverse_matrix * sign[:, None] / abs(inverse_matrix[2, 2])
    inverse_matrix[0, 1] = 0.0
    return rotation * sign, inverse_matrix


def _camera_fit(rays: _Rays, rotation: FloatArray, inverse_matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """R and L after re-weighted Gauss-Newton over the seven numbers that a camera has."""
    for _ in range(CAMERA_STEPS):
        predicted, length = _predicted(rotation @ inverse_matrix, rays)
        difference = rays.directions - predicted
        weight = _tukey(_length(difference), MEDIAN_LENGTH_2D, ROUNDING)
        # Without the part along the ray, noise would make focal lengths too long by twice its variance.
        across = difference - np.sum(difference * predicted, axis=0) * predicted
        gradient = (across * (weight / length)) @ rays.pixels.T
        normal = _normal_matrix(rays, weight / length**2)
        rotation, inverse_matrix = _stepped(rotation, inverse_matrix, normal, gradient)
    return rotation, inverse_matrix


def _stepped(
    rotation: FloatArray, inverse_matrix: FloatArray, normal: FloatArray, gradient: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """One Gauss-Newton step over a rotation vector in the camera, log a, log b, p and q; `gradient` is that by H."""
    change = np.zeros((7, 3, 3))
    change[:3] = np.cross(np.eye(3)[:, None], inverse_matrix.T).swapaxes(1, 2)  # [e_k]x L
    change[(3, 4, 5, 6), (0, 1, 0, 1), (0, 1, 2, 2)] = (inverse_matrix[0, 0], inverse_matrix[1, 1], 1.0, 1.0)
    jacobian = (rotation @ change).reshape(7, 9)
    try:
        step = np.linalg.solve(jacobian @ normal @ jacobian.T, jacobian @ gradient.ravel())
    except np.linalg.LinAlgError:
        step = np.full(7, np.inf)
    if not np.abs(step).max() < LARGEST_STEP:
        raise DegenerateGeometryError("the rays that agree are too few, or too alike, to determine a camera")
    stepped = inverse_matrix.copy()
    stepped[(0, 1), (0, 1)] *= np.exp(step[3:5])
    stepped[:2, 2] += step[5:]
    return nearest_rotation(rotation @ matrix_from_rotation_vector(step[:3])), stepped


def _check(disagreement: float, inverse_matrix: FloatArray) -> None:
    """Raise when the rays are further from the camera's than can be told from no camera at all."""
    left, right, top, bottom = np.array([(-1, 0, 1), (1, 0, 1), (0, -1, 1), (0, 1, 1)]) @ inverse_matrix.T
    view = min(_angle(left, right), _angle(top, bottom))
    if not disagreement < min(MOST_DISAGREEMENT_RAD, MOST_DISAGREEMENT_OF_VIEW * view):
        raise DegenerateGeometryError(
            f"the rays agree on no camera: half of them are more than {np.degrees(disagreement):.1f} deg from those "
            f"of the best, which sees {np.degrees(view):.1f} deg"
        )


def _angle(a: FloatArray, b: FloatArray) -> float:
    return float(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b))


def _robust_mean(points: FloatArray) -> FloatArray:
    """(3,) mean of (3, N) points without those that lie far from most."""
    mean = np.median(points, axis=1)
    rounding = ROUNDING * np.abs(mean).max() + np.sqrt(np.finfo(float).tiny)
    for _ in range(MEAN_STEPS):
        weight = _tukey(_length(points - mean[:, None]), MEDIAN_LENGTH_3D, rounding)
        mean = (points @ weight) / weight.sum()
    return mean


def _tukey(distance: FloatArray, median_length: float, least: float) -> FloatArray:
    """Tukey's weights (N,) of distances whose standard deviation per axis is found from their median."""
    sigma = max(float(np.median(distance)) / median_length, least)
    return (1.0 - np.minimum(distance / (TUKEY_SIGMAS * sigma), 1.0) ** 2) ** 2


def _predicted(homography: FloatArray, rays: _Rays) -> tuple[FloatArray, FloatArray]:
    """Unit directions (3, N) of all pixels, and the lengths (N,) that they had, for H of about length one."""
    seen = homography @ rays.pixels
    length = np.maximum(_length(seen), ROUNDING)  # H may be singular
    return seen / length, length


def _normal_matrix(rays: _Rays, weight: FloatArray) -> FloatArray:
    """N (9, 9) with h'Nh = sum of weight |d x Hp|^2 for h = (H11, H12, ...): sum of weight (I - dd') (x) pp'."""
    sums = ((rays.dd * weight) @ rays.pp.T).reshape(3, 3, 3, 3)
    return np.kron(np.eye(3), np.einsum("iikl->kl", sums)) - sums.transpose(0, 2, 1, 3).reshape(9, 9)


def _right_handed(homography: FloatArray) -> FloatArray:
    """H (..., 3, 3), whose factor is free, of length one and with the sign for which R is a rotation; zero stays."""
    length = np.linalg.norm(homography, axis=(-2, -1), keepdims=True)
    unit = homography / np.where(length > 0, length, 1.0)
    return np.where(np.linalg.det(unit)[..., None, None] < 0, -unit, unit)


def _length(vectors: FloatArray) -> FloatArray:
    """(N,) of (3, N)."""
    return np.sqrt(vectors[0] ** 2 + vectors[1] ** 2 + vectors[2] ** 2)


def _products(a: FloatArray, b: FloatArray) -> FloatArray:
    """(9, N) all products of components of (3, N) and (3, N)."""
    return (a[:, None] * b[None]).reshape(9, -1)


def _camera(size: tuple[int, ...], inverse_matrix: FloatArray) -> PinholeCamera:
    """K of L, from units of half the map to its pixels, whose centres are integers."""
    h, w = size
    (a, _, p), (_, b, q), _ = inverse_matrix.tolist()
    return PinholeCamera((h, w), w / (2 * a), h / (2 * b), (w * (1 - p / a) - 1) / 2, (h * (1 - q / b) - 1) / 2)
