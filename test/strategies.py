# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for geometry: ordinary values, and on purpose the ones near the edges."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray, matrix_from_rotation_vector
from da3_ros.geometry.sim3 import Sim3, rigid

seeds = st.integers(0, 2**32 - 1)


@st.composite
def unit_vectors(draw: st.DrawFn) -> FloatArray:
    vector = np.random.default_rng(draw(seeds)).normal(size=3)
    return vector / np.linalg.norm(vector)


@st.composite
def rotation_vectors(draw: st.DrawFn) -> FloatArray:
    """Of any angle up to pi, near zero and near pi included."""
    angle = draw(
        st.one_of(
            st.floats(0.0, np.pi),
            st.sampled_from([0.0, 1e-12, 1e-7, np.pi / 2, np.pi - 1e-7, np.pi]),
        )
    )
    return angle * draw(unit_vectors())


@st.composite
def rotations(draw: st.DrawFn) -> FloatArray:
    return matrix_from_rotation_vector(draw(rotation_vectors()))


@st.composite
def translations(draw: st.DrawFn) -> FloatArray:
    size = draw(st.sampled_from([0.0, 1e-6, 1.0, 30.0]))
    return size * draw(unit_vectors())


@st.composite
def rigid_transforms(draw: st.DrawFn) -> FloatArray:
    return rigid(draw(rotations()), draw(translations()))


@st.composite
def sim3s(draw: st.DrawFn) -> Sim3:
    scale = float(np.exp(draw(st.floats(-4.0, 4.0))))
    return Sim3(scale, draw(rotations()), draw(translations()))


@st.composite
def pinhole_cameras(draw: st.DrawFn) -> PinholeCamera:
    """Without distortion; principal point and pixel shape as odd as real crops make them."""
    height, width = draw(st.integers(2, 40)), draw(st.integers(2, 40))
    fx, fy = draw(st.floats(5.0, 200.0)), draw(st.floats(5.0, 200.0))
    cx, cy = draw(st.floats(-0.5, width - 0.5)), draw(st.floats(-0.5, height - 0.5))
    return PinholeCamera((height, width), fx, fy, cx, cy)
