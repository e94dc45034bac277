# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Compressed images: JPEG and PNG decoded, everything else refused by name."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage

from da3_ros.geometry.errors import FrameError
from da3_ros.ros.compressed_messages import jpeg_message, to_array
from da3_ros.ros.stamps import header

RAMP = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
RGB = np.dstack((RAMP + 100, RAMP, 200 - RAMP))


def encoded(extension: str) -> bytes:
    ok, data = cv2.imencode(extension, RGB[..., ::-1])
    assert ok
    return bytes(data.tobytes())


def message_of(data: bytes, image_format: str) -> CompressedImage:
    message = CompressedImage(format=image_format)
    message.data.frombytes(data)
    return message


@pytest.mark.parametrize("image_format", ["jpeg", "rgb8; jpeg compressed bgr8", "jpg", ""])
def test_jpeg_is_decoded_to_rgb(image_format: str) -> None:
    image = to_array(message_of(encoded(".jpg"), image_format))

    assert np.abs(image.astype(int) - RGB).max() <= 8
    assert (image.dtype, image.flags.c_contiguous) == (np.uint8, True)


def test_jpeg_is_decoded_when_its_camera_fills_up_the_buffer_with_zeros() -> None:
    image = to_array(message_of(encoded(".jpg") + bytes(500), "jpeg"))

    assert image.shape == RGB.shape


def test_png_is_decoded_exactly() -> None:
    np.testing.assert_array_equal(to_array(message_of(encoded(".png"), "rgb8; png compressed bgr8")), RGB)


def test_grey_png_of_16_bits_becomes_three_channels_of_8() -> None:
    ok, data = cv2.imencode(".png", RAMP.astype(np.uint16) * 257)
    assert ok

    image = to_array(message_of(data.tobytes(), "png"))

    np.testing.assert_array_equal(image, np.dstack((RAMP, RAMP, RAMP)))


def test_jpeg_is_not_turned_when_it_has_an_orientation_tag() -> None:
    # A minimal EXIF block whose one entry, orientation (0x0112), says 6: a quarter turn.
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    block = b"Exif\0\0" + tiff
    plain = encoded(".jpg")
    tagged = plain[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + plain[2:]

    turned = cv2.imdecode(np.frombuffer(tagged, np.uint8), cv2.IMREAD_COLOR)
    assert turned is not None
    assert turned.shape[:2] == (64, 48)
    assert to_array(message_of(tagged, "jpeg")).shape[:2] == (48, 64)


@pytest.mark.parametrize("kept", [3, 200, -1, -2])
@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_compressed_image_is_refused_as_corrupt_when_cut_off(extension: str, kept: int) -> None:
    whole = encoded(extension)
    # A cut inside PNG's last checksum loses no pixel.
    if extension == ".png" and kept < 0:
        kept -= 8

    with pytest.raises(FrameError) as refusal:
        to_array(message_of(whole[:kept], extension[1:]))

    assert refusal.value.cause == "corrupt_image"


def test_png_is_refused_as_corrupt_when_a_byte_flipped() -> None:
    data = bytearray(encoded(".png"))
    data[len(data) // 2] ^= 0xFF

    with pytest.raises(FrameError) as refusal:
        to_array(message_of(bytes(data), "png"))

    assert refusal.value.cause == "corrupt_image"


@pytest.mark.parametrize(
    ("data", "image_format", "cause"),
    [
        (b"", "jpeg", "empty_image"),
        (b"not an image at all", "jpeg", "corrupt_image"),
        (b"\0\0\0\x01\x67\x42", "h264", "unknown_encoding"),
        (b"\0\0\0\x01\x67\x42", "", "unknown_encoding"),
        (encoded(".png"), "16UC1; compressedDepth png", "unknown_encoding"),
    ],
)
def test_compressed_image_is_refused_by_cause(data: bytes, image_format: str, cause: str) -> None:
    with pytest.raises(FrameError) as refusal:
        to_array(message_of(data, image_format))

    assert refusal.value.cause == cause


def test_jpeg_message_is_read_back_nearly_unchanged() -> None:
    made = jpeg_message(RGB, header(7, "front_optical_frame"))

    assert (made.header, made.format) == (header(7, "front_optical_frame"), "rgb8; jpeg compressed bgr8")
    assert np.abs(to_array(made).astype(int) - RGB).max() <= 8
