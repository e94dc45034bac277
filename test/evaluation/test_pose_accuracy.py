# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of relative poses against scipy and brute force, and the laws they obey."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from da3_ros.evaluation.pose_accuracy import (
    AUC_THRESHOLDS_DEG,
    benchmark_motions,
    pair_motions,
    pose_auc,
    relative_pose_errors,
)
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import Sim3, rigid
from test.strategies import seeds, sim3s


def poses_of(seed: int, views: int = 5) -> FloatArray:
    generator = np.random.default_rng(seed)
    return rigid(
        matrix_from_rotation_vector(generator.normal(size=(views, 3))), generator.uniform(-3, 3, size=(views, 3))
    )


def by_hand(estimated: FloatArray, true: FloatArray) -> tuple[list[float], list[float]]:
    """Pair by pair, with scipy's rotations and the arc cosine."""
    turns, shifts = [], []
    for i, j in combinations(range(len(true)), 2):
        ours, theirs = (np.linalg.inv(poses[i]) @ poses[j] for poses in (estimated, true))
        error = Rotation.from_matrix(ours[:3, :3]).inv() * Rotation.from_matrix(theirs[:3, :3])
        turns.append(float(np.rad2deg(error.magnitude())))
        cosine = ours[:3, 3] @ theirs[:3, 3] / np.linalg.norm(ours[:3, 3]) / np.linalg.norm(theirs[:3, 3])
        angle = float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))
        shifts.append(min(angle, 180 - angle))
    return turns, shifts


def auc_by_counting(errors: npt.NDArray[np.floating], threshold: int) -> float:
    """Mean over whole degrees of the share of errors below; the last degree includes its end."""
    shares = [np.mean(errors < degree) for degree in range(1, threshold)] + [np.mean(errors <= threshold)]
    return float(np.mean(shares))


@given(seeds, seeds)
def test_errors_are_those_of_an_independent_computation(first: int, second: int) -> None:
    estimated, true = poses_of(first), poses_of(second)

    errors = relative_pose_errors(pair_motions(estimated), pair_motions(true))

    turns, shifts = by_hand(estimated, true)
    np.testing.assert_allclose(errors.rotation_deg, turns, atol=1e-5)
    np.testing.assert_allclose(errors.translation_deg, shifts, atol=1e-5)
    np.testing.assert_allclose(errors.worst_deg, np.maximum(turns, shifts), atol=1e-5)


def test_angles_of_a_pair_are_those_worked_out_by_hand() -> None:
    true = rigid(np.eye(3), [1.0, 0.0, 0.0])[None]
    estimated = rigid(matrix_from_rotation_vector([0.0, 0.0, np.deg2rad(10)]), [-1.0, 1.0, 0.0])[None]

    errors = relative_pose_errors(estimated, true)

    assert errors.rotation_deg[0] == pytest.approx(10)
    assert errors.translation_deg[0] == pytest.approx(45)  # 135 degrees, without the sign
    assert errors.worst_deg[0] == pytest.approx(45)


@given(seeds, sim3s())
def test_gauge_of_the_estimate_changes_nothing(seed: int, gauge: Sim3) -> None:
    estimated, true = poses_of(seed), poses_of(seed + 1)

    before = relative_pose_errors(pair_motions(estimated), pair_motions(true))
    after = relative_pose_errors(pair_motions(gauge.apply_to_poses(estimated)), pair_motions(true))

    np.testing.assert_allclose(after.rotation_deg, before.rotation_deg, atol=1e-6)
    np.testing.assert_allclose(after.translation_deg, before.translation_deg, atol=1e-6)


@given(seeds, sim3s())
def test_true_motion_is_perfect_in_every_gauge(seed: int, gauge: Sim3) -> None:
    true = poses_of(seed)

    errors = relative_pose_errors(pair_motions(gauge.apply_to_poses(true)), pair_motions(true))

    assert errors.worst_deg.max() < 1e-4
    assert [pose_auc(errors.worst_deg, threshold) for threshold in AUC_THRESHOLDS_DEG] == [1.0] * 4


def test_benchmarks_motions_give_the_figures_of_its_own_code() -> None:
    at = np.linspace(0, 2 * np.pi, 30, endpoint=False)
    turns = matrix_from_rotation_vector(np.stack((0 * at, at, 0 * at), axis=-1))
    true = rigid(turns, np.stack((-2 * np.sin(at), 0.3 * np.sin(3 * at), -2 * np.cos(at)), axis=-1))
    generator = np.random.default_rng(1)
    turned = matrix_from_rotation_vector(np.deg2rad(1.0) * generator.normal(size=(30, 3)))
    estimated = true @ rigid(turned, 0.03 * generator.normal(size=(30, 3)))

    errors = relative_pose_errors(benchmark_motions(estimated), benchmark_motions(true), 0.0)

    # What compute_pose of its revision 2c21ea8 answers for the inverses of these poses.
    theirs = [0.31340996, 0.52367816, 0.81563218, 0.90337165]
    assert [pose_auc(errors.worst_deg, threshold) for threshold in AUC_THRESHOLDS_DEG] == pytest.approx(theirs)


@given(seeds, sim3s())
def test_benchmarks_motions_are_the_same_in_every_gauge(seed: int, gauge: Sim3) -> None:
    true = poses_of(seed)

    errors = relative_pose_errors(benchmark_motions(gauge.apply_to_poses(true)), benchmark_motions(true))

    assert errors.worst_deg.max() < 1e-4


def test_pair_at_one_place_counts_by_rotation_alone_and_is_counted() -> None:
    true = np.stack([rigid(np.eye(3), [0.005, 0, 0]), rigid(np.eye(3), [1.0, 0, 0])])
    estimated = np.stack([rigid(np.eye(3), [0, 1.0, 0])] * 2)

    errors = relative_pose_errors(estimated, true)

    assert errors.undirected == 1
    assert np.isnan(errors.translation_deg[0])
    np.testing.assert_allclose(errors.worst_deg, [0, 90], atol=1e-9)
    assert relative_pose_errors(estimated, true, min_baseline=0.0).undirected == 0


def test_standing_estimate_of_a_true_baseline_is_wholly_wrong() -> None:
    errors = relative_pose_errors(np.eye(4)[None], rigid(np.eye(3), [1.0, 0, 0])[None])

    assert errors.translation_deg[0] == pytest.approx(90)


def test_motions_of_other_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="motions must be"):
        relative_pose_errors(np.eye(4)[None], np.stack([np.eye(4)] * 2))


@given(st.lists(st.floats(0.0, 180.0), min_size=1, max_size=60), st.sampled_from(AUC_THRESHOLDS_DEG))
def test_auc_is_the_mean_share_of_errors_below_each_degree(errors: list[float], threshold: int) -> None:
    assert pose_auc(errors, threshold) == pytest.approx(auc_by_counting(np.array(errors), threshold))


def test_auc_is_that_worked_out_by_hand() -> None:
    # Below one degree: one of four; below two: two; below three: three, as the end belongs to the last degree.
    assert pose_auc([0.5, 1.0, 3.0, 40.0], 3) == pytest.approx((1 + 2 + 3) / 4 / 3)
    assert np.isnan(pose_auc([], 3))
