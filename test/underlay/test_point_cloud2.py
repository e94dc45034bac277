# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Clouds survive the way into a message and back, whatever their fields, order of bytes and padding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sensor_msgs.msg import PointCloud2, PointField
from sensor_msgs_py import point_cloud2
from std_msgs.msg import Header

HEADER = Header(frame_id="camera_optical_frame")
XYZ = np.array([[1.0, 2.0, 3.0], [4.0, np.nan, 6.0], [7.0, 8.0, 9.0], [-1.0, 0.0, 0.5]], dtype=np.float32)


def field(name: str, offset: int, datatype: int = PointField.FLOAT32, count: int = 1) -> PointField:
    return PointField(name=name, offset=offset, datatype=datatype, count=count)


MIXED = [field("x", 0), field("ring", 4, PointField.UINT16), field("time", 8, PointField.FLOAT64)]
MIXED_DTYPE = np.dtype({"names": ["x", "ring", "time"], "formats": ["<f4", "<u2", "<f8"], "offsets": [0, 4, 8]})


@given(npst.arrays(np.float32, st.tuples(st.integers(1, 50), st.just(3)), elements=st.floats(-1e6, 1e6, width=32)))
def test_xyz_cloud_returns_the_same_points_when_read_again(points: np.ndarray) -> None:
    cloud = point_cloud2.create_cloud_xyz32(HEADER, points)

    assert (cloud.height, cloud.width, cloud.point_step, cloud.row_step) == (1, len(points), 12, 12 * len(points))
    assert (cloud.is_dense, cloud.is_bigendian, cloud.header.frame_id) == (False, False, HEADER.frame_id)
    assert len(cloud.data) == cloud.row_step
    np.testing.assert_array_equal(point_cloud2.read_points_numpy(cloud), points)


@pytest.mark.parametrize(
    "source", [XYZ, XYZ.tolist(), iter(XYZ.tolist()), np.asfortranarray(XYZ), XYZ.astype(np.float64)]
)
def test_cloud_is_the_same_when_points_come_as_array_list_or_iterator(source: object) -> None:
    cloud = point_cloud2.create_cloud_xyz32(HEADER, source)

    np.testing.assert_array_equal(point_cloud2.read_points_numpy(cloud), XYZ)


def test_structured_cloud_keeps_every_column_when_datatypes_differ() -> None:
    points = np.array([(1.5, 7, 2.25), (2.5, 65535, -1e300)], dtype=MIXED_DTYPE)

    cloud = point_cloud2.create_cloud(HEADER, MIXED, points)
    read = point_cloud2.read_points(cloud)

    assert read.dtype.names == ("x", "ring", "time")
    assert read.tolist() == points.tolist()
    assert point_cloud2.read_points_list(cloud)[1].ring == 65535
    with pytest.raises(AssertionError):
        point_cloud2.read_points_numpy(cloud)
    assert point_cloud2.read_points_numpy(cloud, field_names=["x"]).tolist() == [[1.5], [2.5]]


def test_columns_come_in_the_order_asked_for_when_field_names_are_given() -> None:
    cloud = point_cloud2.create_cloud_xyz32(HEADER, XYZ)

    np.testing.assert_array_equal(point_cloud2.read_points_numpy(cloud, field_names=["z", "x"]), XYZ[:, [2, 0]])
    assert point_cloud2.read_points(cloud, field_names=("y",)).dtype.names == ("y",)


def test_points_with_nan_are_left_out_when_asked_and_the_cloud_is_not_dense() -> None:
    cloud = point_cloud2.create_cloud_xyz32(HEADER, XYZ)

    assert len(point_cloud2.read_points(cloud, skip_nans=True)) == 3
    assert len(point_cloud2.read_points(cloud, field_names=["x"], skip_nans=True)) == 4
    cloud.is_dense = True
    assert len(point_cloud2.read_points(cloud, skip_nans=True)) == 4


@pytest.mark.parametrize("indices", [[2, 0], iter([2, 0]), np.array([2, 0])], ids=["list", "iterator", "array"])
def test_points_are_picked_in_order_when_indices_are_given(indices: object) -> None:
    cloud = point_cloud2.create_cloud_xyz32(HEADER, XYZ)

    np.testing.assert_array_equal(point_cloud2.read_points_numpy(cloud, uvs=indices), XYZ[[2, 0]])


