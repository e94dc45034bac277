# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from da3_ros.cli.main import main


def test_scenario_is_run_shown_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"

    assert main(["eval", "scenarios", "--only", "garbage_window", "--seeds", "1", "--json", str(file)]) == 0

    printed = capsys.readouterr().out
    assert "one window of pure garbage | " in printed
    assert "1 cm at 3 m scene depth" in printed  # which noise it was belongs to the figures
    figures = json.loads(file.read_text())["garbage_window"]
    assert figures["holds"]
    assert figures["seeds"][0]["garbage_windows"] == 1


def test_consistency_is_shown_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"

    options = ["--only", "rig", "--seeds", "2", "--full-position-noise", "--json", str(file)]
    assert main(["eval", "consistency", *options]) == 0

    printed = capsys.readouterr().out
    assert "motion across a window change" in printed
    assert "1 cm in every scene" in printed
    assert [error["degrees"] for error in json.loads(file.read_text())["rig"]] == [6, 6, 1]


def test_recorded_sequence_is_run_and_drawn(shared_data: Path, tmp_path: Path) -> None:
    picture, data = tmp_path / "paths.png", shared_data / "livingroom1_redwood"

    given = ["--data", str(data), "--only", data.name, "--seeds", "1", "--picture", str(picture)]
    assert main(["eval", "scenarios", *given]) == 0

    assert picture.stat().st_size > 10_000


def test_recorded_sequence_is_called_by_its_folder_however_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kitchen").mkdir()
    monkeypatch.chdir(tmp_path / "kitchen")

    assert main(["eval", "scenarios", "--data", ".", "--only", "moon"]) == 1

    assert capsys.readouterr().err.rstrip().endswith(", kitchen")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["scenarios", "--only", "moon"], "no scenario is called moon: there are curve, "),
        (["consistency", "--only", "moon"], "no scenario is called moon: there are "),
        (["scenarios", "--data", "/nothing/here", "--only", "here"], "/nothing/here is not a data set"),
    ],
)
def test_bad_request_ends_with_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", *arguments]) == 1

    assert sentence in capsys.readouterr().err
