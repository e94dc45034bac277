# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Raw images: ROS messages to RGB arrays, and arrays to ROS messages.

Arrays that come out own their memory. They outlive the callback by a whole window, the message belongs to whoever
else has it, and the copy costs a tenth of a millisecond at 640x480.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from da3_ros.geometry.errors import FrameError

RgbArray = npt.NDArray[np.uint8]
_HOST_IS_BIGENDIAN: Final = sys.byteorder == "big"
_MILLIMETRE_MAX: Final = 65535


@dataclass(frozen=True, slots=True)
class _Layout:
    """One row-by-row encoding: samples per pixel, bytes per sample, and OpenCV's code that makes it RGB."""

    channels: int
    sample_bytes: int
    to_rgb: int | None
    even_width: bool = False


def _row_layouts() -> Mapping[str, _Layout]:
    colours = {
        "mono": (1, cv2.COLOR_GRAY2RGB),
        "rgb": (3, None),
        "bgr": (3, cv2.COLOR_BGR2RGB),
        "rgba": (4, cv2.COLOR_RGBA2RGB),
        "bgra": (4, cv2.COLOR_BGRA2RGB),
        # OpenCV names a Bayer pattern by its second row and column, ROS by its first.
        "bayer_rggb": (1, cv2.COLOR_BayerBG2RGB),
        "bayer_bggr": (1, cv2.COLOR_BayerRG2RGB),
        "bayer_gbrg": (1, cv2.COLOR_BayerGR2RGB),
        "bayer_grbg": (1, cv2.COLOR_BayerGB2RGB),
    }
    table = {
        f"{name}{8 * sample_bytes}": _Layout(channels, sample_bytes, code)
        for name, (channels, code) in colours.items()
        for sample_bytes in (1, 2)
    }
    # Plain OpenCV types say nothing about colour; like cv_bridge, take them as OpenCV's own order.
    table |= {"8UC1": table["mono8"], "8UC3": table["bgr8"], "8UC4": table["bgra8"]}
    uyvy = _Layout(2, 1, cv2.COLOR_YUV2RGB_UYVY, even_width=True)
    yuyv = _Layout(2, 1, cv2.COLOR_YUV2RGB_YUY2, even_width=True)
    return MappingProxyType(table | {"yuv422": uyvy, "uyvy": uyvy, "yuv422_yuy2": yuyv, "yuyv": yuyv})


_ROW_LAYOUTS: Final = _row_layouts()
# A luma plane with rows of `step` bytes, then the interleaved chroma plane; in nv24 that has full resolution.
_TWO_PLANE_CODES: Final = MappingProxyType(
    {"nv12": cv2.COLOR_YUV2RGB_NV12, "nv21": cv2.COLOR_YUV2RGB_NV21, "nv24": cv2.COLOR_YUV2RGB_NV12}
)


def to_array(message: Image) -> RgbArray:
    """Decode a raw image.

    16-bit samples are scaled by their full range; YUV is BT.601 with video range, as in OpenCV and cv_bridge.
    Encodings unknown here are tried with cv_bridge where that is installed.

    Returns:
        (H, W, 3) uint8 RGB, contiguous, owning its memory.

    Raises:
        FrameError: with the cause `unknown_encoding`, `bad_step` (rows cannot lie as the message says),
            `truncated`, `empty_image` or `corrupt_image` (cv_bridge knows the encoding, but cannot read the data).
    """
    if message.width == 0 or message.height == 0 or len(message.data) == 0:
        raise FrameError("empty_image", f"image of {message.width}x{message.height} with {len(message.data)} bytes")
    layout = _ROW_LAYOUTS.get(message.encoding)
    if layout:
        return _decode_rows(message, layout)
    if message.encoding in _TWO_PLANE_CODES:
        return _decode_two_planes(message)
    return _decode_with_cv_bridge(message)


