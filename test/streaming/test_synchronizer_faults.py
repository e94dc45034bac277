# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The synchroniser lives with cameras that stop, join late, loop, run freely or run at other rates, and says so."""

from __future__ import annotations

from typing import Literal

import pytest

from da3_ros.streaming.frame import Frame
from da3_ros.streaming.synchronizer import MissingCamera, Synchronizer
from test.streaming.deliveries import (
    CAMERAS,
    EPOCH_NS,
    MS,
    PERIOD_NS,
    POLICIES,
    frame,
    mixed,
    run,
    triggered,
)


@pytest.mark.parametrize("policy", POLICIES)
def test_bag_loop_costs_at_most_the_frames_around_the_jump(policy: MissingCamera) -> None:
    triggers = list(range(200)) * 3
    synchronizer = Synchronizer(CAMERAS, missing_camera=policy)

    sets = run(synchronizer, triggered(triggers, jitter_ms=150.0))

    assert mixed(sets) == 0
    assert sum(len(frame_set.frames) == 4 for frame_set in sets) >= 590
    assert synchronizer.dropped["time_jump"] > 0


def test_old_frames_after_a_jump_cost_no_new_ones() -> None:
    def stamped(camera: str, *triggers: int) -> list[Frame]:
        return [frame(camera, EPOCH_NS + trigger * PERIOD_NS) for trigger in triggers]

    before = triggered(range(50), "ab")
    # Camera a has looped, b is two triggers behind; then both go on.
    around = stamped("a", 0, 1) + stamped("b", 50, 51) + stamped("b", 0, 1)
    synchronizer = Synchronizer("ab")

    sets = run(synchronizer, before + around + triggered(range(2, 20), "ab"))

    assert [round((s.stamp_ns - EPOCH_NS) / PERIOD_NS) for s in sets] == [*range(50), *range(20)]
    assert synchronizer.dropped == {"time_jump": 2}


@pytest.mark.parametrize("cameras", ["a", "ab"])
@pytest.mark.parametrize("wrong_ns", [0, EPOCH_NS - 10**10, EPOCH_NS + 10**10, 2 * EPOCH_NS])
def test_one_wrong_stamp_costs_no_set_but_its_own(cameras: str, wrong_ns: int) -> None:
    frames = triggered(range(40), cameras)
    frames[20 * len(cameras)] = frame("a", wrong_ns)
    synchronizer = Synchronizer(cameras)

    sets = run(synchronizer, frames)

    assert [round((s.stamp_ns - EPOCH_NS) / PERIOD_NS) for s in sets] == [*range(20), *range(21, 40)]
    assert synchronizer.dropped == {"time_jump": 1, **({"unmatched": 1} if cameras == "ab" else {})}


@pytest.mark.parametrize("cameras", ["a", "abc"])
def test_pause_costs_no_set_and_the_first_one_after_it_waits_for_the_next(cameras: str) -> None:
    synchronizer = Synchronizer(cameras)

    before = run(synchronizer, triggered(range(20), cameras), finish=False)
    first = run(synchronizer, triggered(range(300, 301), cameras), finish=False)
    assert synchronizer.waiting == len(cameras)
    after = run(synchronizer, triggered(range(301, 320), cameras), finish=False)

    assert [len(before), len(first), len(after)] == [20, 0, 20]
    assert synchronizer.dropped == {}


def test_images_now_and_then_are_all_used() -> None:
    synchronizer = Synchronizer("a")

    sets = run(synchronizer, triggered([*range(10), 900, 2000, 2100, 5000], "a"))

    assert len(sets) == 14


@pytest.mark.parametrize(("last", "used"), [(900, 21), (-900, 20)])
def test_last_frame_is_used_when_it_comes_after_a_pause_but_not_when_it_goes_back(last: int, used: int) -> None:
    synchronizer = Synchronizer("a")

    assert len(run(synchronizer, triggered([*range(20), last], "a"))) == used
    assert sum(synchronizer.dropped.values()) == 21 - used
    assert synchronizer.waiting == 0


