# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""PointCloud2: the layout that its readers demand, and the points that were put in."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sensor_msgs.msg import PointField

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.cloud import organised_cloud
from da3_ros.ros.camera_messages import camera_info_message
from da3_ros.ros.cloud_messages import cloud_message
from da3_ros.ros.stamps import header

HEADER = header(1_700_000_000_000_000_001, "front_optical_frame")
HEIGHT, WIDTH = 5, 7


@pytest.fixture
def cloud() -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(7)
    depth = rng.uniform(1, 9, (HEIGHT, WIDTH)).astype(np.float32)
    depth[1, 2] = np.nan
    image = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return organised_cloud(depth, image, PinholeCamera((HEIGHT, WIDTH), 6.0, 6.0, 3.0, 2.0))


def test_cloud_message_has_the_layout_that_readers_demand(cloud: npt.NDArray[np.float32]) -> None:
    message = cloud_message(cloud, HEADER)

    assert message.header == HEADER
    assert (message.height, message.width) == (HEIGHT, WIDTH)
    assert (message.point_step, message.row_step) == (16, 16 * WIDTH)
    assert len(message.data) == 16 * WIDTH * HEIGHT
    assert [(field.name, field.offset, field.count) for field in message.fields] == [
        ("x", 0, 1),
        ("y", 4, 1),
        ("z", 8, 1),
        ("rgb", 12, 1),
    ]
    assert {field.datatype for field in message.fields} == {PointField.FLOAT32}


def test_cloud_message_is_dense_only_when_every_point_is_known(cloud: npt.NDArray[np.float32]) -> None:
    assert not cloud_message(cloud, HEADER).is_dense
    assert cloud_message(np.ascontiguousarray(cloud[2:]), HEADER).is_dense


def test_points_are_read_back_by_numpy_as_the_fields_say(cloud: npt.NDArray[np.float32]) -> None:
    message = cloud_message(cloud, HEADER)
    names = [field.name for field in message.fields]
    order = ">" if message.is_bigendian else "<"
    layout = np.dtype(
        {
            "names": names,
            "formats": [f"{order}f4"] * 4,
            "offsets": [field.offset for field in message.fields],
            "itemsize": message.point_step,
        }
    )

    points = np.frombuffer(message.data, layout).reshape(message.height, message.width)

    for index, name in enumerate(names):
        assert points[name].tobytes() == np.ascontiguousarray(cloud[..., index]).tobytes()


def test_points_are_read_back_by_sensor_msgs_py(cloud: npt.NDArray[np.float32]) -> None:
    point_cloud2 = pytest.importorskip("sensor_msgs_py.point_cloud2", reason="NOT RUN: sensor_msgs_py is not built")

    points = point_cloud2.read_points(cloud_message(cloud, HEADER), field_names=("x", "y", "z"), skip_nans=True)

    rows = np.stack([points["x"], points["y"], points["z"]], axis=-1)
    known = cloud[..., :3].reshape(-1, 3)
    np.testing.assert_array_equal(rows, known[~np.isnan(known[:, 2])])


def test_cloud_message_is_refused_when_the_array_is_no_organised_cloud(cloud: npt.NDArray[np.float32]) -> None:
    wrongs: list[Any] = [cloud[..., :3], cloud.reshape(-1, 4), cloud.astype(np.float64)]

    for wrong in wrongs:
        with pytest.raises(ValueError, match="organised cloud is"):
            cloud_message(wrong, HEADER)


@pytest.mark.parametrize("matrix", ["k", "p"])
def test_published_cloud_is_its_depth_unprojected_by_the_published_camera_info(matrix: str) -> None:
    rng = np.random.default_rng(9)
    depth = rng.uniform(0.3, 20.0, (HEIGHT, WIDTH)).astype(np.float32)
    camera = PinholeCamera((HEIGHT, WIDTH), 6.2, 5.7, 2.6, 2.3)
    cloud = organised_cloud(depth, np.zeros((HEIGHT, WIDTH, 3), np.uint8), camera)

    info, message = camera_info_message(camera, HEADER), cloud_message(cloud, HEADER)

    points = np.frombuffer(message.data, np.float32).reshape(HEIGHT, WIDTH, 4)[..., :3]
    pixels = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT), [1.0])[:3], axis=-1)[:, :, 0]
    from_pixel = np.linalg.inv(np.reshape(getattr(info, matrix), (3, -1))[:, :3])
    np.testing.assert_allclose(points, depth[..., None] * (pixels @ from_pixel.T), rtol=5e-7, atol=1e-6)
    assert not any(info.d)
