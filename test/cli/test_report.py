# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo's report makes of depth and poses whose truth is known; nothing runs and nothing is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import ViewKey, ViewTruth
from da3_ros.geometry.sim3 import rigid

pytest.importorskip("da3_ros.msg", reason="NOT RUN: the messages are not built; run `make test`")

from da3_ros.cli.main import CommandError, main
from da3_ros.cli.recorder import KEPT_PIXELS, CameraRecord
from da3_ros.cli.report import Report
from da3_ros.ros.status_messages import ScaleSource

if TYPE_CHECKING:
    from da3_ros.cli.recorder import Recorder

STAMPS_NS = tuple(range(0, 1_200_000_000, 100_000_000))
CAMERA = PinholeCamera((4 * KEPT_PIXELS, 6 * KEPT_PIXELS), 30.0, 30.0, 23.5, 15.5)
RIG = ("front", "left", "right")


def truth(view: ViewKey, camera: PinholeCamera | None) -> ViewTruth:
    """Each camera looks at a slope of its own from a circle; the depth shrinks in time."""
    assert camera is not None
    at = view.stamp_ns * 1e-9
    depth = (np.linspace(1, 2, 24, dtype=np.float32).reshape(camera.size) + RIG.index(view.camera)) * (2 - at)
    place = [np.cos(4 * at), np.sin(4 * at), RIG.index(view.camera)]
    return ViewTruth(depth.astype(np.float32), camera, rigid(np.eye(3), place))


def recorded(
    unit: Callable[[str, int], float],
    cameras: Sequence[str] = RIG,
    stamps_ns: Sequence[int] = STAMPS_NS,
    source: ScaleSource = ScaleSource.RELATIVE,
) -> Recorder:
    """Poses as they are, and depth in a unit that depends on camera and stamp."""
    small = CAMERA.resized((4, 6))
    records = {name: CameraRecord() for name in cameras}
    for name, record in records.items():
        for stamp_ns in stamps_ns:
            true = truth(ViewKey(name, stamp_ns), small)
            record.cameras[stamp_ns], record.poses[stamp_ns] = CAMERA, true.world_from_camera
            record.depths[stamp_ns] = (true.depth * unit(name, stamp_ns)).astype(np.float32)
    window: Any = SimpleNamespace(
        frames_in=1, frames_published=1, frames_in_flight=0, drop_causes=[], drop_counts=[], new_frame_sets=1,
        stages=["engine"], stage_ms=[1.0], latency_ms=1.0, scale_source=int(source),
    )  # fmt: skip
    recorder: Any = SimpleNamespace(cameras=records, status=window, windows=[window])
    return recorder


def report(recorder: Recorder, of: Any = truth) -> Report:
    return Report(recorder, "engine", 1, 1.0, of, is_paced=True)


@pytest.mark.parametrize("cameras", [("front",), RIG], ids=["one camera", "rig"])
def test_scale_drift_is_that_of_time_however_many_cameras_there_are(cameras: Sequence[str]) -> None:
    def larger_at_last(_: str, stamp_ns: int) -> float:
        return 1.25 if stamp_ns >= STAMPS_NS[9] else 1.0

    found = report(recorded(larger_at_last, cameras)).summary["scale_drift"]

    assert found == pytest.approx(1 / 1.25)


def test_camera_with_a_unit_of_its_own_is_no_drift() -> None:
    found = report(recorded(lambda camera, _: 1.1 if camera == "right" else 1.0)).summary["scale_drift"]

    assert found == pytest.approx(1.0)


def test_drift_is_not_told_when_the_first_quarter_has_no_depth() -> None:
    summary = report(recorded(lambda _, stamp_ns: np.nan if stamp_ns < STAMPS_NS[4] else 0.5)).summary

    assert summary["depth_scale"] == pytest.approx(2.0)
    assert "scale_drift" not in summary


def test_trajectory_is_judged_when_there_is_no_depth_at_all() -> None:
    summary = report(recorded(lambda *_: np.nan)).summary

    assert summary["trajectory_ate_m"] == pytest.approx(0.0, abs=1e-9)
    assert "depth_abs_rel" not in summary


def test_pictures_do_not_claim_metres_of_the_truth_when_nothing_could_be_aligned() -> None:
    two = report(recorded(lambda *_: 0.3, ("front",), STAMPS_NS[:2]))

    assert "trajectory_ate_m" not in two.summary
    assert two._unit == "units of the first window"
    assert report(recorded(lambda *_: 0.3))._unit == "m, scaled to truth"


@pytest.mark.parametrize(
    ("source", "unit"),
    [(ScaleSource.RELATIVE, "units of the first window"), (ScaleSource.MODEL, "m"), (ScaleSource.RIG, "m")],
)
def test_unit_of_own_images_is_what_the_nodes_say(source: ScaleSource, unit: str) -> None:
    assert report(recorded(lambda *_: 1.0, source=source), of=None)._unit == unit


def test_demo_that_fails_leaves_no_report_of_an_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise CommandError("no")

    monkeypatch.setattr("da3_ros.cli.node_process.isolate", fail)
    for name in ("summary.json", "views.png", "cloud_from_above.png", "overview.png", "notes.txt", "my.png"):
        (tmp_path / name).touch()

    assert main(["demo", "--engine", "oracle", "--output", str(tmp_path)]) == 1

    assert {file.name for file in tmp_path.iterdir()} == {"notes.txt", "my.png"}
