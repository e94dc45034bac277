# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Gaussians survive their file, and the file is what viewers expect."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from da3_ros.geometry.gaussian_ply import read_gaussian_ply, write_gaussian_ply
from da3_ros.geometry.gaussians import Gaussians, certain_pixels, constant_harmonics
from test.closeness import assert_close


def some_gaussians(count: int, bands: int, seed: int = 0) -> Gaussians:
    generator = np.random.default_rng(seed)
    quaternions = generator.normal(size=(count, 4))
    return Gaussians(
        means=generator.normal(size=(count, 3)).astype(np.float32),
        scales=np.exp(generator.normal(size=(count, 3))).astype(np.float32),
        quaternions=(quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).astype(np.float32),
        harmonics=generator.normal(size=(count, bands, 3)).astype(np.float32),
        opacities=generator.uniform(size=count).astype(np.float32),
    )


@pytest.mark.parametrize("bands", [1, 4, 9, 16])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_gaussians_survive_their_file(tmp_path: Path, count: int, bands: int) -> None:
    file, gaussians = tmp_path / "scene.ply", some_gaussians(count, bands)

    write_gaussian_ply(file, gaussians)
    back = read_gaussian_ply(file)

    for field in ("means", "scales", "quaternions", "opacities"):
        assert_close(getattr(back, field), getattr(gaussians, field), relative=1e-6)
    assert_close(back.harmonics[:, :bands], gaussians.harmonics, relative=1e-6)
    assert not back.harmonics[:, bands:].any()


def test_file_has_the_properties_that_viewers_look_up_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "scene.ply"
    write_gaussian_ply(file, some_gaussians(2, 9))

    header = file.read_bytes().partition(b"end_header\n")[0].decode().splitlines()

    assert header[:3] == ["ply", "format binary_little_endian 1.0", "element vertex 2"]
    rest = [f"f_rest_{index}" for index in range(45)]
    names = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", *rest]
    names += ["opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    assert header[3:] == [f"property float {name}" for name in names]


def test_file_holds_logit_logarithm_and_scalar_first_and_red_before_green(tmp_path: Path) -> None:
    harmonics = np.arange(27, dtype=np.float32).reshape(1, 9, 3)  # coefficient k of channel c is 3 k + c
    half_turn = np.array([[0.6, 0.8, 0.0, 0.0]], dtype=np.float32)
    one = Gaussians(
        means=np.array([[1, 2, 3]], dtype=np.float32),
        scales=np.array([[1, np.e, np.e**2]], dtype=np.float32),
        quaternions=half_turn,
        harmonics=harmonics,
        opacities=np.array([0.75], dtype=np.float32),
    )
    file = tmp_path / "scene.ply"

    write_gaussian_ply(file, one)

    values = struct.unpack("<62f", file.read_bytes().partition(b"end_header\n")[2])
    assert values[:9] == (1, 2, 3, 0, 0, 0, 0, 1, 2)
    red, green, blue = values[9:24], values[24:39], values[39:54]
    assert red[:8] == tuple(range(3, 27, 3))
    assert green[:8] == tuple(range(4, 28, 3))
    assert blue == (*range(5, 29, 3), *[0] * 7)
    assert values[54:58] == pytest.approx((np.log(3), 0, 1, 2))
    assert values[58:] == pytest.approx((0.6, 0.8, 0, 0))


def test_file_stays_finite_when_opacity_is_zero_or_one(tmp_path: Path) -> None:
    file = tmp_path / "scene.ply"
    write_gaussian_ply(file, replace(some_gaussians(2, 1), opacities=np.array([0, 1], dtype=np.float32)))

    assert_close(read_gaussian_ply(file).opacities, [0, 1], relative=1e-6)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"solid", "is not a binary little-endian PLY"),
        (b"ply\nformat ascii 1.0\nelement vertex 0\nproperty float x\nend_header\n", "is not a binary little-endian"),
        (
            b"ply\nformat binary_little_endian 1.0\nelement vertex 0\nproperty uchar red\nend_header\n",
            "holds more than vertices of floats",
        ),
        (
            b"ply\nformat binary_little_endian 1.0\nelement vertex 0\nproperty float x\nend_header\n",
            "there is no property y",
        ),
        (
            b"ply\nformat binary_little_endian 1.0\nelement vertex 2\nproperty float x\nend_header\n1234",
            "should hold 2 Gaussians of 4 bytes, but has 4 bytes",
        ),
    ],
)
def test_reading_says_what_is_wrong(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "bad.ply"
    file.write_bytes(content)

    with pytest.raises(ValueError, match=sentence):
        read_gaussian_ply(file)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("scales", np.zeros((2, 3), np.float32), "above zero"),
        ("means", np.zeros((2, 4), np.float32), "means of 2 Gaussians"),
        ("harmonics", np.zeros((2, 5, 3), np.float32), "1, 4, 9 or 16"),
    ],
)
def test_gaussians_are_refused_when_they_make_no_sense(field: str, value: np.ndarray, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(some_gaussians(2, 4), **{field: value})


def test_border_far_and_unknown_pixels_are_left_out() -> None:
    depth = np.tile(np.linspace(1, 2, 64), (1, 64, 1))
    depth[0, 30, 30] = np.nan

    keep = certain_pixels(depth)

    assert not keep[0, :2].any()
    assert not keep[0, :, :2].any()
    assert not keep[0, 30, 30]
    assert keep[0, 2:-2, 2:57].sum() == 60 * 55 - 1
    assert not keep[0, :, 58:].any()


def test_small_images_have_no_border() -> None:
    assert certain_pixels(np.ones((1, 28, 28))).all()


def test_constant_colour_comes_back_as_half_plus_the_first_harmonic() -> None:
    coefficients = constant_harmonics([[0.5, 1.0, 0.0]])

    assert_close(coefficients[0, 0] * 0.28209479177387814 + 0.5, [0.5, 1.0, 0.0])
