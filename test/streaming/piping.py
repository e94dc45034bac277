# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Pipelines over the oracle world, their results and their account."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import count

from da3_ros.streaming.ledger import Counters
from da3_ros.streaming.pipeline import Pipeline
from da3_ros.streaming.results import SetResult, WindowResult
from da3_ros.streaming.stream_config import StreamConfig
from test.streaming.oracle_world import OracleWorld


def pipeline_of(world: OracleWorld, **settings: object) -> Pipeline:
    config = StreamConfig(cameras=tuple(world.rig), base_from_camera=world.rig)
    ticks = count(step=1000)
    return Pipeline(replace(config, **settings), world, now_ns=lambda: next(ticks))  # type: ignore[arg-type]


def feed_all(pipeline: Pipeline, world: OracleWorld, sets: int, first: int = 0) -> list[WindowResult]:
    return [result for frame in world.frames(sets, first) for result in pipeline.feed(frame)]


def set_results(results: Iterable[WindowResult]) -> list[SetResult]:
    return [new for result in results for new in result.new_sets]


def balance(counters: Counters) -> int:
    """Frames that the account has lost; zero always."""
    return counters.frames_in - counters.frames_published - sum(counters.dropped.values()) - counters.in_flight
