# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The newest rig is kept and written as YAML."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import yaml

from da3_ros.geometry.sim3 import rigid
from da3_ros.nodes.rig_keeper import RigKeeper
from da3_ros.streaming.frame import Frame, FrameSet, Window
from da3_ros.streaming.results import WindowResult
from da3_ros.streaming.rig_calibration import RigCameraEstimate, RigEstimate

LEFT = RigCameraEstimate(rigid(np.eye(3), [-0.1, 0.0, 0.0]), 1e-6 * np.eye(6), 12)
RIG = RigEstimate("front", {"left": LEFT}, is_metric=True)


def result_of(rig: RigEstimate | None, stamp_ns: int = 7) -> WindowResult:
    frames = tuple(
        Frame(name, stamp_ns, f"{name}_optical_frame", np.zeros((1, 1, 3), np.uint8), None)
        for name in ("front", "left")
    )
    return cast(
        WindowResult, SimpleNamespace(rig=rig, new_sets=(None,), window=Window(0, (FrameSet(0, stamp_ns, frames),)))
    )


def test_estimate_is_written_with_the_frames_of_its_cameras(tmp_path: Path) -> None:
    keeper = RigKeeper(str(tmp_path / "new" / "rig.yaml"))

    kept = keeper.add(result_of(RIG))
    is_saved, sentence = keeper.save()

    assert kept is not None
    assert (kept.stamp_ns, kept.frame_ids["left"]) == (7, "left_optical_frame")
    assert is_saved
    assert "2 cameras" in sentence
    assert "metres" in sentence
    document = yaml.safe_load((tmp_path / "new" / "rig.yaml").read_text())
    assert document["frame_id"] == "front_optical_frame"
    np.testing.assert_allclose(np.linalg.norm(document["cameras"]["left"]["xyz"]), 0.1, atol=1e-6)


def test_estimate_is_kept_when_a_window_has_none(tmp_path: Path) -> None:
    keeper = RigKeeper(str(tmp_path / "rig.yaml"))
    keeper.add(result_of(RIG))

    assert keeper.add(result_of(None)) is None
    assert keeper.save()[0]


def test_save_is_refused_in_a_sentence_when_nothing_is_estimated(tmp_path: Path) -> None:
    keeper = RigKeeper(str(tmp_path / "rig.yaml"))

    assert keeper.save() == (False, "no rig is estimated yet: cameras must be seen together in several frame sets")
    keeper.add(result_of(RigEstimate("front", {}, is_metric=False)))
    assert not keeper.save()[0]
    keeper.add(result_of(RIG))
    keeper.clear()
    assert not keeper.save()[0]


def test_save_says_that_positions_are_not_metres(tmp_path: Path) -> None:
    keeper = RigKeeper(str(tmp_path / "rig.yaml"))
    keeper.add(result_of(RigEstimate("front", {"left": LEFT}, is_metric=False)))

    assert "not metres" in keeper.save()[1]


def test_save_is_refused_in_a_sentence_when_the_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    keeper = RigKeeper(str(tmp_path / "file" / "rig.yaml"))
    keeper.add(result_of(RIG))

    is_saved, sentence = keeper.save()

    assert not is_saved
    assert "cannot write the rig" in sentence
