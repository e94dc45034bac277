# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The mailbox hands over between threads: newest wins, nothing is lost unseen, closing wakes everyone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from da3_ros.streaming.mailbox import Mailbox

LONG_S = 30.0


def test_newest_item_wins_and_the_older_one_is_returned() -> None:
    box: Mailbox[int] = Mailbox()

    assert [box.put(1), box.put(2), box.put(3)] == [None, 1, 2]
    assert box.take(0.0) == 3
    assert box.take(0.0) is None


def test_taker_gets_an_item_that_is_put_while_it_waits() -> None:
    box: Mailbox[int] = Mailbox()
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(box.take, LONG_S)
        box.put(7)

        assert taken.result(LONG_S) == 7


def test_close_wakes_every_taker_and_refuses_new_items() -> None:
    box: Mailbox[int] = Mailbox()
    with ThreadPoolExecutor(3) as pool:
        taken = [pool.submit(box.take, None) for _ in range(3)]
        box.close()

        assert [future.result(LONG_S) for future in taken] == [None] * 3
    assert box.is_closed
    assert box.put(1) == 1
    assert box.take(0.0) is None


def test_close_throws_away_what_is_inside() -> None:
    box: Mailbox[int] = Mailbox()
    box.put(1)

    box.close()

    assert box.take() is None


def test_box_is_idle_when_it_is_empty_and_what_was_taken_is_done_with() -> None:
    box: Mailbox[int] = Mailbox()
    idle = [box.is_idle]
    box.put(1)
    idle.append(box.is_idle)
    box.take(0.0)
    idle.append(box.is_idle)
    assert box.clear() is None
    idle.append(box.is_idle)
    box.take(0.0)
    idle.append(box.is_idle)

    assert idle == [True, False, False, False, True]


def test_every_item_is_taken_or_returned_exactly_once_when_threads_race() -> None:
    box: Mailbox[int] = Mailbox()
    start = Barrier(4)

    def producer(first: int) -> list[int]:
        start.wait(LONG_S)
        return [out for item in range(first, first + 500) if (out := box.put(item)) is not None]

    def consumer() -> list[int]:
        start.wait(LONG_S)
        taken = []
        while (item := box.take(LONG_S)) != -1:
            if item is not None:
                taken.append(item)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taking = pool.submit(consumer)
        putting = [pool.submit(producer, first) for first in (0, 500, 1000)]
        replaced = [item for future in putting for item in future.result(LONG_S)]
        pushed_out = box.put(-1)
        seen = replaced + taking.result(LONG_S) + ([] if pushed_out is None else [pushed_out])

    assert sorted(seen) == list(range(1500))
