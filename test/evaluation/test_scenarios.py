# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The runner measures what it says: with short scenes, and with runs that are damaged on purpose."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from da3_ros.evaluation.scenario_figures import Figures, broken_limits, figures_of, published_tracks
from da3_ros.evaluation.scenario_runner import Run, play
from da3_ros.evaluation.scenario_verdict import Verdict
from da3_ros.evaluation.scenarios import CONSISTENCY, SCENARIOS, Limits, Scenario
from da3_ros.evaluation.scenes import SIZE, START_NS, simulated_scene
from da3_ros.inference.oracle import OracleNoise
from da3_ros.inference.oracle_faults import OracleFault
from da3_ros.simulation.rig import single_camera_rig

SHORT = Scenario(
    "short",
    "four seconds of the curve",
    partial(simulated_scene, single_camera_rig(SIZE), "handheld", 4.0),
    Limits(of_centres=0.5, of_points=0.8),
)
SCENE = SHORT.scene()


@pytest.fixture(scope="module")
def noisy() -> Run:
    return play(SHORT, SCENE, 0)


def test_names_of_scenarios_differ() -> None:
    for scenarios in (SCENARIOS, CONSISTENCY):
        names = [scenario.name for scenario in scenarios]
        assert len(set(names)) == len(names)


def test_exact_windows_give_an_exact_trajectory() -> None:
    figures = figures_of(play(replace(SHORT, noise=OracleNoise()), SCENE, 0))

    assert figures.ate_m < 1e-4
    assert figures.step_m < 1e-4
    assert figures.published_share == 1
    assert (figures.windows, figures.rejected, figures.segments, figures.garbage_published) == (9, 0, 1, 0)


def test_figures_of_a_noisy_run_are_of_the_noise_put_in(noisy: Run) -> None:
    figures = figures_of(noisy)

    assert 0.005 < figures.ate_m < 0.05
    assert 0.01 < figures.step_m < 0.1  # two poses of 1 cm noise in each axis
    assert figures.points_percent > 0
    assert figures.centres_percent > 0
    assert math.isnan(figures.scale_p95)
    assert figures.metric_share == 0


def test_run_is_identical_when_repeated_and_another_with_another_seed(noisy: Run) -> None:
    (first,), (again,), (other,) = (published_tracks(run) for run in (noisy, play(SHORT, SCENE, 0), play(SHORT, SCENE, 1)))  # fmt: skip # noqa: E501

    np.testing.assert_array_equal(first.estimated, again.estimated)
    assert not np.allclose(first.estimated, other.estimated, atol=1e-3)


def test_published_metres_are_those_of_the_first_window_while_relative(noisy: Run) -> None:
    first = noisy.windows[0]

    assert first.published_metres == pytest.approx(first.units_per_metre)
    assert noisy.windows[-1].published_metres == pytest.approx(first.published_metres, rel=0.03)


def test_images_are_lost_as_the_scenario_says() -> None:
    assert play(replace(SHORT, gap_s=(1.0, 2.0)), SCENE, 0).frames == 30
    assert play(replace(SHORT, rounds=2), SCENE, 0).frames == 80
    assert 25 < play(replace(SHORT, drop_share=0.2), SCENE, 0).frames < 39


def test_two_rounds_of_a_bag_are_two_segments() -> None:
    figures = figures_of(play(replace(SHORT, rounds=2), SCENE, 0))

    assert figures.segments == 2
    assert figures.ate_m < 0.05


def test_garbage_window_is_counted_and_when_accepted_found_out(noisy: Run) -> None:
    fault = OracleFault("garbage", START_NS + 2_000_000_000, START_NS + 2_400_000_000)
    spoilt = play(replace(SHORT, faults=(fault,)), SCENE, 0)

    assert sum(bool(played.garbage.all()) for played in spoilt.windows) == 1
    assert figures_of(spoilt).garbage_windows == 1

    # As if the stream had taken it for good.
    accepted = [replace(played, garbage=np.ones_like(played.garbage)) for played in noisy.windows[:2]]
    figures = figures_of(replace(noisy, windows=(*accepted, *noisy.windows[2:])))
    assert figures.garbage_published == 2
    assert "garbage published 2 > 0" in broken_limits(figures, SHORT.limits)


