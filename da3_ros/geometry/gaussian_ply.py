# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Gaussians as PLY files, in the form that the viewers of 3D Gaussian splatting share.

Per vertex, all float32: x y z, a normal that nobody uses, f_dc_0..2 and f_rest_0..44 (harmonics), opacity (its logit),
scale_0..2 (their logarithms), rot_0..3 (quaternion, w first). f_rest holds all of red, then green, then blue. It is
written for degree 3 whatever the degree is: the viewer of the original work takes no other number.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.gaussians import MAX_SH_DEGREE, FloatRows, Gaussians

_BANDS = (MAX_SH_DEGREE + 1) ** 2
_MEAN = ("x", "y", "z")
_NORMAL = ("nx", "ny", "nz")
_CONSTANT = ("f_dc_0", "f_dc_1", "f_dc_2")
_SCALE = ("scale_0", "scale_1", "scale_2")
_ROTATION = ("rot_0", "rot_1", "rot_2", "rot_3")
_FORMAT = "format binary_little_endian 1.0"
_END = b"end_header\n"
# The logit of 0 and 1 is infinite, which viewers do not expect.
_OPACITY_MARGIN = float(np.finfo(np.float32).eps)


def write_gaussian_ply(file: Path, gaussians: Gaussians) -> None:
    """Write Gaussians.

    Raises:
        OSError: when the file cannot be written.
    """
    rest = np.zeros((len(gaussians), _BANDS - 1, 3), dtype=np.float32)
    rest[:, : gaussians.harmonics.shape[1] - 1] = gaussians.harmonics[:, 1:]
    opacity = np.clip(gaussians.opacities.astype(np.float64), _OPACITY_MARGIN, 1 - _OPACITY_MARGIN)
    columns = (
        gaussians.means,
        np.zeros_like(gaussians.means),
        gaussians.harmonics[:, 0],
        rest.transpose(0, 2, 1).reshape(len(gaussians), 3 * (_BANDS - 1)),  # (N, K, 3) -> (N, 3, K): channel by channel
        np.log(opacity / (1 - opacity))[:, None],
        np.log(gaussians.scales),
        gaussians.quaternions,
    )
    names = (*_MEAN, *_NORMAL, *_CONSTANT, *_rest_names(3 * (_BANDS - 1)), "opacity", *_SCALE, *_ROTATION)
    properties = [f"property float {name}" for name in names]
    header = ["ply", _FORMAT, f"element vertex {len(gaussians)}", *properties]
    with file.open("wb") as out:
        out.write("\n".join([*header, ""]).encode() + _END)
        np.concatenate(columns, axis=1, dtype="<f4", casting="same_kind").tofile(out)


def read_gaussian_ply(file: Path) -> Gaussians:
    """Read Gaussians of any degree up to 3, whatever the order of their properties.

    Raises:
        OSError: when the file cannot be read.
        ValueError: when it is not a binary PLY of Gaussians.
    """
    content = file.read_bytes()
    header, end, body = content.partition(_END)
    lines = [line for line in header.decode("ascii", errors="replace").split("\n") if not line.startswith("comment")]
    if lines[:2] != ["ply", _FORMAT] or not end:
        raise ValueError(f"{file} is not a binary little-endian PLY")
    element, *properties = lines[2:-1]
    names = [line.removeprefix("property float ") for line in properties]
    if not element.startswith("element vertex ") or any(line.startswith("property") for line in names):
        raise ValueError(f"{file} holds more than vertices of floats")
    count = int(element.split()[-1])
    if len(body) != 4 * count * len(names):
        raise ValueError(f"{file} should hold {count} Gaussians of {4 * len(names)} bytes, but has {len(body)} bytes")
    rows = np.frombuffer(body, dtype="<f4").reshape(count, len(names))
    columns = dict(zip(names, rows.T, strict=True))
    rest = _rest_names(sum(name.startswith("f_rest_") for name in names))
    wanted = (*_MEAN, *_CONSTANT, *rest, "opacity", *_SCALE, *_ROTATION)
    if missing := [name for name in wanted if name not in columns]:
        raise ValueError(f"{file} holds no Gaussians: there is no property {missing[0]}")
    return _gaussians(columns, rest)


def _gaussians(columns: dict[str, FloatRows], rest: tuple[str, ...]) -> Gaussians:
    def gathered(names: tuple[str, ...]) -> FloatRows:
        return np.stack([columns[name] for name in names], axis=1).astype(np.float32)

    count = len(columns["opacity"])
    constant = gathered(_CONSTANT)[:, None]
    directed = gathered(rest).reshape(count, 3, len(rest) // 3).transpose(0, 2, 1) if rest else constant[:, :0]
    quaternions = gathered(_ROTATION)
    logit: npt.NDArray[np.float64] = columns["opacity"].astype(np.float64)
    return Gaussians(
        means=gathered(_MEAN),
        scales=np.exp(gathered(_SCALE)),
        quaternions=quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True),
        harmonics=np.concatenate((constant, directed), axis=1),
        opacities=(1 / (1 + np.exp(-logit))).astype(np.float32),
    )


def _rest_names(count: int) -> tuple[str, ...]:
    return tuple(f"f_rest_{index}" for index in range(count))
