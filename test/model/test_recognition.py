# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which model a file holds, told by its metadata or by its tensors, at full size but without a number in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from da3_ros.model import recognition
from da3_ros.model.checkpoint import CheckpointHeader, WeightsError
from da3_ros.model.recognition import model_of_checkpoint

PROJECTION = "backbone.pretrained.patch_embed.proj.weight"
TOKEN = "backbone.pretrained.camera_token"
SKY = "head.scratch.sky_output_conv2.0.weight"


def shapes(width: int, *others: str, part: str = "") -> dict[str, tuple[int, ...]]:
    """The few tensors of a checkpoint that tell it from others, by upstream's names, and one that nobody knows."""
    return {f"model.{part}{PROJECTION}": (width, 3, 14, 14), "unknown": (1,), **{f"model.{n}": (1,) for n in others}}


def told(monkeypatch: pytest.MonkeyPatch, found: dict[str, tuple[int, ...]], about: dict[str, str]) -> str:
    monkeypatch.setattr(recognition, "read_header", lambda path: CheckpointHeader(found, about))
    return model_of_checkpoint(Path("some.safetensors"))


@pytest.mark.parametrize(
    ("width", "model"),
    [(192, "da3-nano"), (384, "da3-small"), (768, "da3-base"), (1024, "da3-large"), (1536, "da3-giant")],
)
def test_any_view_model_is_told_by_its_width(monkeypatch: pytest.MonkeyPatch, width: int, model: str) -> None:
    assert told(monkeypatch, shapes(width, TOKEN), {}) == model


def test_nested_model_is_told_by_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    both = shapes(1536, part="da3.") | shapes(1024, part="da3_metric.")

    assert told(monkeypatch, both, {}) == "da3nested-giant-large"


def test_metadata_rule_where_they_name_a_model_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, shapes(1024, SKY), {"model": "da3mono-large"}) == "da3mono-large"
    assert told(monkeypatch, shapes(384, TOKEN), {"model": "da4-small", "format": "pt"}) == "da3-small"


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (shapes(1024, SKY), "holds da3mono-large or da3metric-large, which cannot be told apart: name the model"),
        (shapes(200, TOKEN), "holds no model that there is .any-view, tokens of 200 channels.: name other weights"),
        (shapes(384, SKY), "no model that there is .single images, tokens of 384 channels"),
        (shapes(384), "no model that there is .of no known kind, tokens of 384"),
        (shapes(384, part="da3.") | shapes(1024, part="da3_metric."), "it has none of the tensors of one"),
        ({"weight": (3, 3)}, "it has none of the tensors of one"),
    ],
    ids=["mono or metric", "width", "monocular width", "kind", "nested width", "stranger"],
)
def test_file_that_does_not_say_its_model_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, tuple[int, ...]], sentence: str
) -> None:
    with pytest.raises(WeightsError, match=sentence):
        told(monkeypatch, found, {})


def test_names_and_metadata_are_read_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    save_file({f"model.{PROJECTION}": torch.zeros(384, 3, 14, 14), f"model.{TOKEN}": torch.zeros(1, 2, 384)}, path)

    assert model_of_checkpoint(path) == "da3-small"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("none.safetensors", "does not exist"), ("some.pth", "is a pickle"), ("broken.safetensors", "not a readable")],
)
def test_unreadable_file_is_refused_in_one_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"no tensors")
    (tmp_path / "some.pth").touch()

    with pytest.raises(WeightsError, match=sentence):
        model_of_checkpoint(tmp_path / name)
