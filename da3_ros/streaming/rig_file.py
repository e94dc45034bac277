# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""An estimated rig as a YAML file, for people and for `static_transform_publisher`."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.rotation import quat_xyzw_from_matrix, rotation_vector_from_matrix
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


def _numbers(values: npt.ArrayLike, digits: int) -> list[str]:
    # Adding zero takes the sign off a rounded minus zero.
    return [f"{value + 0.0:.{digits}f}" for value in np.round(np.asarray(values, dtype=np.float64), digits)]


def _quoted(text: str) -> str:
    return json.dumps(text)  # a JSON string is a YAML string too, whatever is in it
