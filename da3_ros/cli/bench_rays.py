# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From ray maps to cameras, ours beside the published package's, on maps of known cameras with noise."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from da3_ros.cli.bench_table import BenchTable, Column
from da3_ros.cli.interleaved import interleaved, time_figures
from da3_ros.cli.published_package import cameras_of_rays
from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rays import camera_from_rays
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector, rotation_angle

NOISE = 0.01  # of directions of length about one
ROUNDS = 3  # theirs takes seconds for each view
COLUMNS = (
    Column("what", "rays to camera"),
    Column("ms_median", "ms per view", "{:.1f}"),
    Column("speedup", "speed-up", "{:.1f}"),
    Column("speedup_of_rounds", "by round", "{:.1f}"),
    Column("rotation_error_deg", "rotation error, deg", "{:.3f}"),
    Column("focal_error_percent", "focal error, %", "{:.3f}"),
)
Camera = tuple[FloatArray, FloatArray]  # rotation (3, 3), focal lengths (2,) in halves of the map


def measure_rays(size: tuple[int, int], views: int, missing: str) -> BenchTable:
    """Times per view and errors against truth.

    Args:
        size: (H, W) of the images that the maps were made for.
        views: ray maps; theirs is asked for the first alone, as it is as slow for each.
        missing: why the published package takes no part; empty when it does.
    """
    map_size = (8 * size[0] // 14, 8 * size[1] // 14)
    truth, maps = zip(*(_ray_map(map_size, seed) for seed in range(views)), strict=True)
    confidence = np.ones(map_size, dtype=np.float32)
    tensors = torch.from_numpy(maps[0])[None, None], torch.from_numpy(confidence)[None, None]
    calls: dict[str, Callable[[int], list[Camera]]] = {
        "da3_ros": lambda _round: [_ours(rays, confidence) for rays in maps]
    }
    if not missing:
        calls["published"] = lambda _round: [_theirs(*tensors)]
    found: dict[str, list[Camera]] = {}
    times_ms = interleaved(calls, ROUNDS, look=lambda _number, answers: found.update(answers))
    times_ms["da3_ros"] = [ms / views for ms in times_ms["da3_ros"]]
    against = "" if missing else "published"
    rows = tuple(
        {"what": name, **time_figures(times_ms, name, against), **_errors(answer, truth)}
        for name, answer in found.items()
    )
    return BenchTable(
        name="rays",
        title=f"Camera of one ray map {map_size[0]}x{map_size[1]}, {ROUNDS} rounds",
        columns=COLUMNS,
        rows=rows,
        notes=(f"Maps of known cameras, directions with {NOISE:.0%} noise; errors are medians against the truth.",)
        + ((missing,) if missing else ()),
        details={"times_ms": times_ms},
    )


def _ray_map(size: tuple[int, int], seed: int) -> tuple[Camera, FloatArray]:
    """A camera as it is, and its (h, w, 6) rays with noise, float32."""
    generator = np.random.default_rng(seed)
    h, w = size
    focal = 0.8 * w
    rotation = matrix_from_rotation_vector(0.3 * generator.normal(size=3))
    directions = PinholeCamera(size, focal, focal, (w - 1) / 2, (h - 1) / 2).rays() @ rotation.T
    origins = np.broadcast_to(generator.normal(size=3), directions.shape)
    rays = np.concatenate((directions, origins), axis=-1)
    rays = (rays + NOISE * generator.normal(size=rays.shape)).astype(np.float32)
    return (rotation, np.array([2 * focal / w, 2 * focal / h])), rays


def _ours(rays: FloatArray, confidence: FloatArray) -> Camera:
    found = camera_from_rays(rays, confidence)
    h, w = found.camera.size
    focal = np.array([2 * found.camera.fx_px / w, 2 * found.camera.fy_px / h])
    return found.window_from_camera[:3, :3], focal


def _theirs(rays: Tensor, confidence: Tensor) -> Camera:
    window_from_camera, focal = cameras_of_rays(rays, confidence)
    return window_from_camera[0, 0, :3, :3].double().numpy(), focal[0, 0].double().numpy()


def _errors(found: list[Camera], truth: tuple[Camera, ...]) -> dict[str, float]:
    pairs = list(zip(found, truth, strict=False))  # theirs looked at the first alone
    angles = [math.degrees(float(rotation_angle(ours[0].T @ true[0]))) for ours, true in pairs]
    focal = [float(np.abs(ours[1] / true[1] - 1).max()) for ours, true in pairs]
    return {"rotation_error_deg": float(np.median(angles)), "focal_error_percent": 100 * float(np.median(focal))}
