# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The command that writes a network to an ONNX file."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import pytest

from da3_ros.cli.export import _digest, image_size
from da3_ros.cli.main import main
from da3_ros.inference.onnx_engine import OnnxEngine
from da3_ros.model import build
from test.model.tiny import tiny_network


def test_command_writes_a_file_that_says_what_it_holds_and_how_exact_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("onnxruntime", "onnxscript"):
        pytest.importorskip(package, reason=f"NOT RUN: no {package} here: pip install -e .[test]")
    monkeypatch.setattr(build, "build_network", lambda name: tiny_network())
    path = tmp_path / "tiny.onnx"

    assert main(["export", "onnx", str(path), "--weights", "random", "--views", "1", "--size", "28x42"]) == 0

    printed = capsys.readouterr().out
    assert "1 view of 28x42, fp32" in printed
    assert "camera_from_world" in printed
    contents = OnnxEngine(path, device="cpu", cpu_threads=1).contents
    assert (contents.model, contents.weights, contents.size) == ("da3-small", "random", (28, 42))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["x.onnx", "--model", "da3-giant"], "da3-giant cannot be exported: choose one of da3-nano, da3-small"),
        (["x.onnx", "--size", "40x56"], "cannot export 4 views of 40x56: height and width must be multiples of 14"),
        (["x.onnx", "--reference-view", "last"], "unknown reference view strategy 'last'"),
        (["x.bin"], "the file must end in .onnx, not 'x.bin'"),
        (["nowhere/x.onnx"], "there is no folder 'nowhere' to write into"),
    ],
    ids=["giant", "size", "strategy", "suffix", "folder"],
)
def test_what_cannot_be_exported_ends_with_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "onnx", "--weights", "random", *arguments]) == 1

    printed = capsys.readouterr().err.strip().splitlines()
    assert sentence in printed[-1]
    assert len(printed) == 1


def test_size_is_height_then_width() -> None:
    assert image_size("280x504") == (280, 504)
    with pytest.raises(argparse.ArgumentTypeError, match="'280' is not HEIGHTxWIDTH"):
        image_size("280")


def test_checkpoint_is_named_by_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights" * 1000)
    given = argparse.Namespace(
        weights=str(path), model="da3-small", accept_noncommercial_license=False, allow_download=False
    )

    assert _digest(given) == hashlib.sha256(path.read_bytes()).hexdigest()
