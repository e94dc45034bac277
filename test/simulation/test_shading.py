# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid_inverse
from da3_ros.simulation.faces import OTHER_AXES
from da3_ros.simulation.furnishing import make_room
from da3_ros.simulation.hits import cast_pixels
from da3_ros.simulation.primitives import Primitive, solid
from da3_ros.simulation.rig import base_from_optical
from da3_ros.simulation.shading import MIN_COSINE, FacePoints, Samples, face_points
from da3_ros.simulation.surface_look import build_look

CAMERA = PinholeCamera.from_field_of_view((60, 80), 1.4)
POSE = base_from_optical((-2.0, -0.2, 1.4), 0.05, 0.2)
THINGS = (
    solid("box", (0, -1, 0.7), (0.9, 0.6, 1.0), "wood", turn_rad=(0.1, 0.2, 0.5)),
    solid("ellipsoid", (0, 0, 0.8), (0.8, 0.6, 1.0), "ball", turn_rad=(0.3, -0.2, 1.0)),
    solid("cylinder", (-0.2, 1, 0.5), (0.7, 0.7, 0.8), "clay", turn_rad=(0.1, 0.0, 0.4)),
)


@pytest.fixture(scope="module")
def seen() -> tuple[tuple[Primitive, ...], Samples, FacePoints]:
    """Pixels of a box, a ball and a cylinder in an empty room."""
    room = replace(make_room(0), primitives=THINGS)
    solids = (room.shell, *THINGS)
    camera_from_unit = rigid_inverse(POSE) @ np.array([thing.world_from_unit for thing in solids])
    hits = cast_pixels(CAMERA, camera_from_unit, [thing.shape for thing in solids])
    samples = hits.samples()
    return solids, samples, face_points(samples, hits.unit_from_camera, build_look(room))


def _world(samples: Samples, chosen: FloatArray) -> FloatArray:
    rays = np.stack((samples.x.numpy(), samples.y.numpy(), np.ones(len(samples.x))), axis=-1).astype(np.float64)
    points = rays * samples.depth.numpy()[:, None]
    return points[chosen] @ POSE[:3, :3].T + POSE[:3, 3]


def _on_cube(points: FacePoints, chosen: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Unit-cube points of faces with their u and v, and the axes of the faces."""
    face = points.face.numpy()[chosen] % 6
    u, v = points.u.numpy()[chosen], points.v.numpy()[chosen]
    axis = face // 2
    cube = np.empty((len(face), 3))
    others = np.array(OTHER_AXES)[axis]
    index = np.arange(len(face))
    cube[index, axis], cube[index, others[:, 0]], cube[index, others[:, 1]] = face % 2 * 2 - 1, u, v
    return cube, axis


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_face_points_lead_back_to_the_surface_point(
    seen: tuple[tuple[Primitive, ...], Samples, FacePoints], number: int
) -> None:
    solids, samples, points = seen
    thing = solids[number]
    chosen = samples.solid.numpy() == number

    unit, axis = _on_cube(points, chosen)
    if thing.shape == "ellipsoid":
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    elif thing.shape == "cylinder":
        side = axis < 2
        unit[side, :2] /= np.linalg.norm(unit[side, :2], axis=1, keepdims=True)
    world = unit @ thing.world_from_unit[:3, :3].T + thing.world_from_unit[:3, 3]

    assert chosen.sum() > 100
    assert len(np.unique(axis)) > 1
    np.testing.assert_array_equal(points.face.numpy()[chosen] // 6, number)
    np.testing.assert_allclose(world, _world(samples, chosen), atol=2e-5)


@pytest.mark.parametrize("number", [0, 1])
def test_flatness_is_one_over_the_cosine_of_the_view(
    seen: tuple[tuple[Primitive, ...], Samples, FacePoints], number: int
) -> None:
    solids, samples, points = seen
    chosen = samples.solid.numpy() == number
    _, axis = _on_cube(points, chosen)

    normals = (solids[number].world_from_unit[:3, :3] / solids[number].half_m).T[axis]
    sight = _world(samples, chosen) - POSE[:3, 3]
    cosine = np.abs(np.sum(sight * normals, axis=1)) / np.linalg.norm(sight, axis=1)

    expected = 1 / np.maximum(cosine, MIN_COSINE)
    np.testing.assert_allclose(points.flatness.numpy()[chosen], expected, rtol=1e-4)
