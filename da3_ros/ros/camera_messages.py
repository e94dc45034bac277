# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""CameraInfo messages to cameras and back."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import numpy as np
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import FrameError

# How many leading coefficients each model of the message may use.
_COEFFICIENTS: Final = MappingProxyType({"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4})


def to_camera(info: CameraInfo, size: tuple[int, int]) -> PinholeCamera:
    """The camera of a raw image, from the message's K and D; its binning and region of interest are applied.

    Args:
        info: calibration of the full sensor image, as the message defines it.
        size: (H, W) of the image that the calibration is for.

    Raises:
        FrameError: with the cause `uncalibrated` when K[0] is zero, as the message defines it; with the cause
            `invalid_camera_info` on NaN, negative or contradictory values, on a distortion model unknown here, and
            when the calibration is for an image of another size.
    """
    k = np.asarray(info.k, dtype=np.float64).reshape(3, 3)
    if k[0, 0] == 0:
        raise FrameError("uncalibrated", "camera_info is uncalibrated (K[0] is zero)")
    if abs(k[0, 1]) > 1e-6 * abs(k[0, 0]):
        raise FrameError("invalid_camera_info", f"camera_info has skew, K[1] = {k[0, 1]}, which no model here has")
    model, coefficients = _distortion(info)
    try:
        full = PinholeCamera(
            (int(info.height), int(info.width)), k[0, 0], k[1, 1], k[0, 2], k[1, 2], model, coefficients
        )
        camera = _binned(_region(full, info), info)
    except ValueError as error:
        raise FrameError("invalid_camera_info", f"camera_info: {error}") from error
    if camera.size != tuple(size):
        (h, w), (height, width) = camera.size, size
        raise FrameError("invalid_camera_info", f"camera_info is for {w}x{h} pixels, the image has {width}x{height}")
    return camera


def camera_info_message(camera: PinholeCamera, header: Header) -> CameraInfo:
    """The calibration of exactly one image: K and P alike, R identity, no binning, no region of interest.

    A camera without distortion, which is the camera of a rectified image, gets plumb_bob with five zeros.
    """
    k = camera.matrix
    projection = np.zeros((3, 4))
    projection[:, :3] = k
    model = camera.distortion_model
    coefficients = camera.distortion
    if model == "none":
        model, coefficients = "plumb_bob", (0.0,) * _COEFFICIENTS["plumb_bob"]
    height, width = camera.size
    return CameraInfo(
        header=header,
        height=height,
        width=width,
        distortion_model=model,
        d=list(coefficients),
        k=k.ravel(),
        r=np.eye(3).ravel(),
        p=projection.ravel(),
    )


def _distortion(info: CameraInfo) -> tuple[str, tuple[float, ...]]:
    """The model's name and coefficients; `none` when nothing bends, so that equal cameras compare equal."""
    model, coefficients = info.distortion_model, tuple(float(value) for value in info.d)
    if model in ("", "none") and not any(coefficients):
        return "none", ()
    if model == "plumb_bob" and len(coefficients) > _COEFFICIENTS[model]:
        model = "rational_polynomial"  # OpenCV's calibration writes eight and more under the older name
    if model not in _COEFFICIENTS:
        known = ", ".join(_COEFFICIENTS)
        raise FrameError("invalid_camera_info", f"distortion model '{model}' is not known ({known})")
    used, rest = coefficients[: _COEFFICIENTS[model]], coefficients[_COEFFICIENTS[model] :]
    if any(rest):
        raise FrameError("invalid_camera_info", f"{model} with {len(coefficients)} coefficients is not known")
    if model != "equidistant" and not any(used):
        return "none", ()
    return model, used


def _region(camera: PinholeCamera, info: CameraInfo) -> PinholeCamera:
    """The camera of the region of interest; all zeros mean the full image."""
    roi = info.roi
    if not (roi.height or roi.width):
        return camera
    return camera.cropped(int(roi.y_offset), int(roi.x_offset), (int(roi.height), int(roi.width)))


def _binned(camera: PinholeCamera, info: CameraInfo) -> PinholeCamera:
    """The camera after binning; rows and columns that do not fill a bin are cut off, 0 means 1."""
    rows, columns = max(int(info.binning_y), 1), max(int(info.binning_x), 1)
    if rows == columns == 1:
        return camera
    height, width = camera.size[0] // rows, camera.size[1] // columns
    return camera.cropped(0, 0, (height * rows, width * columns)).resized((height, width))
