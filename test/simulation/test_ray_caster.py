# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import ViewKey
from da3_ros.geometry.rotation import FloatArray
from da3_ros.geometry.sim3 import rigid, rigid_inverse
from da3_ros.simulation.furnishing import make_room
from da3_ros.simulation.pixel_rays import pixel_rays
from da3_ros.simulation.ray_caster import RayCaster, View
from da3_ros.simulation.rig import base_from_optical
from da3_ros.simulation.simulator import Simulation
from test.simulation.surfaces import room_distance_m

STAMPS_NS = (0, 5_000_000_000, 11_000_000_000, 17_300_000_000)
LENSES = (
    ("none", ()),
    ("plumb_bob", (-0.12, 0.03, 0.002, -0.001)),
    ("rational_polynomial", (0.3, 0.1, 0.001, 0.0, 0.0, 0.2, 0.05, 0.0)),
    ("equidistant", (0.01, -0.002, 0.0, 0.0)),
)


def _world_points(view: View, depth: FloatArray | None = None) -> FloatArray:
    """(H * W, 3) surface points, or points at another depth along the same rays."""
    points = pixel_rays(view.camera) * np.float64(view.depth if depth is None else depth)[..., None]
    return points.reshape(-1, 3) @ view.world_from_camera[:3, :3].T + view.world_from_camera[:3, 3]


def _lens_view(simulation: Simulation, lens: tuple[str, tuple[float, ...]], stamp_ns: int) -> View:
    camera = replace(simulation.rig.named("left").camera, distortion_model=lens[0], distortion=lens[1])
    return simulation.caster.view(camera, simulation.world_from_camera(ViewKey("left", stamp_ns)))


@pytest.mark.parametrize("lens", LENSES, ids=lambda lens: str(lens[0]))
@pytest.mark.parametrize("stamp_ns", STAMPS_NS)
def test_unprojected_depth_lies_on_a_surface(
    simulation: Simulation, lens: tuple[str, tuple[float, ...]], stamp_ns: int
) -> None:
    view = _lens_view(simulation, lens, stamp_ns)

    distance = room_distance_m(simulation.caster.room, _world_points(view))

    assert np.isfinite(view.depth).all()
    assert np.abs(distance).max() < 1e-6


@pytest.mark.parametrize("stamp_ns", STAMPS_NS)
def test_nothing_stands_before_the_surface(simulation: Simulation, stamp_ns: int) -> None:
    view = simulation.view(ViewKey("front", stamp_ns))

    for share in (0.2, 0.5, 0.8, 0.95, 0.999):
        free = room_distance_m(simulation.caster.room, _world_points(view, view.depth * share))
        assert free.min() > 0


def test_depth_is_rounded_truth_when_the_camera_faces_a_wall() -> None:
    room = make_room(0)
    bare = replace(room, primitives=())
    camera = PinholeCamera.from_field_of_view((90, 120), 1.2)
    turn = base_from_optical((0.3, -0.2, 1.1), 0.4, 0.2)
    wall_m = room.size_m[0] / 2

    depth = RayCaster(bare).depth(camera, turn)

    direction = pixel_rays(camera) @ turn[:3, :3].T
    exact = (wall_m - 0.3) / direction[..., 0]
    on_wall = np.abs(exact * direction[..., 1] - 0.2) < room.size_m[1] / 2
    height = 1.1 + exact * direction[..., 2]
    on_wall &= (exact > 0) & (height > 0) & (height < room.size_m[2])
    assert on_wall.mean() > 0.3
    assert np.abs(depth[on_wall] / exact[on_wall] - 1).max() < 6.1e-8


