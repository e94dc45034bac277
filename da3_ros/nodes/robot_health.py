# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What /diagnostics says about the robot around the cameras: its rig in TF, its own odometry, which way is up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from da3_ros.ros.diagnostics import Level, TaskReport

STALE_NS = 500_000_000
Values = dict[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class RigInputState:
    """The cameras in TF.

    Attributes:
        placed: cameras whose place on the base is known.
        missing: why it is not, by camera.
        refused: parents that others have given to frames that we should publish, by frame.
        is_needed: whether a camera without a place is a fault.
        has_looked: whether TF has been asked yet.
    """

    placed: int
    missing: Mapping[str, str]
    refused: Mapping[str, str]
    is_needed: bool
    has_looked: bool


@dataclass(frozen=True, slots=True)
class OdometryInputState:
    """The robot's own odometry.

    Attributes:
        source: the topic, or the two frames.
        publishers: of the topic; -1 for TF.
        age_ns: how much older the newest pose is than the image last asked for, by their stamps; None without either.
        answered: stamps asked for at which the pose was known.
        asked: stamps asked for.
        problem: what is wrong with the newest; empty when nothing is.
        echo: how it is our own output come back; empty when it is not.
        suspicion: which node may make it of our output; empty when none does.
    """

    source: str
    publishers: int
    age_ns: int | None
    answered: int
    asked: int
    problem: str
    echo: str
    suspicion: str


@dataclass(frozen=True, slots=True)
class GravityState:
    """The IMU.

    Attributes:
        topic: its full name.
        publishers: of the topic.
        is_used: whether the present trajectory stands upright by it.
        reason: why it does not; empty before the first window.
    """

    topic: str
    publishers: int
    is_used: bool
    reason: str


@dataclass(frozen=True, slots=True)
class RobotState:
    """All of it; None for what the parameters do not ask for."""

    rig: RigInputState
    odometry: OdometryInputState | None
    gravity: GravityState | None


def robot_reports(state: RobotState) -> list[TaskReport]:
    """One report per part."""
    parts = [rig_report(state.rig)]
    if state.odometry is not None:
        parts.append(odometry_report(state.odometry))
    if state.gravity is not None:
        parts.append(gravity_report(state.gravity))
    return parts


def rig_report(state: RigInputState) -> TaskReport:
    """Whether TF places the cameras, and whether the edges that we publish are ours alone."""
    values: Values = {
        "cameras_placed": state.placed,
        "cameras_missing": ", ".join(state.missing),
        "edges_refused": ", ".join(f"{parent} -> {child}" for child, parent in state.refused.items()),
    }
    for child, parent in state.refused.items():
        return TaskReport("rig", Level.WARN, f"'{child}' has the parent '{parent}' already: not published", values)
    if not state.has_looked:
        return TaskReport("rig", Level.STALE, "no window yet", values)
    for camera, reason in state.missing.items():
        level = Level.WARN if state.is_needed or state.placed else Level.OK
        return TaskReport("rig", level, f"camera '{camera}' is not placed by TF: {reason}", values)
    if not state.placed:
        return TaskReport("rig", Level.OK, "not needed: the network sees every image by itself", values)
    return TaskReport("rig", Level.OK, "TF places all cameras", values)


def odometry_report(state: OdometryInputState) -> TaskReport:
    """Whether the robot's own odometry is there, fresh, and not our own."""
    values: Values = {"source": state.source, "asked": state.asked, "answered": state.answered}
    if state.publishers >= 0:
        values["publishers"] = state.publishers
    if state.age_ns is not None:
        values["age_ms"] = state.age_ns * 1e-6

    def report(level: Level, message: str) -> TaskReport:
        return TaskReport("odometry", level, message, values)

    if state.echo:
        return report(Level.WARN, f"feedback loop, not used: {state.echo}")
    if not state.publishers and state.age_ns is None:
        return report(Level.WARN, f"nobody publishes {state.source}")
    if state.problem:
        return report(Level.WARN, state.problem)
    if state.age_ns is None:
        return report(Level.STALE, "no pose or no window yet")
    if state.age_ns > STALE_NS:
        return report(Level.WARN, f"stale: its newest pose is {state.age_ns * 1e-9:.3g} s older than the images")
    if state.suspicion:
        return report(Level.WARN, f"feedback loop suspected: {state.suspicion}")
    return report(Level.OK, "fresh")


def gravity_report(state: GravityState) -> TaskReport:
    """Whether the odometry frame stands upright by the IMU."""
    values: Values = {"topic": state.topic, "publishers": state.publishers, "used": state.is_used}
    if state.is_used:
        return TaskReport("gravity", Level.OK, "the odometry frame stands upright by the IMU", values)
    if not state.publishers:
        return TaskReport("gravity", Level.WARN, f"nobody publishes {state.topic}", values)
    if not state.reason:
        return TaskReport("gravity", Level.STALE, "no window yet", values)
    text = f"not used, the base at the start is upright: {state.reason}"
    return TaskReport("gravity", Level.WARN, text, values)
