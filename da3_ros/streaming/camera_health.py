# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Why a camera does or does not take part in the frame sets, in words and numbers for the diagnostics."""

from __future__ import annotations

from dataclasses import dataclass

from da3_ros.streaming.camera_stream import CameraStream

MISSES_TO_REPORT = 5


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """Why a camera does or does not take part.

    Attributes:
        camera: its name.
        frames_in: frames pushed.
        frames_used: frames that left in a set.
        last_stamp_ns: newest stamp, None before the first frame.
        period_ns: measured, 0 when unknown.
        lag_ns: how far its newest stamp is behind the newest of all cameras.
        offset_ns: its frame nearest to the last decided trigger, relative to that; None when unknown.
        problem: one sentence, empty when all is well.
    """

    camera: str
    frames_in: int
    frames_used: int
    last_stamp_ns: int | None
    period_ns: int
    lag_ns: int
    offset_ns: int | None
    problem: str


def camera_health(stream: CameraStream, lag_ns: int, patience_ns: int, slop_ns: int) -> CameraHealth:
    """The health of one camera.

    Args:
        stream: its frames.
        lag_ns: how far its newest stamp is behind the newest of all cameras.
        patience_ns: the lag from which on it is not waited for.
        slop_ns: the slop in use.
    """
    return CameraHealth(
        camera=stream.camera,
        frames_in=stream.frames_in,
        frames_used=stream.frames_used,
        last_stamp_ns=stream.newest_ns,
        period_ns=stream.period_ns,
        lag_ns=lag_ns,
        offset_ns=stream.offset_ns,
        problem=_problem(stream, lag_ns, patience_ns, slop_ns),
    )


def _problem(stream: CameraStream, lag_ns: int, patience_ns: int, slop_ns: int) -> str:
    if stream.newest_ns is None:
        return "no frame yet"
    if lag_ns > patience_ns:
        return f"silent: its newest stamp is {lag_ns / 1e9:.2f} s behind the newest of all cameras"
    if stream.missed_triggers < MISSES_TO_REPORT:
        return ""
    missed = f"missed the last {stream.missed_triggers} triggers"
    if stream.offset_ns is None:
        return missed
    offset_ms, slop_ms = stream.offset_ns / 1e6, slop_ns / 1e6
    return f"{missed}: its nearest frame was {offset_ms:+.1f} ms from the last one, the slop is {slop_ms:.1f} ms"
