# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of metres has an honest sigma, is held while nothing is seen, and never leaps to another source."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.streaming.scale import BIAS, MAX_METRIC_SIGMA, ScaleObservation, ScaleState, ScaleTracker
from test.strategies import seeds

DRIFT = 0.003  # relative, per window
CHI_SQUARE_100 = (74.22, 129.56)  # 95 % of chi-square with 100 degrees of freedom


def seen(source: str, metres_per_unit: float, sigma: float, stamp_ns: int = 0) -> ScaleObservation:
    return ScaleObservation(source, math.log(metres_per_unit), sigma, stamp_ns)


def metric_tracker(mode: str = "auto", metres_per_unit: float = 2.0, source: str = "rig") -> ScaleTracker:
    tracker = ScaleTracker(mode)
    assert tracker.observe([seen(source, metres_per_unit, 0.02)], 0).is_metric
    return tracker


def test_relative_scale_is_never_metric_whatever_is_observed() -> None:
    tracker = ScaleTracker("relative")

    state = tracker.observe([seen("rig", 2.0, 0.01)], 0)

    assert state == ScaleState("relative", 1.0, math.inf, 0)
    assert not state.is_metric
    assert tracker.believed("rig") is None


def test_fixed_scale_is_believed_and_grows_less_sure_only_as_the_world_drifts() -> None:
    tracker = ScaleTracker("fixed", 2.5)

    first = tracker.observe([seen("rig", 2.0, 0.01)], 0)
    tracker.advance(DRIFT**2)
    second = tracker.state(1)
    tracker.forget()

    assert first == tracker.state(0) == ScaleState("fixed", 2.5, 0.0, 0)
    assert second == ScaleState("fixed", 2.5, DRIFT, 0)
    assert first.is_metric


@pytest.mark.parametrize("factor", [0.0, -1.0, math.nan, math.inf])
def test_fixed_scale_is_refused_when_it_is_no_length(factor: float) -> None:
    with pytest.raises(ValueError, match="metres_per_unit must be a finite number above zero"):
        ScaleTracker("fixed", factor)


def test_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="scale mode 'gps' is unknown"):
        ScaleTracker("gps")


@pytest.mark.parametrize(
    ("source", "value", "sigma"), [("gps", 0.0, 0.1), ("rig", math.nan, 0.1), ("rig", 0.0, 0.0), ("rig", 0.0, math.inf)]
)
def test_observation_is_refused_when_it_says_nothing(source: str, value: float, sigma: float) -> None:
    with pytest.raises(ValueError, match="a scale observation"):
        ScaleObservation(source, value, sigma, 0)


@pytest.mark.parametrize("drift", [-1e-9, math.nan])
def test_drift_is_refused_when_it_is_no_variance(drift: float) -> None:
    with pytest.raises(ValueError, match="drift_variance"):
        ScaleTracker("auto").advance(drift)


def test_tracker_stays_relative_until_the_evidence_of_one_source_suffices() -> None:
    tracker = ScaleTracker("auto")

    states = [tracker.observe([seen("rig", 2.0, 0.099)], k) for k in range(4)]

    assert [state.source for state in states] == ["relative"] * 3 + ["rig"]  # 0.099 / sqrt(4) is below the limit
    assert states[2] == ScaleState("relative", 1.0, math.inf, 0)
    assert states[3].metres_per_unit == pytest.approx(2.0)
    assert states[3].sigma == pytest.approx(math.hypot(0.0495, BIAS["rig"]))
    assert tracker.believed("rig") == pytest.approx(2.0)


def test_vague_sources_do_not_make_a_metric_world_together() -> None:
    tracker = ScaleTracker("auto")

    state = tracker.observe([seen("rig", 2.0, 0.06), seen("odom", 2.0, 0.06), seen("model", 2.0, 0.06)], 0)

    assert not state.is_metric


def test_auto_begins_with_the_surest_source() -> None:
    state = ScaleTracker("auto").observe([seen("rig", 2.0, 0.04), seen("odom", 2.2, 0.01), seen("model", 3, 0.02)], 0)

    assert (state.source, state.metres_per_unit) == ("odom", pytest.approx(2.2))


def test_evidence_fades_with_drift_while_it_is_collected() -> None:
    tracker = ScaleTracker("auto")

    for k in range(1000):
        tracker.advance(0.06**2)
        assert not tracker.observe([seen("rig", 2.0, 0.1)], k).is_metric


