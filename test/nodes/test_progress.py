# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What counts as standing still: longer than usual, while it is wanted and could move."""

from __future__ import annotations

from collections.abc import Mapping

from da3_ros.nodes.progress import Flow, Progress
from da3_ros.streaming.ledger import Counters


class Run:
    """One camera at 10 Hz, looked at once a second of a clock of its own."""

    def __init__(self) -> None:
        self._progress = Progress(0.0)
        self._now_s = 0.0
        self._images = self._used = self._windows = 0

    def look(
        self,
        seconds: int,
        images: int = 10,
        used: int = 10,
        windows: float = 10,
        dropped: Mapping[str, int] | None = None,
        is_enabled: bool = True,
    ) -> Flow:
        """What is said after so many seconds with so many more of each in every one."""
        for second in range(seconds):
            self._now_s += 1.0
            self._images += images
            self._used += used
            self._windows += int(windows) if windows >= 1 else int(second % (1 / windows) == 0) if windows else 0
            counters = Counters(self._images, 0, self._windows, 0, dropped or {}, 0)
            received, left = {"front": self._images}, {"front": self._used}
            flow = self._progress.look(counters, received, left, is_enabled, self._now_s)
        return flow


def test_nothing_stands_still_while_all_moves() -> None:
    flow = Run().look(10)

    assert (flow.images.seconds, flow.windows.seconds) == (0, 0)
    assert (flow.received["front"].seconds, flow.used["front"].seconds) == (0, 0)


def test_camera_that_dies_is_silent_and_nothing_is_said_of_windows_without_images() -> None:
    run = Run()
    run.look(10)

    flow = run.look(4, images=0, used=0, windows=0)

    assert flow.images.seconds == flow.received["front"].seconds == 4
    assert flow.used["front"].seconds == flow.windows.seconds == 0


def test_images_that_come_to_nothing_are_noticed_with_their_causes_since_then() -> None:
    run = Run()
    run.look(10, dropped={"late": 5})

    flow = run.look(4, used=0, windows=0, dropped={"late": 5, "unmatched": 1, "duplicate_stamp": 40})

    assert flow.images.seconds == 0
    assert flow.used["front"].seconds == flow.windows.seconds == 4
    assert flow.windows.causes == flow.used["front"].causes == "40 duplicate_stamp, 1 unmatched"


def test_slow_windows_stand_still_only_when_they_are_slower_than_usual() -> None:
    run = Run()
    run.look(24, windows=1 / 8)

    assert run.look(20, windows=0).windows.seconds == 0
    assert run.look(40, windows=0).windows.seconds > 0


def test_windows_get_their_time_when_images_come_again() -> None:
    run = Run()
    run.look(10)
    run.look(60, images=0, used=0, windows=0)

    flow = run.look(1, windows=0)

    assert (flow.images.seconds, flow.windows.seconds, flow.used["front"].seconds) == (0, 0, 0)


def test_nothing_has_to_move_while_images_are_not_wanted_nor_right_after() -> None:
    run = Run()
    run.look(10)

    disabled = run.look(60, images=0, used=0, windows=0, is_enabled=False)
    enabled = run.look(1, images=0, used=0, windows=0)

    for flow in (disabled, enabled):
        assert (flow.images.seconds, flow.windows.seconds, flow.received["front"].seconds) == (0, 0, 0)
