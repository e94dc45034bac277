# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From camera images to what the network sees, and the exact way back to source pixels.

Sizes and pixels equal those of the reference's `upper_bound_resize`: the longest side is scaled to the process
resolution, then each side to the nearest multiple of the patch size, each step rounding to uint8.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera, distort
from da3_ros.geometry.rotation import FloatArray
from da3_ros.inference.engine import Image
from da3_ros.inference.feature_cache import FeatureCache, ImageIdentity
from da3_ros.inference.rectification import Rectification, rectification_of

PATCH_SIZE_PX = 14
_CACHED_CAMERAS = 16


@dataclass(frozen=True, slots=True, eq=False)
class ProcessedViews:
    """V images of one size (h, w), both multiples of the patch size.

    Attributes:
        images: (V, h, w, 3) uint8 RGB, rectified where the camera was distorted.
        valid: (V, h, w) bool; False where rectification found nothing in the source image.
        cameras: V distortion-free cameras of exactly these images; None where uncalibrated.
        source_cameras: V cameras of the source images, as given.
        source_from_processed: (V, 3, 3) float64 affine maps of homogeneous pixels (u, v, 1), centres at integers, to
            the source image; for a distorted camera to its rectified image of source size (see `source_pixels`).
        identities: of these images, equal only where the pixels are equal; empty when the source images had none.
    """

    images: npt.NDArray[np.uint8]
    valid: npt.NDArray[np.bool_]
    cameras: tuple[PinholeCamera | None, ...]
    source_cameras: tuple[PinholeCamera | None, ...]
    source_from_processed: FloatArray
    identities: tuple[Hashable, ...] = ()

    def source_pixels(self, view: int, pixels: npt.ArrayLike) -> FloatArray:
        """Where pixels of one processed view lie in its source image, lens distortion included.

        Args:
            view: index into V.
            pixels: (..., 2) u, v in the processed image.

        Returns:
            (..., 2) float64 u, v in the source image; possibly outside of it where `valid` is False.
        """
        affine = self.source_from_processed[view]
        source = np.asarray(pixels, dtype=np.float64) @ affine[:2, :2].T + affine[:2, 2]
        camera = self.source_cameras[view]
        if camera is None or not camera.is_distorted:
            return source
        focal, centre = (camera.fx_px, camera.fy_px), (camera.cx_px, camera.cy_px)
        return distort((source - centre) / focal, camera.distortion_model, camera.distortion) * focal + centre


class Preprocessor:
    """Rectifies and resizes the views of a window; remembers the rectification of the cameras seen last.

    Args:
        process_resolution: pixels of the longest side after resizing.
        cache: keeps processed images that have an identity; None for none.
    """

    def __init__(self, process_resolution: int = 504, cache: FeatureCache | None = None) -> None:
        if process_resolution < PATCH_SIZE_PX:
            raise ValueError(f"process resolution is {process_resolution} px, below one patch of {PATCH_SIZE_PX} px")
        self.process_resolution = process_resolution
        self._cache = cache
        self._rectifications: OrderedDict[PinholeCamera, Rectification] = OrderedDict()

    def process(
        self,
        images: Sequence[Image],
        cameras: Sequence[PinholeCamera | None] | None = None,
        identities: Sequence[ImageIdentity] | None = None,
    ) -> ProcessedViews:
        """Bring images of any sizes to the one size that the network sees.

        Where the resized images differ in size, all are cropped about their middles to the smallest height and width.

        Args:
            images: V images (H, W, 3) uint8 RGB.
            cameras: their calibration, None where there is none.
            identities: of the images, for the cache; None without.

        Raises:
            ValueError: when an image or its camera is malformed; the message names the view.
        """
        given = (None,) * len(images) if cameras is None else tuple(cameras)
        _check_views(images, given)
        steps = [_resize_steps(view, image.shape, self.process_resolution) for view, image in enumerate(images)]
        size = (min(step[-1][0] for step in steps), min(step[-1][1] for step in steps))
        keys: list[Hashable] = []
        if identities is not None:
            keys = [(*one, size) for one in zip(identities, given, steps, strict=True)]
        pixels = np.empty((len(images), *size, 3), dtype=np.uint8)
        valid = np.ones((len(images), *size), dtype=np.bool_)
        for view, (image, camera) in enumerate(zip(images, given, strict=True)):
            pixels[view], valid[view] = self._remembered(keys[view] if keys else None, image, camera, steps[view], size)
        resized = [step[-1] for step in steps]
        return ProcessedViews(
            images=pixels,
            valid=valid,
            cameras=tuple(
                None if camera is None else processed_camera(camera, whole, size)
                for camera, whole in zip(given, resized, strict=True)
            ),
            source_cameras=given,
            source_from_processed=np.stack(
                [_source_from_processed(image.shape, whole, size) for image, whole in zip(images, resized, strict=True)]
            ),
            identities=tuple(keys),
        )

    def _remembered(
        self,
        key: Hashable | None,
        image: Image,
        camera: PinholeCamera | None,
        steps: tuple[tuple[int, int], ...],
        size: tuple[int, int],
    ) -> tuple[Image, npt.NDArray[np.bool_]]:
        """One processed image and its mask, from the cache if it is there."""
        if key is None or self._cache is None:
            return self._one(image, camera, steps, size)
        found: tuple[Image, npt.NDArray[np.bool_]] | None = self._cache.get(("pixels", key))
        if found is None:
            pixels, valid = self._one(image, camera, steps, size)
            found = (pixels.copy(), valid)  # may be the caller's own array, which need not stay as it is
            self._cache.put(("pixels", key), found, found[0].nbytes + found[1].nbytes)
        return found

    def _one(
        self, image: Image, camera: PinholeCamera | None, steps: tuple[tuple[int, int], ...], size: tuple[int, int]
    ) -> tuple[Image, npt.NDArray[np.bool_]]:
        """One image, rectified, resized and cropped, and where it has something to show."""
        source = np.ascontiguousarray(image)
        valid = np.ones(size, dtype=np.bool_)
        if camera is not None and camera.is_distorted:
            rectification = self._rectification(camera, steps)
            source = rectification.apply(source)
            valid = _middle(rectification.valid, size)
        return _middle(_resized(source, steps), size), valid

    def _rectification(self, camera: PinholeCamera, steps: tuple[tuple[int, int], ...]) -> Rectification:
        found = self._rectifications.pop(camera, None) or rectification_of(camera, steps)
        self._rectifications[camera] = found
        if len(self._rectifications) > _CACHED_CAMERAS:
            self._rectifications.popitem(last=False)
        return found