@pytest.mark.parametrize("source", ["rig", "odom", "model"])
def test_mode_listens_to_its_own_source_only(source: str) -> None:
    tracker = ScaleTracker(source)

    state = tracker.observe([seen(other, 1.0 + k, 0.01) for k, other in enumerate(("rig", "odom", "model"))], 0)

    assert state.source == source
    assert state.metres_per_unit == pytest.approx(1.0 + ("rig", "odom", "model").index(source))


@pytest.mark.parametrize("noise", [0.01, 0.05, 0.09])
def test_sigma_is_consistent_over_100_runs(noise: float) -> None:
    squared = []
    for seed in range(100):
        generator = np.random.default_rng((seed, 7))
        tracker, truth = ScaleTracker("auto"), 0.7
        for k in range(80):
            truth += DRIFT * generator.normal()
            tracker.advance(DRIFT**2)
            # Half of the time there is nothing to see.
            both = [ScaleObservation("rig", truth + noise * generator.normal(), noise, k)] if k % 20 < 10 else []
            state = tracker.observe(both, k)
        squared.append(((math.log(state.metres_per_unit) - truth) / state.sigma) ** 2)

    assert CHI_SQUARE_100[0] < sum(squared) < CHI_SQUARE_100[1]


@given(seed=seeds, windows=st.integers(1, 30))
def test_value_is_held_bit_for_bit_and_grows_less_sure_while_nothing_is_observed(seed: int, windows: int) -> None:
    generator = np.random.default_rng(seed)
    tracker = metric_tracker(metres_per_unit=float(np.exp(generator.normal())))
    before = tracker.state(0)

    for k in range(1, windows + 1):
        tracker.advance(DRIFT**2)
        state = tracker.observe([], 1000 * k)

        assert state.metres_per_unit == before.metres_per_unit
        assert state.sigma == pytest.approx(math.sqrt(0.02**2 + k * DRIFT**2 + BIAS["rig"] ** 2))
        assert (state.source, state.age_ns) == ("rig", 1000 * k)


def test_garbage_observation_changes_nothing_and_garbage_in_disorder_neither() -> None:
    tracker = metric_tracker()
    before = tracker.state(0)

    for k, metres_per_unit in enumerate((20.0, 0.3, 9.0, 7.0, 0.01, 5.0)):
        state = tracker.observe([seen("rig", metres_per_unit, 0.03)], k)

    assert (state.metres_per_unit, state.sigma) == (before.metres_per_unit, before.sigma)
    assert state.age_ns == 5  # it was not taken


def test_lasting_contradiction_is_followed_in_the_end_but_without_a_leap() -> None:
    tracker = metric_tracker(metres_per_unit=2.0)
    before = tracker.state(0)

    states = [tracker.observe([seen("rig", 3.0, 0.03)], k) for k in range(60)]

    assert [state.metres_per_unit for state in states[:2]] == [before.metres_per_unit] * 2
    assert 0 < math.log(states[2].metres_per_unit / before.metres_per_unit) <= before.sigma
    assert states[2].sigma > 0.35  # what is left of the way is told
    assert states[-1].metres_per_unit == pytest.approx(3.0, rel=1e-3)
    assert states[-1].sigma < 0.01


def play(tracker: ScaleTracker, windows: Sequence[Sequence[ScaleObservation]]) -> list[tuple[ScaleState, ScaleState]]:
    """The states before and after the observations of each window."""
    states = []
    for k, observations in enumerate(windows):
        tracker.advance(DRIFT**2)
        states.append((tracker.state(k), tracker.observe(observations, k)))
    return states


@given(seed=seeds)
def test_change_of_source_never_steps_the_value_by_more_than_its_sigma(seed: int) -> None:
    generator = np.random.default_rng(seed)
    bias = dict(zip(("rig", "odom", "model"), generator.normal(scale=0.1, size=3), strict=True))
    noise = dict(zip(bias, np.exp(generator.uniform(-6, -2, size=3)), strict=True))
    windows = []
    silent: set[str] = set()
    for k in range(80):
        if k % 10 == 0:
            silent = {source for source in bias if generator.random() < 0.5}
        windows.append(
            [ScaleObservation(s, bias[s] + noise[s] * generator.normal(), noise[s], k) for s in bias if s not in silent]
        )

    for before, after in play(ScaleTracker("auto"), windows):
        if before.is_metric and after.source != before.source:
            step = abs(math.log(after.metres_per_unit / before.metres_per_unit))
            assert step <= before.sigma * (1 + 1e-9)


