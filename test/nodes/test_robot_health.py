# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Diagnostics of what surrounds the cameras: the first thing that is wrong, or that all is well."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from da3_ros.nodes.robot_health import (
    GravityState,
    OdometryInputState,
    RigInputState,
    RobotState,
    gravity_report,
    odometry_report,
    rig_report,
    robot_reports,
)
from da3_ros.ros.diagnostics import Level

MS = 1_000_000
RIG = RigInputState(placed=2, missing={}, refused={}, is_needed=True, has_looked=True)
ODOMETRY = OdometryInputState("/odom", 1, 50 * MS, 9, 10, problem="", echo="", suspicion="")
GRAVITY = GravityState("/imu", 1, True, "")


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({}, Level.OK, "all cameras"),
        ({"has_looked": False, "missing": {"left": "no image"}}, Level.STALE, "no window"),
        ({"missing": {"left": "no TF base_link <- eye"}}, Level.WARN, "'left' is not placed by TF: no TF base_link"),
        ({"missing": {"left": "no TF"}, "is_needed": False}, Level.WARN, "'left'"),
        ({"missing": {"left": "no TF"}, "is_needed": False, "placed": 0}, Level.OK, "'left'"),
        ({"placed": 0}, Level.OK, "not needed: the network sees every image by itself"),
        ({"refused": {"eye": "head"}}, Level.WARN, "'eye' has the parent 'head' already"),
    ],
)
def test_rig_report_names_the_camera_or_edge(change: dict[str, Any], level: Level, words: str) -> None:
    report = rig_report(dataclasses.replace(RIG, **change))

    assert report.level == level
    assert words in report.message


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({}, Level.OK, "fresh"),
        ({"publishers": 0, "age_ns": None}, Level.WARN, "nobody publishes /odom"),
        ({"age_ns": None}, Level.STALE, "no pose"),
        ({"age_ns": 3000 * MS}, Level.WARN, "3 s older"),
        ({"age_ns": -3000 * MS}, Level.OK, "fresh"),
        ({"problem": "it is about 'axle'"}, Level.WARN, "'axle'"),
        ({"echo": "our own"}, Level.WARN, "not used: our own"),
        ({"suspicion": "ekf"}, Level.WARN, "suspected: ekf"),
    ],
)
def test_odometry_report_says_what_is_missing(change: dict[str, Any], level: Level, words: str) -> None:
    report = odometry_report(dataclasses.replace(ODOMETRY, **change))

    assert report.level == level
    assert words in report.message


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({}, Level.OK, "upright"),
        ({"is_used": False, "publishers": 0, "reason": "silent"}, Level.WARN, "nobody publishes /imu"),
        ({"is_used": False}, Level.STALE, "no window"),
        ({"is_used": False, "reason": "it moves"}, Level.WARN, "it moves"),
    ],
)
def test_gravity_report_says_why_not(change: dict[str, Any], level: Level, words: str) -> None:
    report = gravity_report(dataclasses.replace(GRAVITY, **change))

    assert report.level == level
    assert words in report.message


def test_only_what_was_asked_for_is_reported() -> None:
    assert [report.task for report in robot_reports(RobotState(RIG, None, None))] == ["rig"]
    tasks = [report.task for report in robot_reports(RobotState(RIG, ODOMETRY, GRAVITY))]
    assert tasks == ["rig", "odometry", "gravity"]
