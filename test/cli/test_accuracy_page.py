# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The page of `da3_ros eval accuracy` on data that lack something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from da3_ros.cli.main import main
from test.cli.accuracy_command import KNOWING, options, use_network_that_knows, write_sequence

pytestmark = pytest.mark.filterwarnings("error::UserWarning")  # of a chart that has nothing to show


def write_without_depth(folder: Path) -> Path:
    write_sequence(folder, 1)
    meta = json.loads((folder / "meta.json").read_text())
    for frame in meta["frames"]:
        del frame["depth"]
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def page_of(folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> str:
    page = folder.parent / "page.html"
    use_network_that_knows(monkeypatch, [folder])
    assert main(options([folder], *KNOWING, *more, "--html", str(page))) == 0
    return page.read_text()


def test_single_view_has_a_place_and_no_pose_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_sequence(tmp_path / "hall", 1)

    text = page_of(folder, monkeypatch, "--windows", "1", "--window-size", "1")

    assert "path of hall" in text
    assert "depth errors" in text
    assert "pose errors" not in text


def test_data_without_depth_have_neither_depth_curve_nor_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_without_depth(tmp_path / "hall")

    text = page_of(folder, monkeypatch, "--windows", "1", "--window-size", "2")

    assert "pose errors" in text
    assert "depth errors" not in text
    assert 'class="card"' not in text


def test_single_view_without_depth_has_no_curves_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_without_depth(tmp_path / "hall")

    assert "distribution of errors" not in page_of(folder, monkeypatch, "--windows", "1", "--window-size", "1")


def test_name_with_dollars_is_no_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_sequence(tmp_path / "a$\\frac$b", 1)

    assert "path of a$\\frac$b" in page_of(folder, monkeypatch, "--windows", "1")
