# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""`da3_ros eval accuracy` when something fails: early where it can be, and never at the cost of what was found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from da3_ros.cli import accuracy_findings, accuracy_page, eval_accuracy
from da3_ros.cli.main import main
from da3_ros.evaluation.known_frames import KnownRig
from da3_ros.evaluation.streamed import StreamedTrajectory
from da3_ros.inference.engine import EngineError
from test.cli.accuracy_command import KNOWING, options, use_network_that_knows, write_sequence

ROW = "| da3-small, weights w "


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    made = [write_sequence(tmp_path / name, seed) for name, seed in (("kitchen", 1), ("hall", 2))]
    use_network_that_knows(monkeypatch, made)
    return made


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may get so far."""
    monkeypatch.setattr(eval_accuracy, "_network", lambda arguments: pytest.fail("the evaluation has begun"))


def test_sequence_that_fails_does_not_take_the_finished_ones(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, page = tmp_path / "figures.json", tmp_path / "page.html"
    (folders[1] / "5.png").write_text("no image")

    given = ["--windows", "6", "--window-size", "1", "2", "--json", str(file), "--html", str(page)]
    assert main(options(folders, *KNOWING, *given)) == 1

    told = capsys.readouterr()
    assert "5.png is not a readable image" in told.err
    assert told.out.count(ROW) == 2
    assert "NOT ALL was evaluated" in told.out
    figures = json.loads(file.read_text())
    assert "5.png is not a readable image" in figures["failure"]
    for found in figures["evaluations"]:
        assert {window["name"].split(":")[0] for window in found["windows"]} == {"kitchen"}
    assert "NOT ALL was evaluated" in page.read_text()


def test_size_without_windows_does_not_take_the_others(folders: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(options(folders, *KNOWING, "--windows", "1", "--window-size", "2", "50")) == 1

    told = capsys.readouterr()
    assert told.out.count(ROW) == 1
    assert "no window of 50 views" in told.err


def test_stream_that_fails_does_not_take_the_others(
    folders: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def streamed(rig: KnownRig, *_: object) -> StreamedTrajectory:
        if rig.name == "hall":
            raise EngineError("the network failed")
        return StreamedTrajectory(rig.name, 6, 6, 1.5, 0.1, 0.2)

    monkeypatch.setattr(accuracy_findings, "streamed", streamed)

    assert main(options(folders, *KNOWING, "--windows", "1", "--stream")) == 1

    told = capsys.readouterr()
    assert ROW in told.out
    assert "| kitchen |" in told.out
    assert "the network failed" in told.err


def test_page_that_fails_takes_neither_table_nor_figures(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise OSError("the disk is full")

    monkeypatch.setattr(accuracy_page, "write_page", fail)
    file = tmp_path / "figures.json"

    assert main(options(folders, *KNOWING, "--windows", "1", "--json", str(file), "--html", "page.html")) == 1

    assert ROW in capsys.readouterr().out
    assert json.loads(file.read_text())["failure"] is None


@pytest.mark.usefixtures("no_network")
def test_second_path_that_is_not_there_is_refused_before_the_first_is_evaluated(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options([folders[0], tmp_path / "nothing"], *KNOWING)) == 1

    assert "nothing is not there" in capsys.readouterr().err


def a_folder(place: Path) -> str:
    place.mkdir()
    return str(place)


def below_a_file(place: Path) -> str:
    place.write_text("")
    return str(place / "figures")


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("option", ["--json", "--html"])
@pytest.mark.parametrize(
    ("place", "sentence"), [(a_folder, "is a folder: name a file in it"), (below_a_file, "its folder cannot be made")]
)
def test_file_that_cannot_be_written_is_refused_before_anything_is_evaluated(
    folders: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
    place: Callable[[Path], str],
    sentence: str,
) -> None:
    assert main(options(folders, *KNOWING, option, place(tmp_path / "out"))) == 1

    assert sentence in capsys.readouterr().err


def test_folder_of_the_figures_is_made(folders: list[Path], tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "figures.json"

    assert main(options(folders, *KNOWING, "--windows", "1", "--json", str(file))) == 0

    assert file.is_file()
