# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.rotation import FloatArray
from da3_ros.simulation.primitives import SHAPES, Primitive, Shape, entry, room_exit, solid
from test.simulation.surfaces import signed_distance_m

coordinate = st.floats(-3, 3)
vectors = st.tuples(coordinate, coordinate, coordinate)
sizes = st.tuples(*[st.floats(0.05, 2)] * 3)
shapes = st.sampled_from(SHAPES)


def _entered(thing: Primitive, origin: FloatArray, direction: FloatArray) -> float:
    unit_from_world = np.linalg.inv(thing.world_from_unit)
    start = unit_from_world @ (*origin, 1)
    along = torch.from_numpy(unit_from_world[:3, :3] @ direction)
    return float(entry(thing.shape, start[:3].tolist(), along.unbind()))


@given(shape=shapes, centre=vectors, size=sizes, turn=vectors, origin=vectors, aim=vectors)
def test_entry_is_the_first_point_on_the_surface(
    shape: Shape,
    centre: tuple[float, ...],
    size: tuple[float, ...],
    turn: tuple[float, ...],
    origin: tuple[float, ...],
    aim: tuple[float, ...],
) -> None:
    thing = solid(shape, centre, size, "wood", turn_rad=turn)
    start = np.array(origin)
    # Aiming at a point near the solid makes about half of the rays hit.
    direction = np.array(centre) + np.array(aim) / 3 - start + 1e-3
    outside = signed_distance_m(thing, start[None])[0] > 1e-6

    t = _entered(thing, start, direction)

    way = np.linspace(0, 2 if np.isinf(t) else t * (1 - 1e-6), 200)
    before = signed_distance_m(thing, start + way[:, None] * direction)
    if np.isfinite(t):
        assert t > 0
        assert abs(signed_distance_m(thing, (start + t * direction)[None])[0]) < 1e-9
    if outside:
        assert (before > -1e-9).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_entry_is_infinite_when_the_origin_is_inside(shape: Shape) -> None:
    thing = solid(shape, (1, 2, 3), (1, 1, 1), "wood")

    t = _entered(thing, np.array([1.1, 2.1, 3.1]), np.array([1.0, 0.3, -0.2]))

    assert np.isinf(t)


@pytest.mark.parametrize("shape", SHAPES)
def test_entry_is_infinite_when_the_solid_is_behind(shape: Shape) -> None:
    thing = solid(shape, (0, 0, 0), (1, 1, 1), "wood")

    t = _entered(thing, np.array([2.0, 0.01, 0.02]), np.array([1.0, 0.0, 0.0]))

    assert np.isinf(t)


def test_entry_accepts_rays_along_the_axes() -> None:
    thing = solid("box", (0, 0, 0), (2, 2, 2), "wood")

    hit = _entered(thing, np.array([-3.0, 0.5, 0.0]), np.array([1.0, 0.0, 0.0]))
    miss = _entered(thing, np.array([-3.0, 1.5, 0.0]), np.array([1.0, 0.0, 0.0]))
    grazing = _entered(thing, np.array([-3.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0]))

    assert hit == 2.0
    assert np.isinf(miss)
    assert np.isinf(grazing)


@given(origin=st.tuples(*[st.floats(-0.99, 0.99)] * 3), direction=vectors.filter(lambda v: max(map(abs, v)) > 0.1))
def test_room_exit_lies_on_the_wall(origin: tuple[float, ...], direction: tuple[float, ...]) -> None:
    along = torch.tensor(direction, dtype=torch.float64)

    t = float(room_exit(origin, along.unbind()))

    assert np.abs(np.array(origin) + t * np.array(direction)).max() == pytest.approx(1, rel=1e-12)


def test_solid_refuses_flat_sizes_and_odd_materials() -> None:
    with pytest.raises(ValueError, match="sizes above zero"):
        solid("box", (0, 0, 0), (1, 0, 1), "wood")
    with pytest.raises(ValueError, match="one material or six"):
        solid("box", (0, 0, 0), (1, 1, 1), "wood", "paint")
