# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Compressed images: JPEG and PNG messages to RGB arrays."""

from __future__ import annotations

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from da3_ros.geometry.errors import FrameError
from da3_ros.ros.image_messages import RgbArray


def to_array(message: CompressedImage) -> RgbArray:
    """Decode a JPEG or PNG image. The orientation tag is ignored: calibrations hold for the pixels as stored.

    Returns:
        (H, W, 3) uint8 RGB, contiguous, owning its memory.

    Raises:
        FrameError: with the cause `unknown_encoding`, `corrupt_image` or `empty_image`.
    """
    if len(message.data) == 0:
        raise FrameError("empty_image", "compressed image without data")
    if "compresseddepth" in message.format.lower():
        raise FrameError("unknown_encoding", f"'{message.format}' is a depth image, not a colour image")
    encoded = memoryview(message.data).cast("B")
    _check_complete(encoded, message.format)
    try:
        decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise FrameError("corrupt_image", f"'{message.format}' image cannot be decoded: {error.err}") from error
    if decoded is None:
        raise FrameError("corrupt_image", f"'{message.format}' image of {len(encoded)} bytes cannot be decoded")
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def jpeg_message(image: RgbArray, header: Header, quality: int = 95) -> CompressedImage:
    """The JPEG of a (H, W, 3) uint8 RGB image."""
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    message = CompressedImage(header=header, format="rgb8; jpeg compressed bgr8")
    message.data.frombytes(encoded.data.cast("B"))
    return message


def _check_complete(encoded: memoryview, image_format: str) -> None:
    """Refuse cut-off images, whose missing part some versions of OpenCV fill with grey."""
    data = bytes(encoded)
    if data.startswith(b"\xff\xd8"):
        # Within a scan neither marker can occur: a byte 0xFF is followed by a stuffed zero there.
        complete = data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") > 0
    elif data.startswith(b"\x89PNG"):
        complete = b"IEND" in data[-64:]
    elif any(name in image_format.lower() for name in ("jpeg", "jpg", "png")):
        complete = False
    else:
        raise FrameError("unknown_encoding", f"'{image_format}' image is neither JPEG nor PNG")
    if not complete:
        raise FrameError("corrupt_image", f"'{image_format}' image of {len(data)} bytes is cut off or no image at all")
