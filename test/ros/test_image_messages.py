# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Raw images: every encoding to RGB, every kind of bad data refused by name, and arrays to messages."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sensor_msgs.msg import Image

from da3_ros.geometry.errors import FrameError
from da3_ros.ros.image_messages import float_message, millimetre_message, rgb_message, to_array
from da3_ros.ros.stamps import header

HEADER = header(1_700_000_000_123_456_789, "front_optical_frame")
RGB = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
# Two halves of one colour each, so that demosaicing and subsampled chroma change nothing away from the seam.
LEFT, RIGHT = (200, 90, 40), (30, 120, 220)


def halves(height: int = 16, width: int = 16) -> npt.NDArray[np.uint8]:
    image = np.empty((height, width, 3), dtype=np.uint8)
    image[:, : width // 2], image[:, width // 2 :] = LEFT, RIGHT
    return image


def message_of(array: npt.NDArray[Any], encoding: str, size: tuple[int, int], padding: int = 0) -> Image:
    """A message whose rows are the rows of `array`, each followed by `padding` bytes."""
    rows = array.reshape(array.shape[0], -1).view(np.uint8)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    message = Image(height=size[0], width=size[1], encoding=encoding, step=padded.shape[1])
    message.data.frombytes(padded.tobytes())
    return message


def assert_halves(image: npt.NDArray[np.uint8], tolerance: int) -> None:
    difference = np.abs(image.astype(int) - halves(*image.shape[:2]))
    seam = image.shape[1] // 2
    assert difference[2:-2, 2 : seam - 2].max() <= tolerance
    assert difference[2:-2, seam + 2 : -2].max() <= tolerance


def yuv_of(rgb: tuple[int, int, int]) -> tuple[int, int, int]:
    """BT.601, video range (ITU-R BT.601-7, section 2.5)."""
    r, g, b = (value / 255 for value in rgb)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return round(16 + 219 * y), round(128 + 112 * (b - y) / 0.886), round(128 + 112 * (r - y) / 0.701)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "stored"),
    [
        ("rgb8", RGB),
        ("bgr8", RGB[..., ::-1]),
        ("8UC3", RGB[..., ::-1]),
        ("rgba8", np.dstack((RGB, RGB[..., 0]))),
        ("bgra8", np.dstack((RGB[..., ::-1], RGB[..., 0]))),
        ("8UC4", np.dstack((RGB[..., ::-1], RGB[..., 0]))),
    ],
)
def test_colour_image_is_the_same_when_stored_in_any_channel_order(
    encoding: str, stored: npt.NDArray[np.uint8], padding: int
) -> None:
    image = to_array(message_of(np.ascontiguousarray(stored), encoding, (6, 8), padding))

    np.testing.assert_array_equal(image, RGB)
    assert image.flags.c_contiguous


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey_image_has_three_equal_channels(encoding: str) -> None:
    grey = np.ascontiguousarray(RGB[..., 0])

    image = to_array(message_of(grey, encoding, (6, 8), padding=3))

    np.testing.assert_array_equal(image, np.dstack((grey, grey, grey)))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("padding", [0, 3])
def test_16_bit_image_is_scaled_by_its_full_range_when_in_either_byte_order(order: str, padding: int) -> None:
    wide = RGB.astype(np.dtype(f"{order}u2")) * 257
    message = message_of(np.ascontiguousarray(wide), "rgb16", (6, 8), padding)
    message.is_bigendian = order == ">"

    np.testing.assert_array_equal(to_array(message), RGB)


def test_mono16_maps_the_ends_of_its_range_to_black_and_white() -> None:
    grey = np.array([[0, 65535], [32768, 257]], dtype="<u2")

    image = to_array(message_of(grey, "mono16", (2, 2)))

    np.testing.assert_array_equal(image[..., 1], [[0, 255], [128, 1]])


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_image_has_the_colours_of_its_pattern(pattern: str, bits: int) -> None:
    source = halves()
    mosaic = np.empty((16, 16), dtype=np.uint8)
    for index, letter in enumerate(pattern):
        row, column = divmod(index, 2)
        mosaic[row::2, column::2] = source[row::2, column::2, "rgb".index(letter)]
    stored = mosaic if bits == 8 else mosaic.astype("<u2") * 257

    image = to_array(message_of(stored, f"bayer_{pattern}{bits}", (16, 16)))

    assert_halves(image, tolerance=0)


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize(
    ("encoding", "order"), [("yuv422", "uyvy"), ("uyvy", "uyvy"), ("yuv422_yuy2", "yuyv"), ("yuyv", "yuyv")]
)
def test_yuv422_image_has_the_colours_of_its_byte_order(encoding: str, order: str, padding: int) -> None:
    pairs = np.empty((16, 8, 4), dtype=np.uint8)
    for half, rgb in ((slice(4), LEFT), (slice(4, 8), RIGHT)):
        y, u, v = yuv_of(rgb)
        pairs[:, half] = [{"y": y, "u": u, "v": v}[letter] for letter in order]

    image = to_array(message_of(pairs, encoding, (16, 16), padding))

    assert_halves(image, tolerance=3)


