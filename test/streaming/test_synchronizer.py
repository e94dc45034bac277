# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The synchroniser never mixes triggers, loses no frame unseen, and answers as soon as it can."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from da3_ros.streaming.frame import FrameSet
from da3_ros.streaming.synchronizer import MissingCamera, Synchronizer
from test.strategies import seeds
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
    used,
)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("slop_ns", [0, 50 * MS, 100 * MS])
@pytest.mark.parametrize("jitter_ms", [0.0, 60.0, 100.0])
def test_four_cameras_give_every_set_when_delivery_jitters(
    policy: MissingCamera, slop_ns: int, jitter_ms: float
) -> None:
    sets = run(Synchronizer(CAMERAS, slop_ns, policy), triggered(range(300), jitter_ms=jitter_ms))

    assert mixed(sets) == 0
    assert [len(frame_set.frames) for frame_set in sets] == [4] * 300


@pytest.mark.parametrize("slop_ns", [0, 50 * MS, 100 * MS])
@pytest.mark.parametrize("in_order", [True, False])
def test_four_cameras_never_mix_triggers_when_frames_are_lost_as_well(slop_ns: int, in_order: bool) -> None:
    frames = triggered(range(600), jitter_ms=100.0, drops=0.1, in_order=in_order)
    whole = sum(count == 4 for count in Counter(f.stamp_ns for f in frames).values())

    sets = run(Synchronizer(CAMERAS, slop_ns), frames)

    assert mixed(sets) == 0
    assert all(len(frame_set.frames) == 4 for frame_set in sets)
    assert len(sets) >= (0.99 if in_order else 0.95) * whole


def test_partial_sets_use_every_frame_when_frames_are_lost() -> None:
    frames = triggered(range(300), jitter_ms=60.0, drops=0.1)

    sets = run(Synchronizer(CAMERAS, missing_camera="partial"), frames)

    assert mixed(sets) == 0
    assert sum(used(sets).values()) == len(frames)
    assert len(sets) == len({f.stamp_ns for f in frames})


@settings(max_examples=40, deadline=None)
@given(
    seed=seeds,
    policy=st.sampled_from(POLICIES),
    slop_ms=st.sampled_from([0, 5, 50]),
    jitter_ms=st.sampled_from([0.0, 20.0, 60.0, 200.0]),
    drops=st.sampled_from([0.0, 0.1, 0.5]),
    cameras=st.integers(1, 5),
    in_order=st.booleans(),
    loops=st.integers(1, 3),
)
def test_laws_hold_for_any_stream(
    seed: int,
    policy: MissingCamera,
    slop_ms: int,
    jitter_ms: float,
    drops: float,
    cameras: int,
    in_order: bool,
    loops: int,
) -> None:
    names = [f"cam{index}" for index in range(cameras)]
    triggers = list(range(60)) * loops
    frames = triggered(triggers, names, jitter_ms=jitter_ms, drops=drops, in_order=in_order, seed=seed)
    synchronizer = Synchronizer(names, slop_ms * MS, policy)

    sets: list[FrameSet] = []
    for count, delivered in enumerate(frames, start=1):
        sets += synchronizer.push(delivered)
        accounted = sum(used(sets).values()) + sum(synchronizer.dropped.values()) + synchronizer.waiting
        assert accounted == count
        assert synchronizer.waiting <= cameras * 17
    sets += synchronizer.finish()

    assert mixed(sets) == 0
    assert synchronizer.waiting == 0
    assert [frame_set.index for frame_set in sets] == list(range(len(sets)))
    assert max(used(sets).values(), default=0) <= loops
    if loops == 1:
        stamps = [frame_set.stamp_ns for frame_set in sets]
        assert stamps == sorted(set(stamps))
    for frame_set in sets:
        present = [f.camera for f in frame_set.frames]
        assert present == [name for name in names if name in present]
        assert frame_set.stamp_ns == frame_set.frames[0].stamp_ns


@settings(max_examples=100, deadline=None)
@given(seed=seeds, late_periods=st.floats(0.0, 15.0), drops=st.sampled_from([0.0, 0.1]), cameras=st.integers(1, 2))
def test_frames_out_of_order_are_never_a_jump_however_late_they_are(
    seed: int, late_periods: float, drops: float, cameras: int
) -> None:
    names, jitter_ms = CAMERAS[:cameras], late_periods * PERIOD_NS / MS
    synchronizer = Synchronizer(names)

    sets = run(synchronizer, triggered(range(60), names, jitter_ms=jitter_ms, drops=drops, in_order=False, seed=seed))

    stamps = [frame_set.stamp_ns for frame_set in sets]
    assert stamps == sorted(set(stamps))
    assert "time_jump" not in synchronizer.dropped


def test_frames_keep_their_stamps_to_the_nanosecond_when_cameras_are_offset() -> None:
    offsets = {"a": 0, "b": 1_234_567, "c": -7_654_321, "d": 15_000_001}
    frames = [frame(camera, EPOCH_NS + k * PERIOD_NS + offset) for k in range(30) for camera, offset in offsets.items()]

    sets = run(Synchronizer(CAMERAS), frames)

    assert len(sets) == 30
    for k, frame_set in enumerate(sets):
        assert frame_set.stamp_ns == EPOCH_NS + k * PERIOD_NS
        assert {f.camera: f.stamp_ns - frame_set.stamp_ns for f in frame_set.frames} == offsets


@pytest.mark.parametrize("offset_ns", [0, 1 * MS])
def test_set_comes_with_its_last_frame(offset_ns: int) -> None:
    offset = dict(zip(CAMERAS, range(4), strict=True))
    frames = [frame(f.camera, f.stamp_ns + offset[f.camera] * offset_ns) for f in triggered(range(20))]
    synchronizer = Synchronizer(CAMERAS)

    sets = [len(synchronizer.push(delivered)) for delivered in frames]

    # Equal stamps match from the start; others once the period has been measured, and then none is lost.
    assert sum(sets) == 20
    assert sets[12 if offset_ns else 0 :][-64:] == [0, 0, 0, 1] * 16


def test_single_camera_is_passed_through_at_once() -> None:
    synchronizer = Synchronizer(["a"])

    assert [len(synchronizer.push(delivered)) for delivered in triggered(range(5), ["a"])] == [1] * 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((),), "one or more different names"),
        ((("a", "a"),), "one or more different names"),
        ((("a",), 0, "guess"), "not one of drop, partial, wait"),
        ((("a",), -1), "slop_ns must be 0 or more"),
        ((("a",), 0, "drop", 2), "queue_size 4 or more"),
    ],
)
def test_synchronizer_is_refused_when_its_arguments_mean_nothing(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Synchronizer(*arguments)


def test_frame_of_an_unknown_camera_is_refused() -> None:
    with pytest.raises(ValueError, match="camera 'z', which is not one of a, b, c, d"):
        Synchronizer(CAMERAS).push(frame("z", 0))
