# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows slide as asked, neighbours overlap whatever was skipped, and anchors take the oldest places."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from da3_ros.streaming.frame import FrameSet, Window
from da3_ros.streaming.sliding_window import SlidingWindow, bridge, with_anchors


def frame_set(index: int, stamp_ns: int | None = None) -> FrameSet:
    return FrameSet(index, index if stamp_ns is None else stamp_ns, ())


def window_of(*indices: int) -> Window:
    return Window(indices[-1], tuple(frame_set(index) for index in indices))


def indices(window: Window | None) -> list[int] | None:
    return None if window is None else [member.index for member in window.frame_sets]


def slide(sliding_window: SlidingWindow, count: int) -> list[list[int]]:
    windows = [indices(sliding_window.push(frame_set(index))) for index in range(count)]
    return [window for window in windows if window is not None]


def test_windows_hold_the_last_sets_when_the_stride_is_one() -> None:
    assert slide(SlidingWindow(3), 5) == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]


def test_windows_come_after_every_stride() -> None:
    assert slide(SlidingWindow(4, stride=2), 9) == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]


def test_windows_grow_from_the_first_set_when_min_sets_is_one() -> None:
    assert slide(SlidingWindow(3, min_sets=1), 4) == [[0], [0, 1], [0, 1, 2], [1, 2, 3]]


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 8), st.integers(0, 30))
def test_every_set_is_in_a_window_once_the_stream_is_finished(size: int, stride: int, least: int, count: int) -> None:
    assume(max(stride, least) <= size)
    sliding_window = SlidingWindow(size, stride, least)

    windows = slide(sliding_window, count)
    last = indices(sliding_window.finish())
    windows += [] if last is None else [last]

    assert sorted({index for window in windows for index in window}) == list(range(count))
    assert all(window == list(range(window[0], window[-1] + 1)) and len(window) <= size for window in windows)
    assert indices(sliding_window.finish()) is None


def test_windows_are_numbered_without_gaps() -> None:
    sliding_window = SlidingWindow(2, stride=2)

    windows = [sliding_window.push(frame_set(index)) for index in range(6)]

    assert [window.index for window in windows if window] == [0, 1, 2]


def test_window_never_spans_a_jump_back_in_time() -> None:
    sliding_window = SlidingWindow(3)
    slide(sliding_window, 5)

    after = [indices(sliding_window.push(frame_set(5 + k, stamp_ns=k))) for k in range(3)]

    assert after == [None, None, [5, 6, 7]]


@pytest.mark.parametrize("arguments", [(0,), (3, 0), (3, 4), (3, 1, 4), (3, 1, -1)])
def test_window_is_refused_when_its_numbers_do_not_fit(arguments: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="window size"):
        SlidingWindow(*arguments)


def test_bridge_leaves_a_window_alone_when_it_overlaps_enough() -> None:
    window = window_of(2, 3, 4, 5)

    assert bridge(window_of(0, 1, 2, 3), window, overlap=2) is window


def test_bridge_replaces_the_oldest_sets_when_windows_were_skipped() -> None:
    assert indices(bridge(window_of(0, 1, 2, 3), window_of(8, 9, 10, 11), overlap=2)) == [2, 3, 10, 11]
    assert indices(bridge(window_of(0, 1, 2, 3), window_of(3, 4, 5, 6), overlap=2)) == [2, 3, 5, 6]


def test_bridge_always_keeps_a_new_set() -> None:
    assert indices(bridge(window_of(0, 1), window_of(7, 8), overlap=2)) == [0, 1, 8]


def test_bridge_leaves_a_window_alone_when_time_went_back() -> None:
    window = Window(9, (frame_set(7, stamp_ns=0), frame_set(8, stamp_ns=1)))

    assert bridge(window_of(4, 5), window, overlap=1) is window


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 20))
def test_bridged_window_shares_the_overlap_and_ends_with_the_newest(size: int, overlap: int, gap: int) -> None:
    assume(overlap < size)
    previous = window_of(*range(size))

    bridged = bridge(previous, window_of(*range(gap, gap + size)), overlap)

    found = indices(bridged)
    assert found is not None
    assert found == sorted(set(found))
    assert len(found) == size
    assert found[-1] == gap + size - 1
    assert len(set(found) & set(range(size))) >= overlap


def test_anchors_take_the_places_of_the_oldest_shared_sets() -> None:
    window = with_anchors(window_of(8, 9, 10, 11, 12, 13), [frame_set(3), frame_set(1)], window_of(*range(4, 12)), 2)

    assert indices(window) == [1, 3, 10, 11, 12, 13]
    assert window.index == 13


def test_best_anchors_come_first_when_not_all_have_a_place() -> None:
    anchors = [frame_set(5), frame_set(0), frame_set(3)]

    window = with_anchors(window_of(8, 9, 10, 11), anchors, window_of(6, 7, 8, 9, 10), 1)

    assert indices(window) == [0, 5, 10, 11]


def test_anchors_stay_when_the_previous_window_held_them_too() -> None:
    """With a stride of one, sets between the anchors and the newest ones are in no previous window any more."""
    anchors, previous = [frame_set(0), frame_set(1)], window_of(0, 1, 8, 9)

    assert indices(with_anchors(window_of(7, 8, 9, 10), anchors, previous, 2)) == [0, 1, 9, 10]


@pytest.mark.parametrize(
    ("window", "anchors", "previous"),
    [
        (window_of(4, 5, 6, 7), [], window_of(2, 3, 4, 5)),
        (window_of(4, 5, 6, 7), [frame_set(4), frame_set(5)], window_of(2, 3, 4, 5)),
        (window_of(4, 5, 6, 7), [frame_set(0)], window_of(1, 2, 3, 4)),
        (window_of(4, 5, 6, 7), [frame_set(0)], window_of(1, 2, 3, 5)),
        (window_of(4, 5, 6, 7), [frame_set(0)], window_of(0, 1, 2, 3)),
    ],
    ids=["no-anchor", "held-anyway", "no-place", "too-little-shared", "nothing-shared"],
)
def test_window_is_left_alone_when_no_anchor_fits(window: Window, anchors: list[FrameSet], previous: Window) -> None:
    assert with_anchors(window, anchors, previous, overlap=2) is window


@given(
    st.integers(1, 8),
    st.integers(1, 8),
    st.integers(1, 8),
    st.lists(st.integers(0, 40), max_size=4, unique=True),
    st.integers(0, 12),
)
def test_window_with_anchors_keeps_size_order_new_sets_and_a_recent_shared_one(
    size: int, stride: int, overlap: int, wanted: list[int], gap: int
) -> None:
    assume(overlap <= size - stride)
    anchors = [frame_set(index) for index in wanted]
    previous = with_anchors(
        window_of(*range(30, 30 + size)), anchors, window_of(*range(30 - stride, 30 + size)), overlap
    )
    window = bridge(previous, window_of(*range(30 + stride + gap, 30 + stride + gap + size)), overlap)

    found = with_anchors(window, anchors, previous, overlap)

    before, after = indices(window), indices(found)
    assert before is not None
    assert after is not None
    assert after == sorted(set(after))
    assert len(after) == len(before)
    known = {member.index for member in previous.frame_sets}
    recent = known - set(wanted)
    assert [index for index in after if index not in known][-1:] == before[-1:]
    newest_shared = max(known & set(before), default=-1)
    assert {index for index in before if index > newest_shared} <= set(after)
    assert len(set(after) & (recent | set(wanted))) >= min(overlap, len(before) - 1)
    assert newest_shared in after
    assert set(after) <= set(before) | set(wanted)