def rgb_message(image: RgbArray, header: Header) -> Image:
    """An rgb8 message of an (H, W, 3) uint8 RGB image."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"rgb8 needs (H, W, 3) uint8, not {image.shape} {image.dtype}")
    return _message(image, "rgb8", header)


def float_message(values: npt.NDArray[np.float32], header: Header) -> Image:
    """A 32FC1 message of (H, W) values: depth in metres with NaN for unknown (REP-118), or confidence."""
    if values.ndim != 2:
        raise ValueError(f"32FC1 needs (H, W), not {values.shape}")
    return _message(values.astype(np.float32, copy=False), "32FC1", header)


def millimetre_message(depth: npt.NDArray[np.float32], header: Header) -> Image:
    """A 16UC1 message of (H, W) depth in metres: whole millimetres, 0 for unknown and for what does not fit.

    Depth beyond 65.535 m becomes unknown, because clamping it would build a wall there.
    """
    millimetres = np.rint(depth * np.float32(1000))
    fits = (millimetres >= 1) & (millimetres <= _MILLIMETRE_MAX)
    return _message(np.where(fits, millimetres, 0).astype(np.uint16), "16UC1", header)


def _decode_rows(message: Image, layout: _Layout) -> RgbArray:
    pixel_bytes = layout.channels * layout.sample_bytes
    if layout.even_width and message.width % 2:
        raise FrameError("bad_step", f"{message.encoding} needs an even width, not {message.width}")
    row_bytes = message.width * pixel_bytes
    _check_rows(message, row_bytes, message.step * message.height, message.step - row_bytes)
    dtype = np.dtype(np.uint8) if layout.sample_bytes == 1 else np.dtype(">u2" if message.is_bigendian else "<u2")
    samples: npt.NDArray[Any] = np.ndarray(
        (message.height, message.width, layout.channels),
        dtype,
        memoryview(message.data).cast("B"),
        strides=(message.step, pixel_bytes, layout.sample_bytes),
    )
    if layout.sample_bytes == 2:
        samples = samples.astype(np.uint16)
    image = samples.copy() if layout.to_rgb is None else cv2.cvtColor(samples, layout.to_rgb)
    if layout.sample_bytes == 2:
        image = cv2.convertScaleAbs(image, alpha=255 / 65535)
    return np.asarray(image, dtype=np.uint8)


def _decode_two_planes(message: Image) -> RgbArray:
    height, width, step, is_full = message.height, message.width, message.step, message.encoding == "nv24"
    if height % 2 or width % 2:
        raise FrameError("bad_step", f"{message.encoding} needs even sizes, not {width}x{height}")
    rows, columns, chroma_step = (height, width, 2 * step) if is_full else (height // 2, width // 2, step)
    luma_bytes = step * height
    _check_rows(message, width, luma_bytes + chroma_step * rows, chroma_step - 2 * columns)
    data = memoryview(message.data).cast("B")
    luma: npt.NDArray[np.uint8] = np.ndarray((height, width), np.uint8, data, strides=(step, 1))
    # By strides, which unlike a reshape do without the padding after the last row.
    chroma: npt.NDArray[np.uint8] = np.ndarray(
        (rows, columns, 2), np.uint8, data, offset=luma_bytes, strides=(chroma_step, 2, 1)
    )
    halved = cv2.resize(chroma, (width // 2, height // 2), interpolation=cv2.INTER_AREA) if is_full else chroma
    rgb = cv2.cvtColorTwoPlane(luma, halved, _TWO_PLANE_CODES[message.encoding])
    return np.asarray(rgb, dtype=np.uint8)


def _check_rows(message: Image, row_bytes: int, total_bytes: int, last_padding: int) -> None:
    """Refuse data whose rows cannot lie where `step` says; only the padding after the last row may be missing."""
    what = f"{message.encoding} {message.width}x{message.height} with step {message.step}"
    if message.step < row_bytes:
        raise FrameError("bad_step", f"{what}: a row takes {row_bytes} bytes")
    if len(message.data) > total_bytes:
        raise FrameError("bad_step", f"{what}: {len(message.data)} bytes of data where {total_bytes} belong")
    if len(message.data) < total_bytes - last_padding:
        raise FrameError("truncated", f"{what}: {len(message.data)} of {total_bytes} bytes")


def _decode_with_cv_bridge(message: Image) -> RgbArray:
    unknown = f"encoding '{message.encoding}' is not a colour image known here"
    try:
        from cv_bridge import CvBridge, CvBridgeError
    except (ImportError, AttributeError):  # AttributeError: cv_bridge built for another numpy
        raise FrameError("unknown_encoding", unknown) from None
    try:
        image = CvBridge().imgmsg_to_cv2(message, "rgb8")
    except (CvBridgeError, ImportError) as error:  # ImportError: it loads its compiled part only here
        raise FrameError("unknown_encoding", f"{unknown}, nor to cv_bridge: {error}") from error
    except Exception as error:  # whatever numpy says of data that do not fit
        raise FrameError("corrupt_image", f"cv_bridge cannot read '{message.encoding}': {error}") from error
    return np.array(image, dtype=np.uint8, order="C")


def _message(array: npt.NDArray[Any], encoding: str, header: Header) -> Image:
    height, width = array.shape[:2]
    message = Image(header=header, height=height, width=width, encoding=encoding, is_bigendian=_HOST_IS_BIGENDIAN)
    message.step = width * array.itemsize * (array.shape[2] if array.ndim == 3 else 1)
    # Every other way to fill a message is tens to thousands of times slower in some distribution.
    message.data.frombytes(np.ascontiguousarray(array).data.cast("B"))
    return message
