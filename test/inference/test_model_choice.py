# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which model `auto` stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from da3_ros.inference.model_choice import choose_model
from da3_ros.inference.onnx_file import METADATA_KEY, read_contents
from da3_ros.inference.onnx_metadata import read_metadata
from test.inference.conftest import CONTENTS, Exporter


@pytest.mark.parametrize(
    ("model", "weights", "chosen"),
    [
        ("auto", "auto", "da3-nano"),
        ("auto", "random", "da3-small"),
        ("auto", "depth-anything/DA3-SMALL", "da3-small"),
        ("auto", "depth-anything/DA3-LARGE-1.1", "da3-large"),
        ("auto", "depth-anything/DA3METRIC-LARGE", "da3metric-large"),
        ("da3-small", "auto", "da3-small"),
        ("da3-base", "random", "da3-base"),
        ("da3mono-large", "/no/such/file.safetensors", "da3mono-large"),  # for loading to refuse
    ],
)
def test_model_is_the_one_that_is_meant(model: str, weights: str, chosen: str) -> None:
    assert choose_model(model, weights) == chosen


@pytest.mark.parametrize("by_folder", [False, True], ids=["file", "folder"])
def test_model_of_a_file_is_told_by_the_file(tmp_path: Path, by_folder: bool) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"x": torch.zeros(1)}, path, {"model": "da3-base"})

    assert choose_model("auto", str(tmp_path if by_folder else path)) == "da3-base"


@pytest.mark.parametrize(
    ("model", "weights", "sentence"),
    [
        ("da3-tiny", "auto", "unknown model 'da3-tiny': choose one of da3-nano"),
        ("auto", "/no/such.safetensors", "no such file"),
        ("auto", "/no/such.onnx", "no such file"),
        ("auto", "nowhere", "no such file, nor a Hugging Face id"),
        ("auto", "somebody/some-model", "which model somebody/some-model holds is not known before it is here: name"),
    ],
)
def test_what_says_no_model_is_refused_in_one_sentence(model: str, weights: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        choose_model(model, weights)


def test_exported_file_says_its_model_without_being_opened_as_a_network(exported: Exporter) -> None:
    path = exported()

    assert choose_model("auto", str(path)) == CONTENTS.model
    assert read_contents(path) == CONTENTS
    assert set(read_metadata(path)) == {METADATA_KEY}


@pytest.mark.parametrize(
    "content",
    [b"", b"no protobuf", b"\xff" * 40, b"\x72\x04\x0a\x02ab", b"\x08\x07\x3a\x7f"],
    ids=["empty", "text", "endless number", "other metadata", "cut off"],
)
def test_file_that_is_not_ours_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.onnx"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=r"some\.onnx is no ONNX file of this da3_ros"):
        choose_model("auto", str(path))
