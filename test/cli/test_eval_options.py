# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Options of `da3_ros eval` that cannot be meant are refused before anything runs, and never ignored."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from da3_ros.cli import eval as eval_command
from da3_ros.cli.eval_options import PROOFS_OF
from da3_ros.cli.figures_file import write_figures
from da3_ros.cli.main import main


def test_every_option_says_which_proofs_heed_it() -> None:
    parser = argparse.ArgumentParser()
    eval_command.add_arguments(parser)

    assert set(PROOFS_OF) == set(vars(parser.parse_args(["accuracy"]))) - {"what"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["accuracy", "--only", "curve"], "eval accuracy does not heed --only, which is for scenarios and consistency"),
        (["accuracy", "--seeds", "2"], "does not heed --seeds"),
        (["accuracy", "--room", "2"], "does not heed --room, which is for rendering: leave it out"),
        (["accuracy", "--views", "3"], "does not heed --views"),
        (["accuracy", "--picture", "p.png"], "does not heed --picture"),
        (["consistency", "--data", "."], "does not heed --data"),
        (["rendering", "--demo-room"], "does not heed --demo-room"),
        (["scenarios", "--weights", "auto"], "does not heed --weights"),
        (["accuracy", "--data", ".", "--demo-room"], "--data and --demo-room are two things to evaluate on"),
        (["accuracy", "--first-room", "0", "--demo-room"], "--first-room is of simulated rooms"),
        (
            ["scenarios", "--only", "garbage_window", "--picture", "p.png"],
            "--picture draws scenarios that have a baseline, and none of these has",
        ),
    ],
)
def test_option_that_cannot_be_meant_is_refused(
    words: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["eval", *words]) == 1

    assert sentence in capsys.readouterr().err


def test_figures_that_are_no_numbers_are_null_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"

    write_figures(file, {"a": {3: np.nan}, "b": [np.array([1.5, np.inf]), np.float32(0.5), None, True, "NaN"]})

    def refuse(word: str) -> NoReturn:
        raise AssertionError(f"{word} is no JSON")

    read = json.loads(file.read_text(), parse_constant=refuse)
    assert read == {"a": {"3": None}, "b": [[1.5, None], 0.5, None, True, "NaN"]}
