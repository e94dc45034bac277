# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras of a prediction from the camera head or from rays, as the setting says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.inference.engine import EngineError
from da3_ros.inference.estimator import POSE_SOURCES, DepthEstimator
from da3_ros.model.backbone import ViewTokens
from da3_ros.model.network import NetworkOutput
from test.model.tiny import tiny_network

CPU = torch.device("cpu")
SIZE = (42, 56)
CAMERA = PinholeCamera(SIZE, 50.0, 52.0, 35.0, 18.0)
POSES = rigid(
    matrix_from_rotation_vector([[0.0, 0.0, 0.0], [0.1, 0.2, 0.0], [0.0, -2.0, 0.1]]),
    [[0.0, 0.0, 0.0], [1.0, 0.0, 0.2], [2.0, 0.5, 0.0]],
)


@pytest.fixture(autouse=True)
def keep_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def images_of(views: int) -> list[npt.NDArray[np.uint8]]:
    return list(np.random.default_rng(0).integers(0, 256, (views, *SIZE, 3), dtype=np.uint8))


class _Scripted(torch.nn.Module):
    """Stands for a network that gives these rays, if asked, and cameras at the origin."""

    def __init__(self, rays: npt.NDArray[np.floating]) -> None:
        super().__init__()
        self.rays = torch.from_numpy(rays).float()[None]

    def encode(self, images: torch.Tensor) -> ViewTokens:
        return ViewTokens(images.flatten(2), images[:, :, 0, 0], (images.shape[2], images.shape[3]))

    def relate(self, views: ViewTokens, batch: int, want_rays: bool, **__: object) -> NetworkOutput:
        (B, V), (H, W) = (batch, len(views.tokens) // batch), views.grid
        depth, eye = torch.ones(B, V, H, W), torch.eye(4).expand(B, V, 4, 4)
        rays = (self.rays, 2 * torch.ones(self.rays.shape[:-1])) if want_rays else (None, None)
        return NetworkOutput(depth, 2 * depth, eye, 50.0 * eye[..., :3, :3], *rays)


def scripted(rays: npt.NDArray[np.floating], pose_source: str) -> DepthEstimator:
    network: Any = _Scripted(rays)
    return DepthEstimator(network, CPU, process_resolution=56, pose_source=pose_source, cpu_threads=1)


def rays_of(image_camera: PinholeCamera, window_from_camera: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """The ray map that a perfect network would give for that image: eight rays where it has fourteen pixels."""
    H, W = image_camera.size
    directions = image_camera.resized((H * 8 // 14, W * 8 // 14)).rays() @ window_from_camera[:3, :3].T
    return np.concatenate((directions, np.broadcast_to(window_from_camera[:3, 3], directions.shape)), axis=2)


def test_cameras_and_poses_are_those_of_the_rays_when_rays_are_the_source() -> None:
    rays = np.stack([rays_of(CAMERA, pose) for pose in POSES])
    given = PinholeCamera(SIZE, 40.0, 40.0, 27.0, 20.0)

    found = scripted(rays, "rays").estimate(images_of(3), [given, None, None])

    np.testing.assert_allclose(found.window_from_camera, POSES, atol=1e-5)
    for camera in found.predicted_cameras:
        assert camera.size == SIZE
        np.testing.assert_allclose(camera.matrix, CAMERA.matrix, rtol=1e-5)
    assert found.cameras == (given, *found.predicted_cameras[1:])


def test_view_keeps_the_camera_of_the_head_when_its_rays_agree_on_none(caplog: pytest.LogCaptureFixture) -> None:
    garbage = np.random.default_rng(0).normal(size=(24, 32, 6))

    found = scripted(np.stack((rays_of(CAMERA, POSES[1]), garbage)), "rays").estimate(images_of(2))

    np.testing.assert_allclose(found.window_from_camera[0], POSES[1], atol=1e-5)
    np.testing.assert_array_equal(found.window_from_camera[1], np.eye(4))
    assert found.predicted_cameras[1] == PinholeCamera(SIZE, 50.0, 50.0, -0.5, -0.5)
    assert "view 1" in caplog.text
    assert "camera head" in caplog.text


def test_rays_are_not_asked_for_when_the_camera_head_is_the_source() -> None:
    rays = np.stack([rays_of(CAMERA, POSES[1])])

    found = scripted(rays, "camera_head").estimate(images_of(1))

    np.testing.assert_array_equal(found.window_from_camera[0], np.eye(4))


def test_depth_is_the_same_whatever_the_source_of_poses() -> None:
    network = tiny_network()

    ours, theirs = (
        DepthEstimator(network, CPU, process_resolution=56, pose_source=name, cpu_threads=1).estimate(images_of(3))
        for name in POSE_SOURCES
    )

    np.testing.assert_array_equal(ours.depth, theirs.depth)
    np.testing.assert_array_equal(ours.confidence, theirs.confidence)


def test_infinity_in_the_rays_is_an_engine_error_that_names_the_view() -> None:
    rays = np.ones((2, 24, 32, 6))
    rays[1, 3, 4, 5] = np.inf

    with pytest.raises(EngineError, match="ray of view 1 holds a NaN or infinity"):
        scripted(rays, "rays").estimate(images_of(2))