def test_spoilt_view_that_is_trusted_is_found_out(noisy: Run) -> None:
    last = noisy.windows[-1]
    garbage = np.zeros_like(last.garbage)
    garbage[-1] = True

    figures = figures_of(replace(noisy, windows=(*noisy.windows[:-1], replace(last, garbage=garbage))))

    assert figures.garbage_published == 1


GOOD = Figures(
    windows=100,
    rejected=0,
    garbage_windows=0,
    garbage_published=0,
    segments=1,
    published_share=1.0,
    ate_m=0.1,
    ate_percent=0.4,
    centres_percent=2.0,
    points_percent=0.8,
    step_m=0.05,
    scale_p50=0.005,
    scale_p95=0.015,
    metric_share=1.0,
    drift=0.004,
    swing=0.006,
    alignment_ms_p50=5.0,
    alignment_ms_p95=9.0,
)
STRICT = Limits(ate_percent=0.5, of_centres=0.5, of_points=0.8, scale_p95=0.02, metric_share=0.9, drift=0.01)


def test_limits_that_are_kept_are_not_named() -> None:
    assert broken_limits(GOOD, STRICT) == []
    assert broken_limits(replace(GOOD, scale_p95=math.nan, drift=math.nan, metric_share=0.0), Limits()) == []


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"ate_percent": 0.6, "points_percent": 2.0}, "trajectory error, % of path 0.6 > 0.5"),
        ({"centres_percent": 0.5}, "trajectory error / centres 0.8 > 0.5"),
        ({"points_percent": 0.4}, "trajectory error / points 1 > 0.8"),
        ({"step_m": 0.2}, "step error, m 0.2 > 0.15"),
        ({"scale_p95": 0.03}, "scale error p95 0.03 > 0.02"),
        ({"scale_p95": math.nan}, "scale error p95 nan > 0.02"),
        ({"metric_share": 0.5}, "windows claiming metres 0.5 < 0.9"),
        ({"drift": 0.02}, "drift of the scale 0.02 > 0.01"),
        ({"segments": 2}, "segments 2 > 1"),
        ({"rejected": 1}, "windows rejected 1 > 0"),
        ({"published_share": 0.5}, "images published 0.5 < 0.98"),
    ],
)
def test_limit_that_is_broken_is_named(changed: dict[str, float], line: str) -> None:
    assert broken_limits(replace(GOOD, **changed), STRICT) == [line]  # type: ignore[arg-type]


def test_metres_that_nothing_tells_must_not_be_claimed() -> None:
    assert broken_limits(GOOD, Limits(never_metric=True)) == ["windows claiming metres 1 > 0"]


def test_garbage_window_must_be_rejected() -> None:
    with_garbage = replace(GOOD, garbage_windows=1)

    assert broken_limits(with_garbage, Limits(rejected=(1, 1))) == ["windows rejected 0 < 1"]
    assert broken_limits(replace(with_garbage, rejected=1), Limits(rejected=(1, 1))) == []


def test_verdict_names_the_seeds_that_failed_and_is_plain_json() -> None:
    scenario = replace(SHORT, limits=STRICT)
    runs = (GOOD, replace(GOOD, drift=0.02), replace(GOOD, drift=0.02, scale_p50=math.nan))

    verdict = Verdict(scenario, runs)

    assert verdict.broken == ["drift of the scale 0.02 > 0.01 (seed 1, 2)"]
    assert verdict.median["drift"] == 0.02
    plain = json.loads(json.dumps(verdict.as_json(), allow_nan=False))
    assert plain["holds"] is False
    assert plain["seeds"][2]["scale_p50"] is None
    assert Verdict(scenario, (GOOD,)).as_json()["holds"] is True
