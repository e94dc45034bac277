# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from da3_ros.training.config import Stage, TrainingConfig
from da3_ros.training.shards import ShardReader
from test.model.tiny import TINY
from test.training.rooms import SIZE, write_rooms


@pytest.fixture(scope="session")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> ShardReader:
    """Three quickly made rooms."""
    folder = tmp_path_factory.mktemp("rooms")
    write_rooms(folder)
    return ShardReader(folder)


@pytest.fixture
def tiny_config() -> TrainingConfig:
    """A tiny network, trained for some steps on small images."""
    stage = Stage(steps=40, sizes=(SIZE,), views=(2,), views_per_step=6, learning_rate=3e-3, warm_up=5)
    return TrainingConfig("da3-small", (stage,), overrides=dict(TINY), matched_blocks=(3, 5))
