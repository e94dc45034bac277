# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What diagnostics say about cameras, stream, tracking and scale."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("da3_ros.msg", reason="NOT RUN: the messages are not built; run `make test`")

from da3_ros.geometry.prediction import ViewKey
from da3_ros.nodes.health import (
    InputState,
    camera_report,
    memory_report,
    shared_frames,
    stream_report,
    tracking_report,
)
from da3_ros.nodes.progress import MOVES, Flow, Standstill
from da3_ros.ros.diagnostics import Level
from da3_ros.streaming.camera_health import CameraHealth
from da3_ros.streaming.ledger import Counters
from da3_ros.streaming.memory_relief import Step
from da3_ros.streaming.results import WindowResult
from da3_ros.streaming.scale import ScaleState

RIG = ScaleState("rig", 2.0, 0.0123, 0)
HELD = ScaleState("odom", 2.0, 0.02, 61_000_000_000)
LEFT = frozenset({ViewKey("left", 1)})


def result_of(scale: ScaleState = RIG, focal_difference: float = 0.0, **report: Any) -> WindowResult:
    states = {"ok": True, "lost": False, "new_segment": False, "has_track": True}
    usual = {**states, "reason": "", "distrusted": frozenset()}
    figures = {"world_from_window": SimpleNamespace(scale=2.5), "residual": 0.01, "overlap_views": 6, "inliers": 0.9}
    alignment = SimpleNamespace(**{**usual, **figures, **report})
    given = {"report": alignment, "scale": scale, "focal_difference": focal_difference, "new_sets": ()}
    return cast(WindowResult, SimpleNamespace(**given))


@pytest.mark.parametrize(
    ("result", "level", "words"),
    [
        (result_of(new_segment=True, has_track=False), Level.OK, "depth without a track, in metres by rig"),
        (None, Level.STALE, "no window"),
        (result_of(), Level.OK, "in metres by rig, sigma 1.23%"),
        (result_of(HELD), Level.OK, "by odom, sigma 2.00%, not observed for 61 s"),
        (result_of(ScaleState("relative", 1.0, math.inf, 0)), Level.OK, "up to scale"),
        (result_of(ok=False, reason="garbage"), Level.WARN, "not used: garbage"),
        (result_of(ok=False, lost=True, reason="garbage"), Level.ERROR, "lost: garbage"),
        (result_of(distrusted=LEFT), Level.WARN, "contradicts the other cameras, garbage or misplaced in TF: left"),
        (result_of(focal_difference=0.08), Level.WARN, "8% off"),
        (result_of(focal_difference=0.04), Level.OK, "in metres"),
    ],
)
def test_tracking_report_names_the_first_thing_that_is_wrong(
    result: WindowResult | None, level: Level, words: str
) -> None:
    report = tracking_report(result)

    assert report.level == level
    assert words in report.message


def test_tracking_report_gives_published_units_per_unit_of_the_window() -> None:
    assert tracking_report(result_of()).values["scale"] == 5.0


def test_memory_report_names_what_is_given_up() -> None:
    enough, short = memory_report(()), memory_report((Step.HALF_CHUNKS, Step.HALF_WINDOW))

    assert (enough.level, enough.values) == (Level.OK, {"given_up": "nothing"})
    assert (short.level, short.message) == (Level.WARN, "short of memory: half_chunks, half_window")
    assert short.values == {"given_up": "half_chunks, half_window"}


HEALTHY = CameraHealth("front", 100, 100, 1, 100_000_000, 0, 0, "")
INPUT = InputState("/front/image_raw", 1, "reliable", True, {}, 100, "front_optical_frame", "")
FLOWING = Flow(True, MOVES, MOVES, {"front": MOVES}, {"front": MOVES})
STILL = Standstill(7.2, {"late": 2, "duplicate_stamp": 70})
WAITING = Standstill(7.2, {})


@pytest.mark.parametrize(
    ("change", "flow", "level", "words"),
    [
        ({}, {}, Level.OK, "running"),
        ({"publishers": 0, "received": 0}, {}, Level.ERROR, "nobody publishes /front/image_raw"),
        ({"publishers": 0}, {}, Level.WARN, "nobody publishes /front/image_raw any more"),
        ({}, {"received": {"front": WAITING}}, Level.WARN, "silent: no image has come for 7 s"),
        ({"refusal": "size_changed: it is larger"}, {}, Level.WARN, "refused: size_changed: it is larger"),
        ({}, {"used": {"front": STILL}}, Level.WARN, "none of its images has been used for 7 s: 70 duplicate_stamp, 2"),
        ({}, {"used": {"front": WAITING}}, Level.WARN, "used for 7 s: they wait for others"),
        ({"publishers": 0, "refusal": "truncated"}, {"is_enabled": False}, Level.OK, "disabled by ~/set_enabled"),
    ],
)
def test_camera_report_says_why_images_are_not_used_now(
    change: dict[str, Any], flow: dict[str, Any], level: Level, words: str
) -> None:
    report = camera_report(HEALTHY, dataclasses.replace(INPUT, **change), dataclasses.replace(FLOWING, **flow))

    assert report.level == level
    assert words in report.message


@pytest.mark.parametrize(
    ("flow", "level", "words"),
    [
        ({}, Level.OK, "running"),
        ({"images": WAITING}, Level.WARN, "no image has come for 7 s"),
        ({"windows": STILL}, Level.WARN, "images come, but no window for 7 s: 70 duplicate_stamp, 2 late"),
        ({"windows": WAITING}, Level.WARN, "no window for 7 s: the engine takes longer"),
        ({"images": WAITING, "is_enabled": False}, Level.OK, "disabled by ~/set_enabled"),
    ],
)
def test_stream_report_says_what_stands_still_now(flow: dict[str, Any], level: Level, words: str) -> None:
    counters = Counters(frames_in=100, sets=50, windows=40, frames_published=50, dropped={}, in_flight=0)

    report = stream_report(dataclasses.replace(FLOWING, **flow), counters, {}, 10.0)

    assert report.level == level
    assert words in report.message


def test_cameras_that_share_a_frame_are_named_and_told_what_to_do() -> None:
    cameras = [
        (dataclasses.replace(HEALTHY, camera=camera), dataclasses.replace(INPUT, frame_id=frame_id))
        for camera, frame_id in (("front", "camera"), ("left", "camera"), ("rear", "rear"), ("top", ""), ("low", ""))
    ]

    shared = shared_frames(cameras)

    text = "cameras front, left share frame 'camera': give each driver its own frame_id"
    assert shared == {"front": text, "left": text}
    report = camera_report(HEALTHY, INPUT, FLOWING, shared["front"])
    assert (report.level, report.message) == (Level.WARN, text)