def test_stamp_that_stands_still_far_away_is_never_believed() -> None:
    synchronizer = Synchronizer("a")

    sets = run(synchronizer, triggered([*range(20), *[-900] * 9, *range(29, 40)], "a"))

    assert len(sets) == 31
    assert synchronizer.dropped == {"duplicate_stamp": 8, "time_jump": 1}


@pytest.mark.parametrize("jitter_ms", [0.0, 60.0])
@pytest.mark.parametrize("length", [4, 10, 16, 17, 18])
@pytest.mark.parametrize("cameras", ["a", "abcd"])
def test_short_loop_costs_the_two_triggers_that_show_it(cameras: str, length: int, jitter_ms: float) -> None:
    synchronizer = Synchronizer(cameras)

    sets = run(synchronizer, triggered(list(range(length)) * 6, cameras, jitter_ms=jitter_ms))

    assert mixed(sets) == 0
    assert len(sets) >= length + 5 * (length - 2)


@pytest.mark.parametrize("cameras", ["a", "ab"])
@pytest.mark.parametrize("back", [3.5, 5.3, 8.5, 15.9])
def test_clock_that_is_set_back_by_a_few_periods_costs_two_triggers(cameras: str, back: float) -> None:
    triggers = [*range(20), *(20 + later - back for later in range(30))]
    synchronizer = Synchronizer(cameras)

    sets = run(synchronizer, [frame(name, EPOCH_NS + int(k * PERIOD_NS)) for k in triggers for name in cameras])

    assert len(sets) == 48
    assert synchronizer.dropped == {"late": 2 * len(cameras)}


@pytest.mark.parametrize("stamps", [[0] * 50, [*range(20), *[19] * 30], [*range(10), 7, 7, 7, 8, *range(10, 20)]])
def test_repeated_stamps_are_no_jump_unless_they_go_on(stamps: list[int]) -> None:
    synchronizer = Synchronizer(["a"])

    sets = run(synchronizer, [frame("a", EPOCH_NS + stamp * PERIOD_NS) for stamp in stamps])

    assert len(sets) == len(set(stamps))
    assert set(synchronizer.dropped) == {"duplicate_stamp"}


