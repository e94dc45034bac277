# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What diagnostics say about tracking and scale."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("da3_ros.msg", reason="NOT RUN: the messages are not built; run `make test`")

from da3_ros.geometry.prediction import ViewKey
from da3_ros.nodes.health import memory_report, tracking_report
from da3_ros.ros.diagnostics import Level
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
