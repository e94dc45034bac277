# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Coloured points as PLY files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.rotation import FloatArray

_TYPES = {"x": "float", "y": "float", "z": "float", "red": "uchar", "green": "uchar", "blue": "uchar"}


def write_ply(file: Path, points: FloatArray, colours: npt.NDArray[np.uint8]) -> None:
    """Write a binary PLY of (N, 3) points and (N, 3) uint8 RGB colours.

    Raises:
        OSError: when the file cannot be written.
    """
    vertices = np.empty(len(points), dtype=[("xyz", "<f4", 3), ("rgb", "u1", 3)])
    vertices["xyz"], vertices["rgb"] = points, colours
    properties = [f"property {kind} {name}" for name, kind in _TYPES.items()]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}", *properties, "end_header"]
    file.write_bytes("\n".join([*header, ""]).encode() + vertices.tobytes())
