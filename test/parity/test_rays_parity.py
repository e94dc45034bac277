# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The reference-compatible ray solver says what the published one says, given the same random draws."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rays import RayCamera, camera_from_rays
from da3_ros.geometry.reference_rays import TRIALS
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid_inverse
from da3_ros.inference.network_cameras import network_intrinsics_from_camera
from test.closeness import assert_close

TOLERANCE = 1e-5


class TheirDraws(np.random.Generator):
    """PyTorch's random permutations, in the order in which the reference asks for them: trials once for all views."""

    def __init__(self, seed: int) -> None:
        super().__init__(np.random.PCG64(0))
        torch.manual_seed(seed)
        self._trials: list[npt.NDArray[np.int64]] = []
        self._asked = 0

    def next_view(self) -> TheirDraws:
        self._asked = 0
        return self

    def permutation(self, x: int, axis: int = 0) -> npt.NDArray[np.int64]:  # type: ignore[override]
        self._asked += 1
        if self._asked > TRIALS:
            return torch.randperm(x).numpy()
        if self._asked > len(self._trials):
            self._trials.append(torch.randperm(x).numpy())
        return self._trials[self._asked - 1]


def ours(rays: Tensor, confidence: Tensor, seed: int) -> list[RayCamera]:
    draws = TheirDraws(seed)
    return [
        camera_from_rays(ray_map.numpy(), sure.numpy(), seed=draws.next_view(), reference_compatible=True)
        for ray_map, sure in zip(rays, confidence, strict=True)
    ]


def ray_maps(size: tuple[int, int], seed: int) -> tuple[Tensor, Tensor]:
    """Three views (3, h, w, 6) with noise, 20 % garbage and an odd principal point, and confidence (3, h, w)."""
    generator = np.random.default_rng(seed)
    h, w = size
    maps = []
    for _ in range(3):
        camera = PinholeCamera(size, 0.8 * w, 0.7 * w, *generator.uniform(0.35, 0.65, 2) * (w, h))
        rotation = matrix_from_rotation_vector(0.4 * generator.normal(size=3))
        directions = camera.rays() @ rotation.T
        rays: FloatArray = np.concatenate((directions, np.broadcast_to(generator.normal(size=3), directions.shape)), 2)
        rays = rays + 0.01 * generator.normal(size=rays.shape)
        garbage = generator.random(size) < 0.2
        rays[garbage] = generator.normal(size=(garbage.sum(), 6))
        rays[0, 0, 2] = 0.0  # parallel to the plane on which the reference compares
        maps.append(rays)
    confidence = 1 + generator.exponential(size=(3, h, w))
    return torch.from_numpy(np.stack(maps)).float(), torch.from_numpy(confidence).float()


# The second has more inliers than the reference uses.
@pytest.mark.parametrize(("size", "seed"), [((32, 48), 1), ((32, 48), 2), ((32, 48), 3), ((96, 120), 4)], ids=str)
def test_cameras_are_those_of_the_reference(size: tuple[int, int], seed: int) -> None:
    ray_utils = pytest.importorskip(
        "depth_anything_3.utils.ray_utils", reason="NOT RUN: pip install --no-deps depth-anything-3==0.1.1"
    )
    rays, confidence = ray_maps(size, seed)
    torch.manual_seed(seed)
    # Of the last factor they use the last row only, which the thin decomposition gives without a gigabyte.
    with patch.object(torch.linalg, "svd", partial(torch.linalg.svd, full_matrices=False)):
        poses, focals, principal_points = ray_utils.get_extrinsic_from_camray(
            rays[None].clone(), confidence[None].clone(), *size
        )

    found = ours(rays, confidence, seed)

    h, w = size
    matrices = [network_intrinsics_from_camera(view.camera) for view in found]
    assert_close([view.window_from_camera for view in found], poses[0], TOLERANCE)
    assert_close([(2 * K[0, 0] / w, 2 * K[1, 1] / h) for K in matrices], focals[0], TOLERANCE)
    assert_close([(2 * K[0, 2] / w, 2 * K[1, 2] / h) for K in matrices], principal_points[0], TOLERANCE)


def test_cameras_are_those_that_the_reference_recorded(shared_golden: Path) -> None:
    theirs = load_file(shared_golden / "tiny_alt2_n3_ray.safetensors")

    found = ours(theirs["head.ray"][0], theirs["head.ray_conf"][0], seed=1234)

    camera_from_window = rigid_inverse(np.stack([view.window_from_camera for view in found]))
    matrices = [network_intrinsics_from_camera(view.camera.resized((56, 84))) for view in found]
    assert_close(camera_from_window[:, :3], theirs["out.extrinsics"][0], TOLERANCE)
    for ours_matrix, their_matrix in zip(matrices, theirs["out.intrinsics"][0], strict=True):
        assert_close(ours_matrix, their_matrix, 1e-4)  # focal lengths of 2000 pixels at 84: ill-conditioned