def test_auto_follows_the_surer_source_and_goes_back_to_what_speaks_when_it_falls_silent() -> None:
    rig, odom = seen("rig", 2.0, 0.09), seen("odom", 2.02, 0.01)

    moving = play(tracker := ScaleTracker("auto"), [[rig]] * 30 + [[rig, odom]] * 10)
    standing = play(tracker, [[rig]] * 60)

    assert [after.source for _, after in moving][25::10] == ["rig", "odom"]
    assert standing[5][1].source == "odom"  # held: it is still the surer one
    assert standing[-1][1].source == "rig"


@pytest.mark.parametrize("gap", [0.02, 0.3])
def test_auto_is_calm_and_not_sure_of_itself_when_sources_disagree(gap: float) -> None:
    generator = np.random.default_rng(5)
    truth = {"rig": 0.0, "odom": gap}
    windows = [
        [
            ScaleObservation(source, value + 0.02 * generator.normal(), 0.02, k)
            for source, value in truth.items()
            if generator.random() < 0.7
        ]
        for k in range(500)
    ]

    states = [after for _, after in play(ScaleTracker("auto"), windows)]

    changes = sum(before.source != after.source for before, after in itertools.pairwise(states))
    assert changes <= 1
    assert abs(math.log(states[-1].metres_per_unit) - truth[states[-1].source]) < 0.025  # no average of the two
    assert states[-1].sigma > 0.9 * gap if gap > 0.1 else states[-1].sigma < 0.02


def test_new_source_is_not_followed_for_one_lucky_word() -> None:
    tracker = metric_tracker(source="odom")

    states = [tracker.observe([seen("rig", 3.0, 0.001)], k) for k in range(3)]

    assert [state.source for state in states] == ["odom", "odom", "rig"]
    assert states[0].metres_per_unit == 2.0
    assert states[0].sigma > 0.3


def test_metric_model_makes_a_world_metric_but_its_bias_is_never_averaged_away() -> None:
    tracker = ScaleTracker("auto")

    states = [tracker.observe([seen("model", 2.0, 0.03)], k) for k in range(100)]

    assert all(state.is_metric and state.source == "model" for state in states)
    assert states[0].sigma == pytest.approx(math.hypot(0.03, BIAS["model"]))
    assert BIAS["model"] < states[-1].sigma < 1.01 * BIAS["model"]


@pytest.mark.parametrize("better", ["rig", "odom"])
def test_metric_model_gives_way_to_what_is_measured_and_says_nothing_against_it(better: str) -> None:
    told = [seen("model", 2.2, 0.03), seen(better, 2.0, 0.02)]

    states = [after for _, after in play(ScaleTracker("auto"), [told[:1]] * 20 + [told] * 40)]

    assert [states[k].source for k in (19, 59)] == ["model", better]
    assert states[-1].metres_per_unit == pytest.approx(2.0, rel=1e-3)
    assert states[-1].sigma < 0.02


def test_new_segment_is_relative_until_it_is_observed() -> None:
    tracker = metric_tracker()

    tracker.forget()

    assert tracker.state(5) == ScaleState("relative", 1.0, math.inf, 0)
    assert tracker.believed("rig") is None
    found = tracker.observe([seen("rig", 0.5, 0.9 * MAX_METRIC_SIGMA, 6)], 6)
    assert found == ScaleState("rig", 0.5, math.hypot(0.9 * MAX_METRIC_SIGMA, BIAS["rig"]), 0)


def test_sigma_never_falls_below_what_a_source_may_be_off_for_ever() -> None:
    tracker = ScaleTracker("auto")

    states = [tracker.observe([seen("odom", 2.0, 0.01)], k) for k in range(1000)]

    assert BIAS["odom"] < states[-1].sigma < 1.01 * BIAS["odom"]


def test_source_that_never_spoke_is_expected_to_say_what_is_known() -> None:
    tracker = metric_tracker(source="rig", metres_per_unit=2.0)

    assert tracker.believed("odom") == pytest.approx(2.0)
