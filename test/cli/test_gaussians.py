# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Gaussians from the command line, with a network that is tiny but whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from da3_ros.cli.main import main
from da3_ros.geometry.gaussian_ply import read_gaussian_ply
from da3_ros.inference import gaussian_estimator
from da3_ros.model.build import build_network
from test.cli.test_cli import image_folder
from test.model.tiny import TINY_SWIGLU


@pytest.fixture
def _tiny_giant(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(name: str, **options: Any) -> Any:
        return build_network(name, **options, **TINY_SWIGLU)

    monkeypatch.setattr(gaussian_estimator, "build_network", build)


@pytest.mark.usefixtures("_tiny_giant")
@pytest.mark.parametrize(("options", "share"), [(["--keep-all"], 1.0), ([], 0.9)])
def test_infer_writes_gaussians_of_views_spread_over_the_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], share: float
) -> None:
    folder, file = image_folder(tmp_path / "images", 5), tmp_path / "made" / "scene.ply"
    giant = ["--model", "da3-giant", "--weights", "random", "--resolution", "56", "--gaussian-views", "3"]

    assert main(["infer", str(folder), *giant, "--gaussians", str(file), *options]) == 0

    pixels = 3 * 42 * 56
    gaussians = read_gaussian_ply(file)
    assert f"3 views, {len(gaussians)} of {pixels} Gaussians kept" in capsys.readouterr().out
    assert len(gaussians) <= share * pixels
    assert len(gaussians) > (share - 0.2) * pixels
    assert not Path("infer_out").exists()


def test_infer_names_the_model_with_gaussians_when_another_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = image_folder(tmp_path / "images", 1)

    assert main(["infer", str(folder), "--weights", "random", "--gaussians", str(tmp_path / "scene.ply")]) == 1

    assert capsys.readouterr().err.strip() == "da3_ros infer: da3-small has no 3D Gaussians: use da3-giant"


@pytest.mark.usefixtures("_tiny_giant")
def test_rendering_is_shown_drawn_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, output = tmp_path / "figures.json", tmp_path / "out"
    options = ["--weights", "random", "--views", "2", "--resolution", "112", "--output", str(output)]

    assert main(["eval", "rendering", "--json", str(file), *options]) == 0

    printed = capsys.readouterr().out
    assert "\n| exact depth and colours  " in printed
    assert "RANDOM weights: the network's row proves that the path works and nothing else" in printed
    exact, network, constant = json.loads(file.read_text()).values()
    assert exact["psnr_db"] > 20 > constant["psnr_db"]
    assert exact["gaussians"] == network["gaussians"] == 2 * 56 * 112
    assert (output / "rendering.png").stat().st_size > 10_000


def test_rendering_needs_no_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--views", "2", "--resolution", "56", "--output", str(tmp_path)]

    main(["eval", "rendering", *options])

    assert "No network: give --weights for its row" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--views", "1"], "--views must be 2 or more"),
        (["--weights", "random", "--model", "da3-base", "--resolution", "56"], "has no 3D Gaussians: use da3-giant"),
    ],
)
def test_bad_request_for_rendering_ends_with_one_sentence(
    tmp_path: Path, options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "rendering", "--output", str(tmp_path), *options]) == 1

    assert sentence in capsys.readouterr().err
