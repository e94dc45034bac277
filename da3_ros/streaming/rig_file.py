# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""An estimated rig as a YAML file for people, for `static_transform_publisher`, and back as places on a base."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.rotation import (
    FloatArray,
    matrix_from_quat_xyzw,
    quat_xyzw_from_matrix,
    rotation_vector_from_matrix,
)
from da3_ros.geometry.sim3 import rigid
from da3_ros.streaming.rig import BODY_FROM_OPTICAL
from da3_ros.streaming.rig_calibration import RigCameraEstimate, RigEstimate


def rig_yaml(estimate: RigEstimate, frame_ids: Mapping[str, str]) -> str:
    """The text of a rig file.

    Args:
        estimate: the rig.
        frame_ids: ROS frame of every camera's optical frame, the reference's included.
    """
    reference_frame = frame_ids[estimate.reference]
    unit = "metres" if estimate.is_metric else "an arbitrary unit, NOT metres: scale them before use"
    lines = [
        f"# Cameras as seen from the optical frame of '{estimate.reference}' (x right, y down, z ahead).",
        f"# Lengths are in {unit}. One sigma stands behind +-.",
        f"reference: {_quoted(estimate.reference)}",
        f"frame_id: {_quoted(reference_frame)}",
        f"is_metric: {str(estimate.is_metric).lower()}",
        "cameras:",
    ]
    for camera, found in estimate.cameras.items():
        lines += _camera_lines(camera, found, reference_frame, frame_ids[camera], estimate.is_metric)
    return "\n".join(lines) + "\n"


def rig_from_yaml(document: object) -> dict[str, FloatArray]:
    """Places of the cameras on a base whose frame is the reference camera's, with body axes (x ahead, y left, z up).

    That is the base of a robot without TF, so a file that `rig_yaml` wrote makes a `Rig` that stands where it stood.

    Args:
        document: what `yaml.safe_load` made of the file.

    Returns:
        (4, 4) base_from_camera by name, metres, the reference first.

    Raises:
        ValueError: when it is no rig file, or when its lengths are not metres.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("cameras"), Mapping):
        raise ValueError("a rig file has the keys reference, is_metric and cameras, and cameras are by name")
    if document.get("is_metric") is not True:
        raise ValueError("the rig file does not say is_metric: true: scale its lengths to metres first")
    reference = document.get("reference")
    if not isinstance(reference, str):
        raise ValueError(f"reference must be the name of a camera, not {reference!r}")
    places = {reference: BODY_FROM_OPTICAL}
    for camera, entry in document["cameras"].items():
        places[str(camera)] = BODY_FROM_OPTICAL @ _transform(str(camera), entry)
    return places


def _camera_lines(
    camera: str, found: RigCameraEstimate, reference_frame: str, frame: str, is_metric: bool
) -> list[str]:
    quat, xyz = quat_xyzw_from_matrix(found.reference_from_camera[:3, :3]), found.reference_from_camera[:3, 3]
    turn = np.rad2deg(rotation_vector_from_matrix(found.reference_from_camera[:3, :3]))
    sigma = np.sqrt(np.diagonal(found.covariance))
    command = " ".join(
        f"--{name} {value}"
        for name, value in zip(("x", "y", "z", "qx", "qy", "qz", "qw"), _numbers((*xyz, *quat), 9), strict=True)
    )
    publish = (
        f"ros2 run tf2_ros static_transform_publisher {command} --frame-id {reference_frame} --child-frame-id {frame}"
    )
    return [
        f"  {_quoted(camera)}:",
        f"    frame_id: {_quoted(frame)}",
        f"    xyz: [{', '.join(_numbers(xyz, 6))}]  # +- {' '.join(_numbers(sigma[:3], 6))}",
        f"    # turned by {' '.join(_numbers(turn, 3))} degrees about x y z (one rotation vector)"
        f" +- {' '.join(_numbers(np.rad2deg(sigma[3:]), 3))}",
        f"    quat_xyzw: [{', '.join(_numbers(quat, 9))}]",
        f"    frame_sets: {found.frame_sets}",
        *([f"    # {publish}"] if is_metric else []),
    ]


def _transform(camera: str, entry: object) -> FloatArray:
    values: Any = entry if isinstance(entry, Mapping) else {}
    try:
        xyz = np.array(values["xyz"], dtype=np.float64)
        rotation = matrix_from_quat_xyzw(np.array(values["quat_xyzw"], dtype=np.float64))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"camera '{camera}' of the rig file needs xyz and quat_xyzw: {error}") from error
    if xyz.shape != (3,) or rotation.shape != (3, 3) or not np.isfinite(xyz).all():
        raise ValueError(f"camera '{camera}' of the rig file needs three finite xyz and four quat_xyzw")
    return rigid(rotation, xyz)


def _numbers(values: npt.ArrayLike, digits: int) -> list[str]:
    # Adding zero takes the sign off a rounded minus zero.
    return [f"{value + 0.0:.{digits}f}" for value in np.round(np.asarray(values, dtype=np.float64), digits)]


def _quoted(text: str) -> str:
    return json.dumps(text)  # a JSON string is a YAML string too, whatever is in it
