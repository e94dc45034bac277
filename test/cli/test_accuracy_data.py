# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from da3_ros.cli.accuracy_data import unlike_names
from da3_ros.cli.main import CommandError, main
from test.cli.accuracy_command import options, write_sequence


def test_names_that_are_alike_start_with_the_folders_that_tell_them_apart() -> None:
    found = [("/a/run1/bag", "bag"), ("/a/run2/bag", "bag"), ("/a/hall", "hall")]
    assert unlike_names([(Path(path), name) for path, name in found]) == ["run1/bag", "run2/bag", "hall"]

    deep = [("/1/chess/seq-01", "chess/seq-01"), ("/2/chess", "chess/seq-01"), ("/1/x/bag/0.mcap", "bag/left"),
            ("/2/x/bag", "bag/left")]  # fmt: skip
    told = ["1/chess/seq-01", "2/chess/seq-01", "1/x/bag/left", "2/x/bag/left"]
    assert unlike_names([(Path(path), name) for path, name in deep]) == told


def test_same_sequence_twice_is_refused() -> None:
    with pytest.raises(CommandError, match="--data names chess/seq-01 twice"):
        unlike_names([(Path("/a/chess"), "chess/seq-01"), (Path("/a/chess/seq-01"), "chess/seq-01")])


def test_folders_of_one_name_are_two_sequences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = []
    for seed in (1, 2):
        (tmp_path / f"run{seed}").mkdir()
        folders.append(write_sequence(tmp_path / f"run{seed}" / "bag", seed))

    assert main(options(folders, "--windows", "1")) == 0

    printed = capsys.readouterr().out
    assert "On run1/bag, run2/bag, longest side" in printed
    assert "mean depth of the other sequences" in printed


@pytest.mark.parametrize(("here", "path"), [(".", "."), ("notes", "..")])
def test_data_are_called_by_their_folder_however_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, here: str, path: str
) -> None:
    folder = write_sequence(tmp_path / "kitchen", 1)
    (folder / "notes").mkdir()
    monkeypatch.chdir(folder / here)

    assert main(options([Path(path)], "--windows", "1")) == 0

    assert "On kitchen, longest side" in capsys.readouterr().out
