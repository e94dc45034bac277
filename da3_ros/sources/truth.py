# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Sequences with known poses from whatever a path names: a folder of a data set, or a rosbag2."""

from __future__ import annotations

from pathlib import Path

from da3_ros.evaluation.datasets import DatasetError
from da3_ros.evaluation.known_frames import KnownSequence
from da3_ros.evaluation.sequences import Intrinsics, load_sequences
from da3_ros.sources.source import is_bag


def open_truth(path: Path, intrinsics: Intrinsics | None = None) -> tuple[KnownSequence, ...]:
    """All sequences of a data set folder (see `evaluation.sequences`) or a bag, one for each camera.

    Args:
        path: folder, or folder or file of a bag.
        intrinsics: of data sets that do not record them.

    Raises:
        DatasetError: when there is nothing there that is known here, or it is malformed.
    """
    if not path.exists():
        raise DatasetError(f"{path} is not there: give the folder of a data set, or a rosbag2")
    if is_bag(path):
        try:
            from da3_ros.sources.bag_truth import load_bag_sequences
        except ImportError as error:
            raise DatasetError(f"bags need the Python module '{error.name}', which is not installed") from error
        return load_bag_sequences(path)
    if not path.is_dir():
        raise DatasetError(
            f"{path} is neither a folder nor a rosbag2: unpack an archive, or convert a ROS 1 bag (rosbags-convert)"
        )
    return load_sequences(path, intrinsics)