def processed_camera(camera: PinholeCamera, resized: tuple[int, int], size: tuple[int, int]) -> PinholeCamera:
    """The camera of an image after rectification, resizing to `resized` and cropping to the middle `size`."""
    top, left = _crop_offset(resized, size)
    return camera.undistorted().resized(resized).cropped(top, left, size)


def _resize_steps(view: int, shape: tuple[int, ...], process_resolution: int) -> tuple[tuple[int, int], ...]:
    """The sizes that an image passes through. Python's `round` takes halves to the even side, as the reference does."""
    height, width = shape[:2]
    scale = process_resolution / float(max(height, width))
    bounded = (max(1, round(height * scale)), max(1, round(width * scale)))
    final = (_nearest_multiple(bounded[0]), _nearest_multiple(bounded[1]))
    if 0 in final:
        raise ValueError(f"view {view}: an image of {height}x{width} is too narrow: less than half a patch is left")
    return bounded, final


def _nearest_multiple(side: int) -> int:
    """The multiple of the patch size nearest to `side`, the larger of two equally near ones."""
    return (side + PATCH_SIZE_PX // 2) // PATCH_SIZE_PX * PATCH_SIZE_PX


def _resized(image: Image, sizes: tuple[tuple[int, int], ...]) -> Image:
    for height, width in sizes:
        if (height, width) != image.shape[:2]:
            grows = height > image.shape[0] or width > image.shape[1]
            image = np.asarray(
                cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC if grows else cv2.INTER_AREA),
                dtype=np.uint8,
            )
    return image


def _crop_offset(whole: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int]:
    """Row and column where the middle `size` of `whole` begins. Both are multiples of 14, so the halves are exact."""
    return (whole[0] - size[0]) // 2, (whole[1] - size[1]) // 2


def _middle(array: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    top, left = _crop_offset(array.shape, size)
    return array[top : top + size[0], left : left + size[1]]


def _source_from_processed(source: tuple[int, ...], resized: tuple[int, int], size: tuple[int, int]) -> FloatArray:
    """Invert crop and resize. Resizing keeps the borders, so pixel centres map as u + 0.5 = (u' + 0.5) * scale."""
    top, left = _crop_offset(resized, size)
    scale_v, scale_u = source[0] / resized[0], source[1] / resized[1]
    return np.array(
        [
            [scale_u, 0.0, (left + 0.5) * scale_u - 0.5],
            [0.0, scale_v, (top + 0.5) * scale_v - 0.5],
            [0.0, 0.0, 1.0],
        ]
    )


def _check_views(images: Sequence[Image], cameras: tuple[PinholeCamera | None, ...]) -> None:
    if len(images) == 0:
        raise ValueError("there is no view to estimate")
    if len(cameras) != len(images):
        raise ValueError(f"{len(images)} images came with {len(cameras)} cameras: give one, or None, for each")
    for view, (image, camera) in enumerate(zip(images, cameras, strict=True)):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(f"view {view}: an image must be (H, W, 3) uint8, not {image.shape} {image.dtype}")
        if camera is not None and camera.size != image.shape[:2]:
            raise ValueError(f"view {view}: the image is {image.shape[:2]}, its camera is for {camera.size} (H, W)")
