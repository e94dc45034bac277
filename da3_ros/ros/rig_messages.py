# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""RigEstimate messages from what self-calibration has found."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from geometry_msgs.msg import PoseWithCovariance

from da3_ros.msg import RigEstimate as RigEstimateMessage
from da3_ros.ros.stamps import header
from da3_ros.ros.transform_messages import pose_message
from da3_ros.streaming.rig_calibration import RigEstimate


def rig_estimate_message(estimate: RigEstimate, frame_ids: Mapping[str, str], stamp_ns: int) -> RigEstimateMessage:
    """The poses of all cameras but the reference in the reference's optical frame.

    Args:
        estimate: the newest.
        frame_ids: optical frame of each camera, by name.
        stamp_ns: of the newest frame set in it.
    """
    poses = [
        PoseWithCovariance(
            pose=pose_message(camera.reference_from_camera),
            covariance=np.asarray(camera.covariance, dtype=np.float64).ravel(),
        )
        for camera in estimate.cameras.values()
    ]
    return RigEstimateMessage(
        header=header(stamp_ns, frame_ids.get(estimate.reference, "")),
        reference=estimate.reference,
        cameras=list(estimate.cameras),
        frame_ids=[frame_ids.get(name, "") for name in estimate.cameras],
        reference_from_camera=poses,
        frame_sets=[camera.frame_sets for camera in estimate.cameras.values()],
        is_metric=estimate.is_metric,
    )