def test_camera_with_a_clock_of_its_own_does_not_silence_the_others() -> None:
    frames = triggered(range(100), "ab")
    frames = [frame("a", f.stamp_ns - EPOCH_NS // 2) if f.camera == "a" and k > 80 else f for k, f in enumerate(frames)]
    synchronizer = Synchronizer("ab", missing_camera="partial")

    sets = run(synchronizer, frames)

    assert sum(f.camera == "b" for s in sets[-60:] for f in s.frames) >= 30


@pytest.mark.parametrize("policy", ["drop", "wait"])
def test_camera_that_joins_late_completes_sets_from_then_on(policy: MissingCamera) -> None:
    frames = [f for f in triggered(range(100)) if not (f.camera == "c" and f.stamp_ns < EPOCH_NS + 50 * PERIOD_NS)]

    sets = run(Synchronizer(CAMERAS, missing_camera=policy), frames)

    assert [frame_set.stamp_ns for frame_set in sets] == [EPOCH_NS + k * PERIOD_NS for k in range(50, 100)]


@pytest.mark.parametrize("stopped", CAMERAS)
def test_partial_sets_go_on_when_a_camera_stops_even_the_reference(stopped: str) -> None:
    frames = [f for f in triggered(range(100)) if not (f.camera == stopped and f.stamp_ns > EPOCH_NS + 50 * PERIOD_NS)]
    synchronizer = Synchronizer(CAMERAS, missing_camera="partial")

    sets = run(synchronizer, frames, finish=False)

    assert [len(frame_set.frames) for frame_set in sets] == [4] * 51 + [3] * 49
    assert synchronizer.waiting == 0


def test_drop_says_so_for_every_frame_when_the_reference_stops() -> None:
    frames = [f for f in triggered(range(100)) if not (f.camera == "a" and f.stamp_ns > EPOCH_NS + 50 * PERIOD_NS)]
    synchronizer = Synchronizer(CAMERAS)

    sets = run(synchronizer, frames)

    assert len(sets) == 51
    assert synchronizer.dropped == {"unmatched": 49 * 3}


def test_wait_holds_sets_for_a_slow_link_where_drop_gives_them_up() -> None:
    prompt = triggered(range(100), "ab")
    slow = triggered(range(100), "c")
    # Camera c arrives ten triggers late.
    frames = sorted(prompt + slow, key=lambda f: f.stamp_ns + (10 * PERIOD_NS if f.camera == "c" else 0))

    waits = run(Synchronizer("abc", missing_camera="wait"), frames)
    drops = run(Synchronizer("abc", missing_camera="drop"), frames)

    assert len(waits) == 100
    assert len(drops) < 50


@pytest.mark.parametrize("reference_rate", ["fast", "slow"])
def test_different_rates_give_complete_sets_at_the_slower_rate(reference_rate: Literal["fast", "slow"]) -> None:
    fast, slow = triggered(range(100), ["fast"]), triggered(range(0, 100, 2), ["slow"])
    frames = sorted(fast + slow, key=lambda f: f.stamp_ns)
    names = ["fast", "slow"] if reference_rate == "fast" else ["slow", "fast"]
    synchronizer = Synchronizer(names)

    sets = run(synchronizer, frames)

    assert mixed(sets) == 0
    assert len(sets) == 50
    assert synchronizer.dropped == {("missing_camera" if reference_rate == "fast" else "unmatched"): 50}


def test_free_running_cameras_pair_with_the_nearest_frame() -> None:
    phases = {"a": 0.0, "b": 0.4, "c": -0.35}
    frames = [frame(c, EPOCH_NS + k * PERIOD_NS + int(p * PERIOD_NS)) for k in range(100) for c, p in phases.items()]
    frames.sort(key=lambda f: f.stamp_ns)

    sets = run(Synchronizer("abc"), frames)

    assert len(sets) == 100
    assert all(abs(f.stamp_ns - s.stamp_ns) < PERIOD_NS // 2 for s in sets for f in s.frames)


def test_few_frames_are_matched_at_the_end_when_no_period_could_be_measured() -> None:
    frames = [frame(camera, EPOCH_NS + index * MS) for index, camera in enumerate(CAMERAS)]

    (only,) = run(Synchronizer(CAMERAS), frames)

    assert only.frames == tuple(frames)


def test_frames_far_apart_are_not_matched_at_the_end() -> None:
    synchronizer = Synchronizer("ab")

    assert run(synchronizer, [frame("a", EPOCH_NS), frame("b", EPOCH_NS + 80 * MS)]) == []
    assert synchronizer.dropped == {"missing_camera": 1, "unmatched": 1}


def test_duplicate_and_late_frames_are_counted_apart() -> None:
    synchronizer = Synchronizer(["a"])
    stamps = [0, 100, 200, 200, 150]

    sets = run(synchronizer, [frame("a", EPOCH_NS + stamp * MS) for stamp in stamps])

    assert len(sets) == 3
    assert synchronizer.dropped == {"duplicate_stamp": 1, "late": 1}


def test_clear_forgets_what_waits_and_starts_anew_at_any_time() -> None:
    synchronizer = Synchronizer(CAMERAS)
    run(synchronizer, triggered(range(10))[:-2], finish=False)

    assert synchronizer.clear() == 2
    assert synchronizer.waiting == 0
    assert len(run(synchronizer, triggered(range(5)))) == 5


def test_health_says_why_when_a_camera_takes_no_part() -> None:
    phases = {"a": 0.0, "b": 0.49}
    frames = [frame(c, EPOCH_NS + k * PERIOD_NS + int(p * PERIOD_NS)) for k in range(50) for c, p in phases.items()]
    frames += [frame("c", EPOCH_NS + k * PERIOD_NS) for k in range(10)]
    synchronizer = Synchronizer(CAMERAS)
    run(synchronizer, sorted(frames, key=lambda f: f.stamp_ns))

    health = {camera.camera: camera for camera in synchronizer.health()}

    assert health["a"].problem == ""
    assert health["a"].period_ns == pytest.approx(PERIOD_NS, abs=2)
    assert "from the last one, the slop is 16.0 ms" in health["b"].problem
    assert health["c"].problem.startswith("silent: its newest stamp is 1.3")
    assert health["d"].problem == "no frame yet"
    assert (health["c"].frames_in, health["c"].frames_used) == (10, 0)
