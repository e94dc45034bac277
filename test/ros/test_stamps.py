# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Stamps: nothing is lost on the way to nanoseconds and back."""

from __future__ import annotations

import pytest
from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st

from da3_ros.ros.stamps import from_ns, header, to_ns


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 999_999_999))
def test_stamp_is_unchanged_when_it_goes_through_nanoseconds(sec: int, nanosec: int) -> None:
    stamp = Time(sec=sec, nanosec=nanosec)

    assert from_ns(to_ns(stamp)) == stamp


def test_stamp_keeps_its_last_nanosecond_when_it_is_of_today() -> None:
    stamp_ns = 1_767_225_600_123_456_789

    stamp = from_ns(stamp_ns)

    assert (stamp.sec, stamp.nanosec) == (1_767_225_600, 123_456_789)
    assert to_ns(stamp) == stamp_ns


def test_stamp_is_refused_when_its_seconds_need_more_than_32_bits() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        from_ns(2**31 * 1_000_000_000)


def test_header_carries_stamp_and_frame() -> None:
    made = header(5_000_000_007, "front_optical_frame")

    assert (to_ns(made.stamp), made.frame_id) == (5_000_000_007, "front_optical_frame")
