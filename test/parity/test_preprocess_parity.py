# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Our preprocessing against the reference's, on images of many sizes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.inference.estimator import network_input
from da3_ros.inference.network_cameras import network_intrinsics_from_camera
from da3_ros.inference.preprocess import Preprocessor

SIZES = [
    (480, 640),
    (1080, 1920),
    (376, 1241),
    (200, 300),
    (504, 504),
    (504, 378),
    (360, 540),
    (189, 504),  # a tie between two multiples of 14
    (1001, 503),
    (37, 29),
    (1216, 1936),
    (1024, 1000),
    (640, 481),
]


class _ToTensor:
    def __call__(self, image: Any) -> torch.Tensor:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)


class _Normalize:
    def __init__(self, mean: list[float], std: list[float]) -> None:
        self.mean, self.std = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.sub(self.mean).div(self.std)


class _CenterCrop:
    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        (H, W), (h, w) = tensor.shape[-2:], self.size
        top, left = round((H - h) / 2), round((W - w) / 2)
        return tensor[..., top : top + h, left : left + w]


@pytest.fixture(scope="module")
def reference() -> Iterator[Callable[..., tuple[Any, Any, Any]]]:
    """The reference's input processor; the three torchvision transforms it uses are stood in for."""
    pytest.importorskip("depth_anything_3", reason="NOT RUN: preprocessing parity needs depth-anything-3")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("imageio", "torchvision", "torchvision.transforms"):
            patch.setitem(sys.modules, name, ModuleType(name))
        transforms = sys.modules["torchvision.transforms"]
        for part in (_ToTensor, _Normalize, _CenterCrop):
            patch.setattr(transforms, part.__name__.lstrip("_"), part, raising=False)
        patch.setattr(sys.modules["torchvision"], "transforms", transforms, raising=False)
        from depth_anything_3.utils.io.input_processor import InputProcessor

        yield InputProcessor()


def random_image(size: tuple[int, int], seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def camera_of(size: tuple[int, int]) -> PinholeCamera:
    return PinholeCamera(size, 500.0, 480.0, size[1] * 0.45, size[0] * 0.52)


def their_bytes(tensor: torch.Tensor) -> npt.NDArray[np.int64]:
    """Undo the reference's normalisation: (V, 3, h, w) -> (V, h, w, 3) integers."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((tensor.permute(0, 2, 3, 1) * std + mean) * 255).round().long().numpy()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_pixels_equal_the_reference_bit_for_bit(reference: Any, size: tuple[int, int]) -> None:
    image = random_image(size)

    ours = Preprocessor(504).process([image]).images
    theirs, _, _ = reference([image], sequential=True)

    np.testing.assert_array_equal(ours, their_bytes(theirs))


@pytest.mark.parametrize("resolution", [280, 364, 700])
def test_pixels_equal_the_reference_when_the_resolution_is_another(reference: Any, resolution: int) -> None:
    for size in SIZES:
        image = random_image(size)

        ours = Preprocessor(resolution).process([image]).images
        theirs, _, _ = reference([image], sequential=True, process_res=resolution)

        np.testing.assert_array_equal(ours, their_bytes(theirs))


def test_tensor_equals_the_reference_to_float_precision(reference: Any) -> None:
    images = [random_image((480, 640), seed) for seed in range(3)]

    ours = network_input(Preprocessor(504).process(images).images, torch.device("cpu"))
    theirs, _, _ = reference(images, sequential=True)

    assert ours.is_contiguous()
    torch.testing.assert_close(ours[0], theirs, rtol=0, atol=1e-6)


def test_mixed_sizes_equal_the_reference_when_cropped_to_the_smallest(reference: Any) -> None:
    images = [random_image(size) for size in ((480, 640), (640, 480), (376, 1241), (500, 500))]

    ours = Preprocessor(504).process(images).images
    theirs, _, _ = reference(images, sequential=True)

    np.testing.assert_array_equal(ours, their_bytes(theirs))


@pytest.mark.parametrize("sizes", [((480, 640),), ((1080, 1920), (640, 480))], ids=str)
def test_intrinsics_equal_the_reference_in_its_own_convention(reference: Any, sizes: Any) -> None:
    cameras = [camera_of(size) for size in sizes]
    images = [random_image(size) for size in sizes]

    ours = [network_intrinsics_from_camera(c) for c in Preprocessor(504).process(images, cameras).cameras if c]
    _, _, theirs = reference(images, intrinsics=[network_intrinsics_from_camera(c) for c in cameras], sequential=True)

    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-6)
