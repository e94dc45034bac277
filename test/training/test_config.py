# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from da3_ros.training.config import TrainingConfig, config_from
from da3_ros.training.loop import begin
from test.model.tiny import TINY_MONOCULAR, TINY_NESTED

CPU = torch.device("cpu")


def test_nested_model_is_refused(tiny_config: TrainingConfig) -> None:
    with pytest.raises(ValueError, match="two networks in one"):
        begin(replace(tiny_config, model="da3nested-giant-large", overrides=TINY_NESTED), CPU)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"variant": "all_global"}, "da3mono-large has no variants"),
        ({"begin_with": "some.safetensors", "begin_share": 0.5}, "da3mono-large is not exported"),
    ],
)
def test_teacher_refuses_what_is_of_students(
    change: dict[str, Any], sentence: str, tiny_config: TrainingConfig
) -> None:
    with pytest.raises(ValueError, match=sentence):
        begin(replace(tiny_config, model="da3mono-large", overrides=TINY_MONOCULAR, **change), CPU)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"model": "da3-nano"}, "stages: a list is needed"),
        ({"model": "da3-nano", "stages": []}, "at least one stage"),
        ({"model": "da3-nano", "stages": [{"step": 3}]}, r"stages\[0\]: step is unknown; there are steps"),
        ({"model": "da3-nano", "stages": [{"steps": 3, "sizes": [[13, 28]]}]}, r"stages\[0\]: sizes must be multiples"),
    ],
)
def test_config_says_where_it_is_wrong(content: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        config_from(content)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"weights": {"dept": 1}}, r"stages\[0\]\.weights: dept is unknown"),
        ({"weights": None}, r"stages\[0\]\.weights: a mapping is needed"),
        ({"weights": {"depth": -1}}, "depth: a weight is zero or above"),
        ({"learning_rate": "1e-3"}, r"learning_rate: '1e-3' is not a number \(YAML reads 1e-3 as text"),
        ({"learning_rate": float("nan")}, "learning_rate: nan is not a number"),
        ({"learning_rate": 0}, "learning_rate is above zero"),
        ({"steps": 3.5}, "steps: 3.5 is not a whole number"),
        ({"steps": True}, "steps: True is not a whole number"),
        ({"views": [2, "x"]}, "views: 'x' is not a whole number"),
        ({"sizes": [28, 28]}, "sizes: 28 is not a list"),
        ({"fine": 1}, "fine: 1 is not true or false"),
        ({"colour": 3}, r"colour is 3.0: give a share from 0 to 1"),
        ({"zoom": 0}, r"zoom is 0.0: give a share from 0 to 1, above 0"),
    ],
)
def test_stage_says_what_is_wrong(setting: dict[str, object], sentence: str) -> None:
    stage = {"steps": 3, "sizes": [[28, 28]], **setting}
    with pytest.raises(ValueError, match=sentence):
        config_from({"model": "da3-nano", "stages": [stage]})


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"seed": -1}, "seed: give no number below zero"),
        ({"rooms": -5}, "rooms: give no number below zero"),
        ({"rooms": 10, "first_room": 2**20 - 5}, "there are 1048576 rooms"),
        ({"save_every": 0}, "save_every and validation_rooms are above zero"),
        ({"matched_blocks": []}, "matched_blocks needs a block"),
        ({"known_share": 0}, "known_share is 0.0"),
        ({"overlap": 9}, "overlap is 9.0"),
        ({"teacher": "teacher/state.safetensors"}, "give a known_share below 1"),
        ({"begin_share": 0.5}, "give both"),
        ({"begin_with": "some.safetensors", "begin_share": 2}, "begin_share is 2.0"),
        ({"model": 3}, "model: 3 is not text"),
        ({"overrides": [1]}, "is not a mapping"),
    ],
)
def test_training_says_what_is_wrong(setting: dict[str, object], sentence: str) -> None:
    stages = [{"steps": 3, "sizes": [[28, 28]]}]
    with pytest.raises(ValueError, match=sentence):
        config_from({"model": "da3-nano", "stages": stages, **setting})


def test_demo_share_needs_sequences_of_the_demos_room() -> None:
    with pytest.raises(ValueError, match="demo_share needs demo_rooms"):
        config_from({"model": "da3-nano", "stages": [{"steps": 3, "sizes": [[28, 28]], "demo_share": 0.2}]})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"overrides": {"width": 3}}, "overrides of da3-small: .*'width'"),
        ({"matched_blocks": (3, 99)}, r"blocks \[99\] do not look across views"),
        ({"matched_blocks": (2,)}, r"blocks \[2\] do not look across views"),
    ],
)
def test_network_that_cannot_be_made_is_refused(
    change: dict[str, Any], sentence: str, tiny_config: TrainingConfig
) -> None:
    with pytest.raises(ValueError, match=sentence):
        begin(replace(tiny_config, **change), CPU)