@pytest.mark.parametrize("padding", [0, 4])
@pytest.mark.parametrize("encoding", ["nv12", "nv21", "nv24"])
def test_two_plane_image_has_the_colours_of_its_planes(encoding: str, padding: int) -> None:
    chroma_step = 1 if encoding == "nv24" else 2
    planes = np.array([yuv_of(LEFT), yuv_of(RIGHT)], dtype=np.uint8).repeat(8, axis=0)
    luma = np.tile(np.pad(planes[:, 0], (0, padding)), (16, 1))
    order = (2, 1) if encoding == "nv21" else (1, 2)
    row = planes[::chroma_step, order].ravel()
    row_padding = (2 * padding) if encoding == "nv24" else padding
    chroma = np.tile(np.pad(row, (0, row_padding)), (16 // chroma_step, 1))
    message = Image(height=16, width=16, encoding=encoding, step=16 + padding)
    message.data.frombytes(luma.tobytes() + chroma.tobytes())

    assert_halves(to_array(message), tolerance=3)


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono8"])
def test_decoded_image_keeps_its_pixels_when_the_message_changes_later(encoding: str) -> None:
    channels = 1 if encoding == "mono8" else 3
    message = message_of(np.full((6, 8 * channels), 9, dtype=np.uint8), encoding, (6, 8))

    image = to_array(message)
    for index in range(len(message.data)):
        message.data[index] = 200

    assert (image == 9).all()


def test_decoded_image_is_whole_when_only_the_last_rows_padding_is_missing() -> None:
    message = message_of(RGB, "rgb8", (6, 8), padding=5)
    del message.data[-5:]

    np.testing.assert_array_equal(to_array(message), RGB)


@pytest.mark.parametrize("encoding", ["nv12", "nv21", "nv24"])
def test_two_plane_image_is_whole_when_only_the_last_rows_padding_is_missing(encoding: str) -> None:
    step, rows = 16 + 4, 32 if encoding == "nv24" else 8
    message = Image(height=16, width=16, encoding=encoding, step=step)
    message.data.frombytes(np.random.default_rng(3).integers(0, 256, step * (16 + rows), dtype=np.uint8).tobytes())
    whole = to_array(message)
    padding = 8 if encoding == "nv24" else 4
    del message.data[-padding:]

    np.testing.assert_array_equal(to_array(message), whole)
    del message.data[-1:]
    with pytest.raises(FrameError) as refusal:
        to_array(message)
    assert refusal.value.cause == "truncated"


def good_message() -> Image:
    return message_of(RGB, "rgb8", (6, 8))


def with_fields(**fields: Any) -> Image:
    message = good_message()
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def with_bytes(count: int) -> Image:
    message = good_message()
    whole = message.data.tobytes()
    del message.data[:]
    message.data.frombytes((whole * 2)[:count])
    return message


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (with_fields(encoding="rgb9"), "unknown_encoding"),
        (with_fields(encoding=""), "unknown_encoding"),
        (with_fields(encoding="32FC1"), "unknown_encoding"),
        (with_fields(step=23), "bad_step"),
        (with_fields(step=0), "bad_step"),
        (with_fields(encoding="rgba8"), "bad_step"),
        (with_fields(encoding="yuv422", width=7, step=24), "bad_step"),
        (with_fields(encoding="nv12", height=5), "bad_step"),
        (with_bytes(6 * 24 + 1), "bad_step"),
        (with_fields(step=25), "truncated"),
        (with_fields(height=7), "truncated"),
        (with_bytes(6 * 24 - 1), "truncated"),
        (with_fields(encoding="nv24", height=6), "truncated"),
        (with_fields(width=0), "empty_image"),
        (with_fields(height=0), "empty_image"),
        (with_bytes(0), "empty_image"),
    ],
)
def test_bad_image_is_refused_by_cause(message: Image, cause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv_bridge", None)

    with pytest.raises(FrameError) as refusal:
        to_array(message)

    assert refusal.value.cause == cause


def test_rgb_message_is_read_back_unchanged() -> None:
    message = rgb_message(RGB[:, ::-1], HEADER)

    assert message.header == HEADER
    assert (message.encoding, message.height, message.width, message.step) == ("rgb8", 6, 8, 24)
    np.testing.assert_array_equal(to_array(message), RGB[:, ::-1])


def test_float_message_holds_the_values_bit_for_bit_when_some_are_nan() -> None:
    depth = np.array([[1.25, np.nan, 3e-7], [np.inf, 7.0, 0.1]], dtype=np.float32)

    message = float_message(depth, HEADER)

    assert (message.encoding, message.height, message.width, message.step) == ("32FC1", 2, 3, 12)
    assert message.is_bigendian == (sys.byteorder == "big")
    assert message.data.tobytes() == depth.tobytes()


def test_millimetre_message_marks_as_unknown_what_it_cannot_say() -> None:
    depth = np.array([[1.2344, 65.535, 65.536], [np.nan, np.inf, -1.0], [0.0004, 0.0006, 70.0]], dtype=np.float32)

    message = millimetre_message(depth, HEADER)

    stored = np.frombuffer(message.data, np.uint16).reshape(3, 3)
    assert (message.encoding, message.step) == ("16UC1", 6)
    np.testing.assert_array_equal(stored, [[1234, 65535, 0], [0, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize("image", [RGB[..., 0], RGB.astype(np.float32), RGB[..., :2]])
def test_rgb_message_is_refused_when_the_array_is_not_an_rgb_image(image: npt.NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="rgb8 needs"):
        rgb_message(image, HEADER)
