# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The laws of giving up and taking back: in order, once each, one at a time, patiently."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.geometry.prediction import FULL_EFFORT, Effort
from da3_ros.streaming.frame import FrameSet, Window
from da3_ros.streaming.memory_relief import MemoryRelief, Step
from test.streaming.oracle_world import ONE, TWO, OracleWorld, curve

WAIT, LONGEST = 3, 12
CHUNKS, WINDOW, RESOLUTION = Step
outcomes = st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=200)


def window_of(sets: int, world: OracleWorld = OracleWorld(TWO, curve)) -> Window:  # noqa: B008  # never changed
    frames = [tuple(world.frame(camera, index) for camera in world.rig) for index in range(sets)]
    return Window(7, tuple(FrameSet(index, index, members) for index, members in enumerate(frames)))


def relief_after(*failed_sets: int) -> MemoryRelief:
    relief = MemoryRelief(WAIT, LONGEST)
    for sets in failed_sets:
        assert relief.give_up(relief.cut(window_of(sets)), "")
    return relief


def pass_windows(relief: MemoryRelief, times: int) -> None:
    for _ in range(times):
        relief.begin()


def windows_until_taken_back(relief: MemoryRelief) -> int:
    before = relief.steps
    for count in range(1, 100 * LONGEST):
        relief.begin()
        if relief.steps != before:
            return count
    raise AssertionError(f"{before} is never taken back")


def test_chunks_are_given_up_first_then_the_window_then_the_resolution_and_then_nothing() -> None:
    relief = MemoryRelief()
    efforts, sets, tries = [relief.effort], [8], []
    for _ in range(4):
        tries.append(relief.give_up(relief.cut(window_of(8)), ""))
        efforts.append(relief.effort)
        sets.append(len(relief.cut(window_of(8)).frame_sets))

    assert tries == [True, True, True, False]
    assert efforts == [FULL_EFFORT, Effort(True), Effort(True), Effort(True, True), Effort(True, True)]
    assert sets == [8, 8, 4, 4, 4]


@pytest.mark.parametrize(
    ("rig", "sets", "steps"),
    [
        (ONE, 1, [RESOLUTION]),
        (TWO, 1, [CHUNKS, RESOLUTION]),
        (ONE, 2, [CHUNKS, RESOLUTION]),
        (ONE, 3, [CHUNKS, WINDOW, RESOLUTION]),
    ],
)
def test_step_is_skipped_when_it_cannot_help(rig: dict[str, object], sets: int, steps: list[Step]) -> None:
    relief, window = MemoryRelief(), window_of(sets, OracleWorld(rig, curve))  # type: ignore[arg-type]
    taken: list[Step] = []
    while relief.give_up(relief.cut(window), ""):
        taken.append(next(step for step in relief.steps if step not in taken))

    assert taken == steps


def test_step_that_was_skipped_is_taken_later_when_it_can_help() -> None:
    relief = relief_after(1, 1)
    assert relief.steps == (CHUNKS, RESOLUTION)

    assert relief.give_up(window_of(6), "")

    assert relief.steps == (CHUNKS, WINDOW, RESOLUTION)
    assert len(relief.cut(window_of(6)).frame_sets) == 3


@pytest.mark.parametrize(("sets", "kept"), [(3, 2), (4, 2), (5, 2), (7, 3), (8, 4)])
def test_halved_window_keeps_its_newest_sets_and_one_at_least_to_be_aligned_by(sets: int, kept: int) -> None:
    relief = relief_after(sets, sets)

    cut = relief.cut(window_of(sets))

    assert [frame_set.index for frame_set in cut.frame_sets] == list(range(sets - kept, sets))
    assert cut.index == 7
    assert [relief.overlap(wanted) for wanted in (1, 2, 63)] == [1, min(2, kept - 1), kept - 1]


def test_last_step_is_taken_back_first_and_each_after_its_own_wait() -> None:
    relief = relief_after(8, 8, 8)
    seen = []
    for _ in range(3 * WAIT):
        relief.begin()
        seen.append(relief.steps)

    assert seen == [
        *[(CHUNKS, WINDOW, RESOLUTION)] * (WAIT - 1),
        *[(CHUNKS, WINDOW)] * WAIT,
        *[(CHUNKS,)] * WAIT,
        (),
    ]


