# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Sizes, cameras and the way back to source pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.inference import preprocess
from da3_ros.inference.preprocess import Preprocessor
from da3_ros.inference.rectification import Rectification, rectification_of

BARREL = PinholeCamera((240, 320), 210.0, 205.0, 163.0, 117.0, "plumb_bob", (-0.2, 0.05, 0.002, -0.001, 0.0))
FISH_EYE = PinholeCamera((240, 320), 150.0, 150.0, 158.0, 121.0, "equidistant", (0.05, -0.01, 0.002, 0.0))
RATIONAL = PinholeCamera((240, 320), 210.0, 205.0, 163.0, 117.0, "rational_polynomial", (0.3, 0.1, 0, 0, 0, 0.5, 0, 0))


def blank(size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    return np.zeros((*size, 3), dtype=np.uint8)


def red_green_ramp(size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """An image whose red is 0.4 u and whose green is 0.4 v, so that colours tell where they are from."""
    image = blank(size)
    image[..., 0] = np.rint(0.4 * np.arange(size[1]))
    image[..., 1] = np.rint(0.4 * np.arange(size[0]))[:, None]
    return image


@pytest.mark.parametrize(
    ("source", "processed"),
    [
        ((480, 640), (378, 504)),
        ((1080, 1920), (280, 504)),
        ((376, 1241), (154, 504)),
        ((200, 300), (336, 504)),
        ((3024, 4032), (378, 504)),
        ((189, 504), (196, 504)),
    ],
)
def test_size_is_that_of_the_published_examples(source: tuple[int, int], processed: tuple[int, int]) -> None:
    assert Preprocessor(504).process([blank(source)]).images.shape == (1, *processed, 3)


def test_mixed_sizes_are_cropped_to_the_smallest_height_and_width() -> None:
    views = Preprocessor(504).process([blank((480, 640)), blank((640, 480))])

    assert views.images.shape == (2, 378, 378, 3)


def test_image_is_taken_as_it_is_when_it_has_the_size_already() -> None:
    image = np.random.default_rng(0).integers(0, 256, (280, 504, 3), dtype=np.uint8)

    views = Preprocessor(504).process([image])

    np.testing.assert_array_equal(views.images[0], image)
    np.testing.assert_array_equal(views.source_from_processed[0], np.eye(3))


def test_image_may_be_a_view_with_negative_strides() -> None:
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)

    flipped = Preprocessor(504).process([image[..., ::-1]]).images

    np.testing.assert_array_equal(flipped, Preprocessor(504).process([image.copy()]).images[..., ::-1])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(60, 400), st.integers(60, 400)), min_size=1, max_size=3),
    st.integers(100, 400),
    st.sampled_from(((-0.2, 0.05, 0.002, -0.001, 0.0), ())),
    st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
)
def test_point_seen_in_the_processed_image_lies_where_the_source_saw_it(
    sizes: list[tuple[int, int]], resolution: int, distortion: tuple[float, ...], direction: tuple[float, float]
) -> None:
    model = "plumb_bob" if distortion else "none"
    cameras = [PinholeCamera(s, 0.9 * s[1], s[1] * 1.0, s[1] * 0.45, s[0] * 0.55, model, distortion) for s in sizes]
    point = np.array([*direction, 1.0])

    views = Preprocessor(resolution).process([blank(size) for size in sizes], cameras)

    for view, (source, processed) in enumerate(zip(cameras, views.cameras, strict=True)):
        assert processed is not None
        assert processed.size == views.images.shape[1:3]
        assert not processed.is_distorted
        np.testing.assert_allclose(
            views.source_pixels(view, processed.project(point)), source.project(point), atol=1e-8
        )


@settings(max_examples=50, deadline=None)
@given(
    st.tuples(st.integers(60, 400), st.integers(60, 400)),
    st.integers(100, 400),
    st.tuples(st.floats(-100, 500), st.floats(-100, 500)),
)
def test_way_back_from_source_pixels_is_the_inverse_of_the_way_there(
    size: tuple[int, int], resolution: int, pixel: tuple[float, float]
) -> None:
    views = Preprocessor(resolution).process([blank(size)])
    processed_from_source = np.linalg.inv(views.source_from_processed[0])

    u, v, _ = processed_from_source @ (*views.source_pixels(0, pixel), 1.0)

    np.testing.assert_allclose((u, v), pixel, atol=1e-9)


@pytest.mark.parametrize("size", [(240, 320), (480, 630), (301, 407)], ids=str)
def test_way_back_agrees_with_the_pixels_when_the_image_is_resized(size: tuple[int, int]) -> None:
    views = Preprocessor(252).process([red_green_ramp(size)])

    for u, v in ((20, 30), (125, 90), (231, 160)):
        source = views.source_pixels(0, (u, v))
        np.testing.assert_allclose(views.images[0, v, u, :2], 0.4 * source, atol=1.0)


@pytest.mark.parametrize("camera", [BARREL, FISH_EYE, RATIONAL], ids=lambda camera: camera.distortion_model)
def test_way_back_agrees_with_the_pixels_when_the_image_is_rectified(camera: PinholeCamera) -> None:
    views = Preprocessor(252).process([red_green_ramp(camera.size)], [camera])
    rows, cols = np.nonzero(views.valid[0])

    source = views.source_pixels(0, np.stack((cols, rows), axis=-1))

    assert views.valid.mean() > 0.5
    np.testing.assert_allclose(views.images[0, rows, cols, :2], 0.4 * source, atol=1.5)


