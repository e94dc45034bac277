# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with an oracle's views besides noise: garbage, and something right before a lens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.prediction import ViewKey
from da3_ros.geometry.rotation import FloatArray, matrix_from_quat_xyzw, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import rigid
from da3_ros.inference.oracle_noise import DepthImages, waves

FaultKind = Literal["occluded", "garbage"]
FAULTS: tuple[FaultKind, ...] = ("occluded", "garbage")  # in the order in which they come over a view
_GARBAGE_SPREAD = 0.7  # of the logarithm of a garbage pixel's depth
_GARBAGE_SHIFT_M = 2.0  # of each coordinate of a garbage camera
_BLOB_M = 0.15  # what covers a lens is so near
_BLOB_WAVES = 0.03
_BLIND_SHIFT_M = 0.5  # a covered camera is placed by guess
_BLIND_TURN_RAD = 0.5


@dataclass(frozen=True, slots=True)
class OracleFault:
    """Something wrong for some time.

    Attributes:
        kind: "garbage": random depth and random poses; "occluded": a near flat blob, and the pose a poor guess.
        from_ns: first stamp with the fault.
        until_ns: first stamp without.
        camera: whose views have it; when None, all views of every window whose newest view is within the time.
    """

    kind: FaultKind
    from_ns: int
    until_ns: int
    camera: str | None = None

    def hits(self, keys: Sequence[ViewKey]) -> npt.NDArray[np.bool_]:
        """(V,) which views of a window have the fault."""
        stamps_ns = np.array([key.stamp_ns for key in keys])
        if self.camera is None:
            return np.full(len(keys), self.from_ns <= stamps_ns.max() < self.until_ns)
        is_camera = np.array([key.camera == self.camera for key in keys])
        return is_camera & (stamps_ns >= self.from_ns) & (stamps_ns < self.until_ns)


def faulty_views(keys: Sequence[ViewKey], faults: Sequence[OracleFault], kind: FaultKind) -> npt.NDArray[np.intp]:
    """Indices of a window's views that have a fault of that kind, ascending."""
    hit = np.zeros(len(keys), dtype=np.bool_)
    for fault in faults:
        if fault.kind == kind:
            hit |= fault.hits(keys)
    return np.flatnonzero(hit)


def garbage_depth(generator: np.random.Generator, shape: tuple[int, ...]) -> DepthImages:
    """(V, H, W) depth that shows nothing: waves and white noise around 2 m."""
    white = generator.standard_normal(shape, dtype=np.float32)
    return np.asarray(2 * np.exp(_GARBAGE_SPREAD * np.sqrt(0.5) * (waves(generator, shape) + white)), dtype=np.float32)


def garbage_poses(generator: np.random.Generator, views: int) -> FloatArray:
    """(V, 4, 4) cameras anywhere."""
    turns = matrix_from_quat_xyzw(generator.standard_normal((views, 4)))
    return rigid(turns, generator.normal(0.0, _GARBAGE_SHIFT_M, (views, 3)))


def blob_depth(generator: np.random.Generator, shape: tuple[int, ...]) -> DepthImages:
    """(V, H, W) depth of something that covers the lens."""
    return np.asarray(_BLOB_M * np.exp(_BLOB_WAVES * waves(generator, shape)), dtype=np.float32)


def blind_motions(generator: np.random.Generator, views: int) -> FloatArray:
    """(V, 4, 4) camera_from_camera errors of cameras that see nothing."""
    turns = matrix_from_rotation_vector(generator.normal(0.0, _BLIND_TURN_RAD, (views, 3)))
    return rigid(turns, generator.normal(0.0, _BLIND_SHIFT_M, (views, 3)))
