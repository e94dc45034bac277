# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What a network said of one window, as arrays from whichever runtime ran it, and the Prediction that follows."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.errors import DegenerateGeometryError
from da3_ros.geometry.prediction import Prediction
from da3_ros.geometry.rays import camera_from_rays
from da3_ros.geometry.rotation import FloatArray
from da3_ros.inference.engine import EngineError
from da3_ros.inference.network_cameras import camera_from_network_intrinsics, window_from_camera_of_network
from da3_ros.inference.preprocess import ProcessedViews

FloatMaps = npt.NDArray[np.float32]

_log = logging.getLogger(__name__)
_WARN_PERIOD_S = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class NetworkArrays:
    """The fields of `model.network.NetworkOutput` for one window of V views, in numpy and float32.

    Attributes:
        depth: (V, h, w).
        confidence: (V, h, w).
        camera_from_world: (V, 4, 4).
        intrinsics: (V, 3, 3).
        ray: (V, 8*h/14, 8*w/14, 6), or None where it was not asked for.
        ray_confidence: (V, 8*h/14, 8*w/14), or None with `ray`.
        sky: (V, h, w) bool, or None from a network that does not know the sky.
        metres_per_unit: as in `Prediction`.
    """

    depth: FloatMaps
    confidence: FloatMaps
    camera_from_world: FloatMaps
    intrinsics: FloatMaps
    ray: FloatMaps | None = None
    ray_confidence: FloatMaps | None = None
    sky: npt.NDArray[np.bool_] | None = None
    metres_per_unit: float = math.nan


def prediction_from_network(views: ProcessedViews, output: NetworkArrays) -> Prediction:
    """The Prediction of one window. Depth is NaN in sky, and where rectification found no source pixel.

    Cameras and poses are those of the camera head; with rays, those of the rays wherever they agree on a camera.

    Raises:
        EngineError: when the network's answer is not finite; the message names the view.
    """
    _check_finite(output)
    cameras, window_from_camera = _cameras_and_poses(views, output)
    known = views.valid if output.sky is None else views.valid & ~output.sky
    return Prediction(
        images=views.images,
        depth=np.where(known, output.depth, np.float32(np.nan)),
        confidence=np.where(views.valid, output.confidence, np.float32(1.0)),
        window_from_camera=window_from_camera,
        cameras=tuple(given or found for given, found in zip(views.cameras, cameras, strict=True)),
        predicted_cameras=tuple(cameras),
        sky=None if output.sky is None else views.valid & output.sky,
        metres_per_unit=output.metres_per_unit,
    )


def _cameras_and_poses(views: ProcessedViews, output: NetworkArrays) -> tuple[list[PinholeCamera], FloatArray]:
    size = (views.images.shape[1], views.images.shape[2])
    window_from_camera = window_from_camera_of_network(output.camera_from_world)
    cameras = [camera_from_network_intrinsics(matrix, size) for matrix in output.intrinsics]
    if output.ray is None or output.ray_confidence is None:
        return cameras, window_from_camera
    for view, ray_map in enumerate(zip(output.ray, output.ray_confidence, strict=True)):
        try:
            found = camera_from_rays(*ray_map)
        except DegenerateGeometryError as error:
            once = {"throttle_key": f"rays/{view}", "throttle_period_s": _WARN_PERIOD_S}
            _log.warning("view %d: %s; its camera is that of the camera head", view, error, extra=once)
            continue
        window_from_camera[view] = found.window_from_camera
        cameras[view] = found.camera.resized(size)  # the ray map spans the image
    return cameras, window_from_camera


def _check_finite(output: NetworkArrays) -> None:
    for name in ("depth", "confidence", "camera_from_world", "intrinsics", "ray", "ray_confidence"):
        array = getattr(output, name)
        if array is None:
            continue
        finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if not finite.all():
            said = name.replace("_", " ")
            raise EngineError(f"the network's {said} of view {int(np.argmin(finite))} holds a NaN or infinity")