@pytest.mark.parametrize("resolution", [224, 252, 504])
def test_pixel_is_invalid_and_black_when_its_source_lies_outside(resolution: int) -> None:
    pincushion = PinholeCamera((240, 320), 210.0, 205.0, 163.0, 117.0, "plumb_bob", (0.3, 0.0, 0.0, 0.0))
    white = np.full((240, 320, 3), 255, dtype=np.uint8)

    views = Preprocessor(resolution).process([white], [pincushion])

    assert not views.valid[0, 0, 0]
    assert views.valid[0, resolution * 3 // 8, resolution // 2]
    assert views.images[0, 0, 0].tolist() == [0, 0, 0]
    assert (views.images[0][views.valid[0]] == 255).all()


def test_border_keeps_its_colour_when_its_source_is_less_than_half_a_pixel_outside() -> None:
    hardly_bent = PinholeCamera((240, 320), 210.0, 205.0, 159.5, 119.5, "plumb_bob", (1e-3, 0.0, 0.0, 0.0))
    white = np.full((240, 320, 3), 255, dtype=np.uint8)

    views = Preprocessor(252).process([white], [hardly_bent])

    assert views.valid.all()
    assert (views.images == 255).all()


def test_pixel_is_invalid_when_the_distortion_has_folded_back() -> None:
    folding = PinholeCamera((240, 320), 120.0, 120.0, 159.5, 119.5, "plumb_bob", (-0.3, 0.0, 0.0, 0.0))
    turning_radius = np.sqrt(1 / 0.9)  # d/dr (r - 0.3 r^3) = 0

    views = Preprocessor(504).process([blank((240, 320))], [folding])

    processed = views.cameras[0]
    assert processed is not None
    radius = np.linalg.norm(processed.rays()[..., :2], axis=-1)
    assert not views.valid[0][radius > turning_radius].any()
    assert views.valid[0][radius < 0.95 * turning_radius].all()


def test_every_pixel_is_valid_when_the_camera_has_no_distortion() -> None:
    camera = PinholeCamera((240, 320), 210.0, 205.0, 163.0, 117.0, "plumb_bob", (0.0, 0.0, 0.0, 0.0))

    assert Preprocessor(504).process([blank((240, 320))], [camera]).valid.all()


def test_validity_follows_the_crop_when_sizes_are_mixed() -> None:
    views = Preprocessor(504).process([blank((240, 320)), blank((320, 240))], [BARREL, None])

    alone = Preprocessor(504).process([blank((240, 320))], [BARREL])
    np.testing.assert_array_equal(views.valid[0], alone.valid[0][:, 63:441])
    assert views.valid[1].all()


@pytest.mark.parametrize(
    ("image", "camera", "message"),
    [
        (np.zeros((240, 320), np.uint8), None, r"view 1: .*\(240, 320\) uint8"),
        (np.zeros((240, 320, 4), np.uint8), None, "view 1"),
        (np.zeros((240, 320, 3), np.float32), None, "view 1: .*float32"),
        (np.zeros((0, 320, 3), np.uint8), None, "view 1"),
        (np.zeros((2, 640, 3), np.uint8), None, "view 1: .*too narrow"),
        (blank((480, 640)), BARREL, r"view 1: the image is \(480, 640\), its camera is for \(240, 320\)"),
    ],
)
def test_bad_view_is_named_when_refused(image: npt.NDArray[np.uint8], camera: PinholeCamera, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocessor(504).process([blank((240, 320)), image], [None, camera])


def test_call_is_refused_when_there_are_no_views_or_too_few_cameras() -> None:
    with pytest.raises(ValueError, match="no view"):
        Preprocessor(504).process([])
    with pytest.raises(ValueError, match="2 images came with 1 cameras"):
        Preprocessor(504).process([blank((240, 320))] * 2, [None])


def test_resolution_below_one_patch_is_refused() -> None:
    with pytest.raises(ValueError, match="13"):
        Preprocessor(13)


def test_rectification_is_prepared_once_per_camera_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[PinholeCamera] = []

    def counting(camera: PinholeCamera, steps: Sequence[tuple[int, int]]) -> Rectification:
        prepared.append(camera)
        return rectification_of(camera, steps)

    monkeypatch.setattr(preprocess, "rectification_of", counting)
    cameras = [replace(BARREL, fx_px=200.0 + number) for number in range(17)]
    images, shared = [blank(BARREL.size)], Preprocessor(252)

    for camera in (*cameras[:16], *cameras[:16]):  # sixteen are kept
        shared.process(images, [camera])
    assert prepared == cameras[:16]

    for camera in (cameras[16], cameras[1], cameras[0]):  # the seventeenth takes the place of the one unused longest
        shared.process(images, [camera])
    assert prepared[16:] == [cameras[16], cameras[0]]


def test_two_cameras_in_turn_are_not_taken_for_each_other() -> None:
    image, shared = red_green_ramp((240, 320)), Preprocessor(252)

    for camera in (BARREL, FISH_EYE, BARREL):
        alone = Preprocessor(252).process([image], [camera])
        np.testing.assert_array_equal(shared.process([image], [camera]).images, alone.images)
