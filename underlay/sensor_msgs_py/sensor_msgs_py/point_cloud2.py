# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/PointCloud2 <-> numpy.

A cloud is a structured array: one record per point, one named column per field. Errors in the arguments are
AssertionErrors, as in upstream. Upstream's shape of an organised cloud is kept too: arrays are (width, height).
"""

from __future__ import annotations

import sys
from collections import namedtuple
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.lib.recfunctions import structured_to_unstructured, unstructured_to_structured
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

DUMMY_FIELD_PREFIX = "unnamed_field"
_IS_BIG_ENDIAN = sys.byteorder != "little"
_DATATYPES: dict[int, np.dtype[Any]] = {
    PointField.INT8: np.dtype(np.int8),
    PointField.UINT8: np.dtype(np.uint8),
    PointField.INT16: np.dtype(np.int16),
    PointField.UINT16: np.dtype(np.uint16),
    PointField.INT32: np.dtype(np.int32),
    PointField.UINT32: np.dtype(np.uint32),
    PointField.FLOAT32: np.dtype(np.float32),
    PointField.FLOAT64: np.dtype(np.float64),
}


def read_points(
    cloud: PointCloud2,
    field_names: Iterable[str] | None = None,
    skip_nans: bool = False,
    uvs: Iterable[int] | None = None,
    reshape_organized_cloud: bool = False,
) -> np.ndarray:
    """The points as a structured array: a view of the message where nothing had to be dropped or swapped.

    Args:
        cloud: the message; never changed (upstream swaps the bytes of a foreign cloud in place).
        field_names: the columns wanted; None for all.
        skip_nans: leave out points with NaN in a wanted column, unless the cloud says it is dense.
        uvs: indices of the points wanted, applied after skip_nans; None for all.
        reshape_organized_cloud: return (width, height) instead of (points,) when the height is above 1.

    Raises:
        AssertionError: not a cloud, or a wanted field is not in it.
    """
    _require(isinstance(cloud, PointCloud2), f"a PointCloud2 is needed, not {type(cloud).__name__}")
    points = np.ndarray(
        shape=(cloud.width * cloud.height,),
        dtype=dtype_from_fields(cloud.fields, point_step=cloud.point_step),
        buffer=cloud.data,
    )
    if field_names is not None:
        wanted = list(field_names)
        missing = [name for name in wanted if name not in (points.dtype.names or ())]
        _require(not missing, f"the cloud has no field {missing}; it has {points.dtype.names}")
        points = points[wanted]
    if bool(cloud.is_bigendian) != _IS_BIG_ENDIAN:
        points = points.byteswap()
    if skip_nans and not cloud.is_dense:
        points = points[~_has_nan(points)]
    if uvs is not None:
        points = points[uvs if isinstance(uvs, np.ndarray) else np.fromiter(uvs, int)]
    if reshape_organized_cloud and cloud.height > 1:
        points = points.reshape(cloud.width, cloud.height)
    return points


def read_points_numpy(
    cloud: PointCloud2,
    field_names: Iterable[str] | None = None,
    skip_nans: bool = False,
    uvs: Iterable[int] | None = None,
    reshape_organized_cloud: bool = False,
) -> np.ndarray:
    """The points as a plain array with one column per field, for fields of one datatype. Arguments: `read_points`.

    Raises:
        AssertionError: as `read_points`, or the wanted fields differ in datatype.
    """
    wanted = None if field_names is None else list(field_names)
    datatypes = {field.datatype for field in cloud.fields if wanted is None or field.name in wanted}
    _require(len(datatypes) <= 1, "the fields differ in datatype: use read_points, or name fields of one datatype")
    return structured_to_unstructured(read_points(cloud, wanted, skip_nans, uvs, reshape_organized_cloud))


def read_points_list(
    cloud: PointCloud2,
    field_names: Iterable[str] | None = None,
    skip_nans: bool = False,
    uvs: Iterable[int] | None = None,
) -> list[Any]:
    """The points as named tuples: convenient and slow. Arguments: `read_points`."""
    points = read_points(cloud, field_names, skip_nans, uvs)
    point_type: Any = namedtuple("Point", points.dtype.names or ())  # type: ignore[misc]  # known at run time only
    return [point_type._make(point) for point in points]


def dtype_from_fields(fields: Iterable[PointField], point_step: int | None = None) -> np.dtype:
    """The record of one point: a field of count n becomes n columns ``name_0`` .. ``name_{n-1}``.

    Args:
        fields: the columns' names, datatypes, byte offsets and counts.
        point_step: bytes per point; None for no more than the fields need.

    Raises:
        AssertionError: a count of zero, or a name twice.
    """
    names: list[str] = []
    formats: list[str] = []
    offsets: list[int] = []
    for index, field in enumerate(fields):
        datatype = _DATATYPES[field.datatype]
        name = field.name or f"{DUMMY_FIELD_PREFIX}_{index}"
        _require(field.count > 0, f'field "{name}" has count 0')
        for element in range(field.count):
            names.append(f"{name}_{element}" if field.count > 1 else name)
            formats.append(datatype.str)
            offsets.append(field.offset + element * datatype.itemsize)
    _require(len(set(names)) == len(names), f"field names are not unique: {names}")
    layout: Any = {"names": names, "formats": formats, "offsets": offsets}
    if point_step is not None:
        layout["itemsize"] = point_step
    return np.dtype(layout)


def create_cloud(
    header: Header, fields: Iterable[PointField], points: Iterable[Any], point_step: int | None = None
) -> PointCloud2:
    """A cloud of the given points, marked as not dense.

    Args:
        header: copied into the cloud.
        fields: the columns.
        points: structured array of exactly these fields; or plain array (..., columns), converted; or any iterable
            of one sequence of values per point, slow. Two axes of points mean (width, height).
        point_step: bytes per point; None for no more than the fields need.

    Raises:
        AssertionError: the array does not fit the fields, or has more than two axes of points.
    """
    fields = list(fields)
    records = np.ascontiguousarray(_to_records(points, fields, dtype_from_fields(fields, point_step)))
    _require(records.ndim <= 2, f"points are organised along one or two axes, not {records.ndim}")
    width = records.shape[0]
    cloud = PointCloud2(
        header=header,
        height=records.shape[1] if records.ndim == 2 else 1,
        width=width,
        is_dense=False,
        is_bigendian=_IS_BIG_ENDIAN,
        fields=fields,
        point_step=records.dtype.itemsize,
        row_step=records.dtype.itemsize * width,
    )
    # Setting the field would convert byte by byte; a fresh message's own array takes them at once.
    cloud.data.frombytes(records.reshape(-1).view(np.uint8))
    return cloud


def create_cloud_xyz32(header: Header, points: Iterable[Any]) -> PointCloud2:
    """A cloud with the float32 fields x, y, z. Arguments: `create_cloud`."""
    fields = [PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate("xyz")]
    return create_cloud(header, fields, points)


def _to_records(points: Iterable[Any], fields: Sequence[PointField], dtype: np.dtype) -> np.ndarray:
    if not isinstance(points, np.ndarray):
        return np.array([tuple(point) for point in points], dtype=dtype)
    if points.dtype.names is not None:
        _require(points.dtype == dtype, f"the array's columns are {points.dtype}, the fields say {dtype}")
        return points
    one_type = len({field.datatype for field in fields}) <= 1
    _require(one_type, "the fields differ in datatype: pass a structured array with one column per field")
    return unstructured_to_structured(points, dtype=dtype)


def _has_nan(points: np.ndarray) -> np.ndarray:
    found = np.zeros(len(points), dtype=bool)
    for name in points.dtype.names or ():
        found |= np.isnan(points[name])
    return found


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)
