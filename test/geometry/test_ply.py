# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np

from da3_ros.geometry.ply import write_ply


def test_ply_holds_what_was_written(tmp_path: Path) -> None:
    points = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
    colours = np.array([[255, 0, 1], [2, 3, 4]], dtype=np.uint8)

    write_ply(tmp_path / "cloud.ply", points, colours)

    header, body = (tmp_path / "cloud.ply").read_bytes().split(b"end_header\n")
    assert header.startswith(b"ply\nformat binary_little_endian 1.0\nelement vertex 2\n")
    record = np.frombuffer(body, dtype=[("xyz", "<f4", 3), ("rgb", "u1", 3)])
    np.testing.assert_array_equal(record["xyz"], points)
    np.testing.assert_array_equal(record["rgb"], colours)