def test_named_tuples_hold_the_fields_when_points_are_listed() -> None:
    cloud = point_cloud2.create_cloud_xyz32(HEADER, XYZ)

    first = point_cloud2.read_points_list(cloud, field_names=["x", "z"])[0]

    assert first._asdict() == {"x": 1.0, "z": 3.0}
    assert type(first).__name__ == "Point"


def test_field_of_count_three_becomes_three_columns() -> None:
    fields = [field("normal", 0, count=3), field("", 12, PointField.UINT8)]

    dtype = point_cloud2.dtype_from_fields(fields)

    assert dtype.names == ("normal_0", "normal_1", "normal_2", "unnamed_field_1")
    assert [dtype.fields[name][1] for name in dtype.names] == [0, 4, 8, 12]
    assert point_cloud2.dtype_from_fields(fields, point_step=32).itemsize == 32


def test_padding_between_points_is_skipped_when_the_point_step_is_larger() -> None:
    fields = [field(name, 4 * index) for index, name in enumerate("xyz")]

    cloud = point_cloud2.create_cloud(HEADER, fields, XYZ, point_step=20)

    assert (cloud.point_step, len(cloud.data)) == (20, 80)
    np.testing.assert_array_equal(point_cloud2.read_points_numpy(cloud), XYZ)


def test_foreign_byte_order_is_swapped_and_the_message_left_alone() -> None:
    # Stricter than upstream, which swaps inside the message, so that a second reading is wrong.
    cloud = point_cloud2.create_cloud_xyz32(HEADER, XYZ)
    cloud.data = XYZ.astype(">f4").tobytes()
    cloud.is_bigendian = True

    for _ in range(2):
        np.testing.assert_array_equal(point_cloud2.read_points_numpy(cloud), XYZ)


def test_organised_cloud_is_width_first_as_upstream_has_it() -> None:
    points = np.arange(2 * 5 * 3, dtype=np.float32).reshape(5, 2, 3)

    cloud = point_cloud2.create_cloud_xyz32(HEADER, points)

    assert (cloud.width, cloud.height, cloud.row_step) == (5, 2, 60)
    np.testing.assert_array_equal(point_cloud2.read_points_numpy(cloud, reshape_organized_cloud=True), points)
    assert point_cloud2.read_points(cloud).shape == (10,)
    with pytest.raises(AssertionError):
        point_cloud2.create_cloud_xyz32(HEADER, points[None])


def test_reading_is_a_view_of_the_message_when_nothing_is_dropped() -> None:
    cloud = point_cloud2.create_cloud_xyz32(HEADER, XYZ)

    assert np.shares_memory(point_cloud2.read_points(cloud), np.frombuffer(cloud.data, np.uint8))


@pytest.mark.parametrize("points", [[], np.zeros((0, 3), np.float32)], ids=["list", "array"])
def test_cloud_has_no_points_when_none_are_given(points: object) -> None:
    cloud = point_cloud2.create_cloud_xyz32(HEADER, points)

    assert (cloud.width, cloud.row_step, len(cloud.data)) == (0, 0, 0)
    assert point_cloud2.read_points_list(cloud) == []


def test_bad_arguments_raise_assertion_errors_as_upstream_does() -> None:
    cloud = point_cloud2.create_cloud_xyz32(HEADER, XYZ)

    with pytest.raises(AssertionError):
        point_cloud2.read_points("no cloud")
    with pytest.raises(AssertionError):
        point_cloud2.read_points(cloud, field_names=["intensity"])
    with pytest.raises(AssertionError):
        point_cloud2.create_cloud(HEADER, MIXED, XYZ)
    with pytest.raises(AssertionError):
        point_cloud2.create_cloud(HEADER, MIXED, np.zeros(3, dtype=[("x", "<f4")]))
    with pytest.raises(AssertionError):
        point_cloud2.dtype_from_fields([field("x", 0), field("x", 4)])
    with pytest.raises(AssertionError):
        point_cloud2.dtype_from_fields([field("x", 0, count=0)])


def test_message_too_short_for_its_size_is_refused() -> None:
    cloud = PointCloud2(width=10, height=1, point_step=4, fields=[field("x", 0)])
    cloud.data.frombytes(bytes(20))

    with pytest.raises((TypeError, ValueError)):
        point_cloud2.read_points(cloud)
