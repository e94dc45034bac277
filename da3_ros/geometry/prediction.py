# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What an engine answers for one window, and what is known to be true about a view."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray


@dataclass(frozen=True, slots=True)
class Effort:
    """What an engine is asked to save memory by, for one window.

    Attributes:
        half_chunks: let the heads take half as many views at a time: the same answer, a little later.
        half_resolution: look at images of half the side: a coarser answer of another size.
    """

    half_chunks: bool = False
    half_resolution: bool = False


FULL_EFFORT = Effort()


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Depth, confidence and cameras of V views, in the window's own gauge (arbitrary up to Sim(3)).

    Attributes:
        images: (V, H, W, 3) uint8 RGB, rectified, exactly what the engine saw.
        depth: (V, H, W) float32 z along the optical axis, window units; NaN where unknown.
        confidence: (V, H, W) float32, at least 1, larger is surer; no unit.
        window_from_camera: (V, 4, 4) float64 rigid, optical frames, translation in window units.
        cameras: V cameras of exactly these (H, W) images: calibrated where a calibration was given, else predicted.
        predicted_cameras: V cameras as the engine sees them, whatever was given.
        sky: (V, H, W) where a view shows the sky, and depth is NaN; None from an engine that does not know the sky.
        metres_per_unit: what the engine itself says that the window's unit is; NaN where it does not know.
        has_poses: False from an engine that sees each view by itself: `window_from_camera` is then the identity and
            means nothing, and the views have no unit in common unless `metres_per_unit` gives them one.
    """

    images: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]
    window_from_camera: FloatArray
    cameras: tuple[PinholeCamera, ...]
    predicted_cameras: tuple[PinholeCamera, ...]
    sky: npt.NDArray[np.bool_] | None = None
    metres_per_unit: float = math.nan
    has_poses: bool = True

    def __post_init__(self) -> None:
        views = len(self.depth)
        lengths = (len(self.images), len(self.confidence), len(self.window_from_camera), len(self.cameras))
        if any(length != views for length in (*lengths, len(self.predicted_cameras))):
            raise ValueError(f"a Prediction of {views} depth images has parts of other lengths: {lengths}")
        if not (math.isnan(self.metres_per_unit) or 0 < self.metres_per_unit < math.inf):
            raise ValueError(f"metres_per_unit must be finite and above zero, or NaN, not {self.metres_per_unit}")
        if self.sky is None:
            return
        if self.sky.shape != self.depth.shape:
            raise ValueError(f"a sky mask {self.sky.shape} does not belong to depth {self.depth.shape}")
        if not np.isnan(self.depth[self.sky]).all():
            raise ValueError("depth must be NaN wherever a view shows the sky")


@dataclass(frozen=True, slots=True, eq=False)
class ViewTruth:
    """What is exactly known about one view, from simulation or from a data set.

    Attributes:
        depth: (H, W) float32 z along the optical axis, metres; NaN where unknown.
        camera: intrinsics of that depth image.
        world_from_camera: (4, 4) float64 rigid, metres.
    """

    depth: npt.NDArray[np.float32]
    camera: PinholeCamera
    world_from_camera: FloatArray


@dataclass(frozen=True, slots=True)
class ViewKey:
    """Identity of one image: which camera, and when. Equal keys mean equal pixels.

    Attributes:
        camera: the camera's name.
        stamp_ns: acquisition time, nanoseconds.
    """

    camera: str
    stamp_ns: int
