# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The same cameras twice, in two frames, each time with errors of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_vector_from_matrix
from da3_ros.geometry.sim3 import Sim3, rigid
from da3_ros.geometry.view_registration import ViewRegistration, register_views

VARIANCES = np.repeat((3.5e-3, 0.01, 5e-3), (3, 3, 1)) ** 2  # of one view, target unit
SIGMAS = np.sqrt(VARIANCES)
TRUTH = Sim3(0.7, matrix_from_rotation_vector([0.4, -1.0, 2.0]), np.array([3.0, -1.0, 2.0]))


@dataclass(frozen=True)
class Views:
    """What `register_views` takes; `truth` is the transform between what both were made from."""

    target: FloatArray
    prior: FloatArray
    source: FloatArray
    log_ratio: FloatArray
    truth: Sim3

    def register(self) -> ViewRegistration:
        return register_views(
            self.target, self.prior, self.source, self.log_ratio, VARIANCES, np.ones(len(self.target))
        )


def shaken(poses: FloatArray, errors: FloatArray) -> FloatArray:
    """Estimates whose errors (N, 7) these are: true = exp(e) estimate."""
    return rigid(matrix_from_rotation_vector(-errors[:, :3]) @ poses[:, :3, :3], poses[:, :3, 3] - errors[:, 3:6])


def views_of(seed: int, count: int, spread: float = 0.5, noise: float = 1.0, truth: Sim3 = TRUTH) -> Views:
    """Both with independent noise, so many times VARIANCES; the target frame is the true one."""
    generator = np.random.default_rng(seed)
    true = rigid(
        matrix_from_rotation_vector(0.5 * generator.normal(size=(count, 3))), spread * generator.normal(size=(count, 3))
    )
    in_target, in_source = noise * generator.normal(size=(2, count, 7)) * SIGMAS
    return Views(
        target=shaken(true, in_target),
        prior=np.diag(np.tile(VARIANCES, count)),
        source=truth.inverse().apply_to_poses(shaken(true, in_source)),
        log_ratio=np.log(truth.scale) - in_target[:, 6] + in_source[:, 6],
        truth=truth,
    )


def error_of(found: ViewRegistration, truth: Sim3) -> FloatArray:
    """(7,) rotation vector, shift of the pivot, log scale: true minus found."""
    turn = rotation_vector_from_matrix(truth.rotation @ found.target_from_source.rotation.T)
    at_pivot = found.target_from_source.inverse().apply(found.pivot)
    shift = truth.apply(at_pivot) - found.pivot
    return np.concatenate((turn, shift, [np.log(truth.scale / found.target_from_source.scale)]))


def joint_prior(seed: int, count: int) -> FloatArray:
    """Correlated errors of the target's views, alike in all directions."""
    mixed = 0.3 * np.random.default_rng((seed, 1)).normal(size=(count, count))
    return np.kron(mixed @ mixed.T, np.diag(VARIANCES)) + np.diag(np.tile(VARIANCES, count))