@pytest.mark.parametrize(("one", "two"), [("front", "left"), ("front", "right")])
def test_views_agree_where_both_see(simulation: Simulation, one: str, two: str) -> None:
    first, second = (simulation.view(ViewKey(name, 3_000_000_000)) for name in (one, two))
    points = _world_points(first)

    seen = points @ rigid_inverse(second.world_from_camera)[:3, :3].T + rigid_inverse(second.world_from_camera)[:3, 3]
    pixel = second.camera.project(seen)
    height, width = second.camera.size
    inside = np.isfinite(pixel).all(axis=1) & (pixel > 0).all(axis=1) & (pixel < (width - 1, height - 1)).all(axis=1)
    column, row = np.rint(pixel[inside]).astype(int).T
    close = np.abs(second.depth[row, column] / seen[inside, 2] - 1) < 0.01
    mine, other = first.image.reshape(-1, 3)[inside][close], second.image[row, column][close]

    assert inside.mean() > 0.15
    assert close.mean() > 0.9  # the rest is hidden, or on an edge
    assert np.median(np.abs(mine.astype(int) - other.astype(int))) <= 3


def test_images_are_equal_when_a_fresh_simulation_renders_them(simulation: Simulation) -> None:
    key = ViewKey("right", 8_000_000_000)
    again = Simulation(2, simulation.rig)

    for other in (7_000_000_000, 9_000_000_000):  # what was rendered before does not matter
        again.view(ViewKey("front", other))

    np.testing.assert_array_equal(again.view(key).image, simulation.view(key).image)
    np.testing.assert_array_equal(again.view(key).depth, simulation.view(key).depth)


def test_images_are_equal_whatever_the_thread_count(simulation: Simulation) -> None:
    camera = simulation.rig.named("front").camera.resized((241, 323))
    pose = simulation.world_from_camera(ViewKey("front", 0))
    threads = torch.get_num_threads()

    try:
        views = []
        for count in (1, 2):
            torch.set_num_threads(count)
            views.append(simulation.caster.view(camera, pose))
    finally:
        torch.set_num_threads(threads)

    for view in views[1:]:
        np.testing.assert_array_equal(view.image, views[0].image)
        np.testing.assert_array_equal(view.depth, views[0].depth)


def test_a_cropped_camera_sees_the_crop_of_the_image(simulation: Simulation) -> None:
    whole = simulation.view(ViewKey("front", 0))
    camera = whole.camera.cropped(17, 31, (64, 77))

    part = simulation.caster.view(camera, whole.world_from_camera)

    np.testing.assert_array_equal(part.depth, whole.depth[17 : 17 + 64, 31 : 31 + 77])
    inner = (slice(1, -1), slice(1, -1))  # on the border of a crop an edge may go unnoticed
    np.testing.assert_array_equal(part.image[inner], whole.image[17 : 17 + 64, 31 : 31 + 77][inner])


def test_pixels_that_see_nothing_are_black_and_nan(simulation: Simulation) -> None:
    camera = PinholeCamera((81, 81), 20.0, 20.0, 40.0, 40.0, "equidistant", (0.0, 0.0, 0.0, 0.0))
    blind = np.hypot(*(np.indices((81, 81)) - 40)) / 20 > np.pi / 2

    view = simulation.caster.view(camera, simulation.world_from_camera(ViewKey("front", 0)))

    assert np.isnan(view.depth[blind]).all()
    assert not view.image[blind].any()
    assert np.isfinite(view.depth[~blind]).mean() > 0.95


def test_edges_look_like_the_mean_of_a_finer_image(simulation: Simulation) -> None:
    errors = []

    for stamp_ns in STAMPS_NS:
        view = simulation.view(ViewKey("front", stamp_ns))
        height, width = view.camera.size
        finer = simulation.caster.view(view.camera.resized((8 * height, 8 * width)), view.world_from_camera)
        mean = finer.image.reshape(height, 8, width, 8, 3).mean(axis=(1, 3))
        depth = finer.depth.reshape(height, 8, width, 8)
        on_edge = depth.max(axis=(1, 3)) - depth.min(axis=(1, 3)) > 0.3
        errors.append(np.abs(view.image - mean)[on_edge].ravel())

    error = np.concatenate(errors)
    assert len(error) > 1000
    assert error.mean() < 8  # 14 with one ray per pixel


def test_depth_refuses_a_camera_outside_the_room(simulation: Simulation) -> None:
    camera = simulation.rig.named("front").camera

    with pytest.raises(ValueError, match="outside the room"):
        simulation.caster.depth(camera, rigid(np.eye(3), (0, 0, -0.1)))