def test_relapse_restores_the_step_and_doubles_the_wait_up_to_the_longest() -> None:
    relief = relief_after(8, 8, 8)
    waits = []
    for _ in range(5):
        waits.append(windows_until_taken_back(relief))
        assert relief.steps == (CHUNKS, WINDOW)
        assert relief.give_up(relief.cut(window_of(8)), "")
        assert relief.steps == (CHUNKS, WINDOW, RESOLUTION)

    assert waits == [WAIT, 2 * WAIT, 4 * WAIT, LONGEST, LONGEST]


def test_failure_counts_as_a_relapse_until_the_next_step_is_due() -> None:
    relief = relief_after(8, 8)
    pass_windows(relief, WAIT + WAIT - 1)
    assert relief.steps == (CHUNKS,)

    relief.give_up(window_of(8), "")

    assert relief.steps == (CHUNKS, WINDOW)
    assert windows_until_taken_back(relief) == 2 * WAIT


def test_window_that_failed_for_want_of_memory_does_not_count() -> None:
    relief = relief_after(8, 8, 8)
    for _ in range(3 * WAIT):
        relief.begin()
        assert not relief.give_up(relief.cut(window_of(8)), "")

    relief.begin()

    assert windows_until_taken_back(relief) == WAIT


def test_wait_is_short_again_when_all_was_taken_back_and_stayed_so() -> None:
    relief = relief_after(8)
    pass_windows(relief, WAIT)
    relief.give_up(window_of(8), "")
    pass_windows(relief, 2 * WAIT)
    assert relief.steps == ()

    pass_windows(relief, 2 * WAIT)
    relief.give_up(window_of(8), "")

    assert windows_until_taken_back(relief) == WAIT


def test_each_step_is_one_warning_that_says_what_to_set_and_each_recovery_one_notice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "da3_ros.streaming.memory_relief")
    relief = MemoryRelief(WAIT, LONGEST)
    window = window_of(8)
    while relief.give_up(relief.cut(window), "1234 MB are wanted"):
        continue
    pass_windows(relief, 3 * WAIT + 2)  # the first tells of the one that failed for good

    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    notices = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    words = [
        ("where they took several", "feature cache", "window_size"),
        ("window_size 4 makes that permanent",),
        ("process_resolution", "permanent"),
    ]
    assert len(warnings) == len(words)
    for sentence, wanted in zip(warnings, words, strict=True):
        assert sentence.startswith("out of memory on window 7 of ")
        assert "1234 MB are wanted" in sentence
        assert all(word in sentence for word in wanted), sentence
    assert [notice.split(": ")[1] for notice in notices] == [
        f"{step.value} is taken back" for step in (RESOLUTION, WINDOW, CHUNKS)
    ]


def test_warning_of_a_relapse_says_when_it_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    relief = relief_after(8)
    pass_windows(relief, WAIT)

    relief.give_up(window_of(8), "")

    assert caplog.messages[-1].endswith(f"the next attempt without comes after {2 * WAIT} windows")


@given(outcomes=outcomes)
def test_one_step_at_a_time_changes_in_order_whatever_fails(outcomes: list[tuple[bool, int]]) -> None:
    relief = MemoryRelief(WAIT, LONGEST)
    for fails, sets in outcomes:
        before, window = relief.steps, relief.cut(window_of(sets))
        if not fails:
            relief.begin()
            assert relief.steps in (before, before[:-1])
        elif relief.give_up(window, ""):
            assert len(relief.steps) == len(before) + 1
            assert set(before) < set(relief.steps)
        else:
            assert relief.steps == before
            assert RESOLUTION in before
        assert list(relief.steps) == [step for step in Step if step in relief.steps]


@given(outcomes=outcomes, sets=st.integers(1, 9))
def test_window_is_tried_four_times_at_most_and_cut_never_below_two_sets(
    outcomes: list[tuple[bool, int]], sets: int
) -> None:
    relief = MemoryRelief(WAIT, LONGEST)
    for fails, size in outcomes:
        if fails:
            relief.give_up(relief.cut(window_of(size)), "")
        else:
            relief.begin()
    tries = 1
    while relief.give_up(relief.cut(window_of(sets)), ""):
        tries += 1
        assert len(relief.cut(window_of(sets)).frame_sets) >= min(sets, 2)

    assert tries <= 4
